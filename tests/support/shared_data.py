"""The real data that lies beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"


def shared_data(name: str) -> Path:
    """Find a file of the shared data, such as "otto/events.jsonl", or skip the test without it."""
    path = SHARED_DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path
