"""The README's example works."""

from __future__ import annotations

import asyncio
import re
from importlib import resources
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]


async def test_example() -> None:
    """The first example of the README runs as printed."""
    found = re.search(r"```python\n(.*?)```", page(), re.DOTALL)
    assert found is not None
    await asyncio.to_thread(exec, found.group(1), {})


def test_the_known_ways_to_fail_have_tests() -> None:
    """Every test that the table names is there."""
    named = set(re.findall(r"`(test_\w+)`", page()))
    defined = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)\(", path.read_text())
    }
    contract = (TESTS / "contract" / "timers" / "timer_contract.py").read_text()
    defined |= set(re.findall(r"def (test_\w+)\(", contract))
    assert len(named) > 20
    assert named <= defined


def page() -> str:
    """The README of the timers."""
    return (resources.files("hairspring.timers") / "README.md").read_text("utf-8")
