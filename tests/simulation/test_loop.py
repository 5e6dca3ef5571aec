"""The virtual loop: time that jumps, processes that stop, and an order that the seed decides."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.simulation.loop import BEGIN_MS, Stuck, VirtualLoop


def _loop(seed: int = 1) -> VirtualLoop:
    return VirtualLoop(random.Random(seed))


def test_time_jumps_to_the_next_timer() -> None:
    """An hour takes no time, and ends to the millisecond."""
    loop = _loop()
    loop.run_until_complete(loop.create_task(asyncio.sleep(3_600)))
    assert loop.now_ms() == BEGIN_MS + 3_600_000
    loop.close()


def test_who_waits_for_ever_is_told() -> None:
    """Where nothing can happen any more, that is an error and no hanging."""
    loop = _loop()
    with pytest.raises(Stuck):
        loop.run_until_complete(loop.create_task(asyncio.Event().wait()))
    loop.unwind()
    loop.close()


def test_the_seed_decides_between_processes() -> None:
    """Each process keeps its own order; how they mix differs from seed to seed."""

    def mixed(seed: int) -> str:
        loop, said = _loop(seed), list[str]()

        async def say(letters: str) -> None:
            for letter in letters:
                said.append(letter)
                await asyncio.sleep(0)

        one = loop.spawn(loop.process("one"), say("abcdef"))
        other = loop.spawn(loop.process("other"), say("ABCDEF"))
        loop.run_until_complete(asyncio.gather(one, other))
        loop.close()
        return "".join(said)

    orders = {mixed(seed) for seed in range(20)}
    assert len(orders) > 10
    assert {"".join(c for c in order if c.islower()) for order in orders} == {"abcdef"}
    assert mixed(3) == mixed(3)


def test_a_killed_process_cleans_nothing_up() -> None:
    """Its timers, its handlers and its `finally` have no effect; others go on."""
    loop, said = _loop(), list[str]()
    process = loop.process("one")

    async def work() -> None:
        try:
            await asyncio.sleep(2)
            said.append("done")
        finally:
            said.append("cleaned up")

    async def kill() -> None:
        await asyncio.sleep(1)
        loop.kill(process)
        await asyncio.sleep(10)

    task = loop.spawn(process, work())
    loop.run_until_complete(loop.create_task(kill()))
    task.cancel()
    loop.run_until_complete(loop.create_task(asyncio.sleep(1)))
    assert said == []
    loop.unwind()
    loop.close()


def test_a_paused_process_finds_what_came_meanwhile() -> None:
    """It goes on where it was, later than it had meant to."""
    loop, said = _loop(), list[int]()
    process = loop.process("one")

    async def work() -> None:
        await asyncio.sleep(2)
        said.append(loop.now_ms() - BEGIN_MS)

    async def pause() -> None:
        await asyncio.sleep(1)
        loop.pause(process)
        await asyncio.sleep(4)
        loop.go_on(process)

    both = [loop.spawn(process, work()), loop.create_task(pause())]
    loop.run_until_complete(loop.create_task(asyncio.wait(both)))
    assert said == [5_000]
    loop.close()
