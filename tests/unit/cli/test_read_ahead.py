"""Reading what blocks beside an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from hairspring.cli.read_ahead import read_ahead


async def test_items_come_in_order() -> None:
    """Every item is given, in order."""
    assert [item async for item in read_ahead(iter(range(100)))] == list(range(100))


async def test_the_loop_goes_on_while_an_item_is_long_in_coming() -> None:
    """Tasks run while the iterator blocks; here it waits for one of them."""
    ran = threading.Event()

    def items() -> Iterator[str]:
        yield "first"
        assert ran.wait(10)
        yield "second"

    found = []
    async for item in read_ahead(items()):
        found.append(item)
        asyncio.get_running_loop().call_later(0.01, ran.set)
    assert found == ["first", "second"]


async def test_what_goes_wrong_is_raised_after_what_went_well() -> None:
    """An error of the iterator comes after its items."""

    def items() -> Iterator[int]:
        yield 1
        raise ValueError("torn")

    ahead = read_ahead(items())
    assert await anext(ahead) == 1
    with pytest.raises(ValueError, match="torn"):
        await anext(ahead)


async def test_it_reads_only_a_little_ahead() -> None:
    """Who is slow to take items keeps the iterator from going on, and from going on after."""
    drawn = []
    reading: list[threading.Thread] = []

    def items() -> Iterator[int]:
        reading.append(threading.current_thread())
        for number in range(1_000):
            drawn.append(number)
            yield number

    ahead = read_ahead(items())
    assert await anext(ahead) == 0
    await ahead.aclose()
    await asyncio.to_thread(reading[0].join, 10)
    assert not reading[0].is_alive()
    assert len(drawn) <= 5
