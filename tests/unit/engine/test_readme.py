"""The engine's README shows what the code says."""

from __future__ import annotations

from pathlib import Path

import hairspring.engine
from hairspring.engine import segments

FOLDER = Path(hairspring.engine.__file__).parent


def test_the_table_of_memberships_is_that_of_the_code() -> None:
    """Line for line the one that `segments.py` opens with."""
    readme = (FOLDER / "README.md").read_text().splitlines()
    table = [line for line in (segments.__doc__ or "").splitlines() if line.startswith("|")]

    assert len(table) == 7
    start = readme.index(table[0])
    assert readme[start : start + 7] == table


def test_every_file_is_named() -> None:
    """Whoever looks for a noun finds its file."""
    readme = (FOLDER / "README.md").read_text()

    for file in FOLDER.glob("*.py"):
        if file.name != "__init__.py":
            assert f"| `{file.name}` |" in readme
