"""The README's example works."""

from __future__ import annotations

import asyncio
import re
from importlib import resources


async def test_example() -> None:
    """The first example of the README runs as printed."""
    text = (resources.files("hairspring.timers") / "README.md").read_text("utf-8")
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    await asyncio.to_thread(exec, found.group(1), {})
