"""Programs that load something beside the benchmark, each a process of its own."""

from __future__ import annotations

import asyncio
import json
from typing import Any


async def told_by(*command: str, within: float) -> dict[str, Any]:
    """Run a program to its end, for so many seconds at most; answers the JSON that it writes."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(within):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise AssertionError(f"{command[1:4]} failed; it said why above")
    answer: dict[str, Any] = json.loads(said)
    return answer
