"""What fails around the timer loop does not end it, and nothing is missed."""

from __future__ import annotations

import asyncio
import time
from typing import NoReturn

import pytest
from hairspring.timers import QueueUnavailable
from hairspring.timers.loop import LoopSettings

from tests.support.waiting import eventually
from tests.unit.timers.looping import Owner, timer


async def test_survives_a_failing_owner() -> None:
    """When the owner raises, its timers ring again soon and the loop goes on."""
    owner = Owner()
    owner.errors = [RuntimeError("one"), ValueError("two")]
    async with owner.running() as task:
        await owner.schedule(timer("ada", 0))
        await eventually(lambda: owner.rung == ["ada"])
        await owner.schedule(timer("bob", 0))
        await eventually(lambda: owner.rung == ["ada", "bob"])
        assert not task.done()


async def test_survives_a_failing_queue() -> None:
    """Neither an absent queue nor a fault in it ends the loop."""
    owner = Owner()
    async with owner.running() as task:
        for error in (RuntimeError("fault"), QueueUnavailable("away")):
            owner.queue.error = error
            seen = owner.queue.claims
            owner.loop.look()
            await eventually(lambda seen=seen: owner.queue.claims > seen + 3)
        owner.queue.error = None
        await owner.schedule(timer("ada", 0))
        await eventually(lambda: owner.rung == ["ada"])
        assert not task.done()


@pytest.mark.parametrize("place", ["epochs", "on_lost", "on_fenced", "on_unavailable", "ack"])
async def test_no_error_ends_the_loop(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever raises, wherever: the loop comes back by itself, and rings."""
    owner = Owner()
    raised: list[str] = []

    def fail(*_: object, **__: object) -> NoReturn:
        raised.append(place)
        monkeypatch.undo()
        owner.queue.error = None
        raise RuntimeError("a fault")

    async def fail_later(*_: object, **__: object) -> NoReturn:
        fail()

    async with owner.running() as task:
        if place == "ack":
            monkeypatch.setattr(owner.queue, "ack", fail_later)
            await owner.schedule(timer("bob", 0))
        elif place == "epochs":
            monkeypatch.setattr(owner.loop, "_epochs", fail)
        else:
            monkeypatch.setattr(owner.loop, f"_{place}", fail_later)
        if place == "on_lost":
            del owner.queue._shards[1]
        elif place == "on_fenced":
            await owner.queue.complete(1, epoch=1, generation="first")
            await owner.queue.take({1: 2})
        elif place == "on_unavailable":
            owner.queue.error = QueueUnavailable("away")
        owner.loop.look()
        await eventually(lambda: raised == [place])
        await owner.schedule(timer("ada", 0))
        await eventually(lambda: "ada" in owner.rung)
        assert not task.done()


async def test_sweeps_while_the_queue_is_away() -> None:
    """While the queue does not answer, its owner is told now and then, but not at every try."""
    owner = Owner()
    async with owner.running():
        owner.queue.error = QueueUnavailable("away")
        seen = owner.queue.claims
        owner.loop.look()
        await eventually(lambda: owner.sweeps >= 3)
        assert owner.queue.claims - seen >= owner.sweeps
        owner.queue.error = None
        await eventually(lambda: owner.loop._away_since is None)
        sweeps = owner.sweeps
        await asyncio.sleep(0.15)
        assert owner.sweeps == sweeps


async def test_wake_ups_do_not_shorten_a_backoff() -> None:
    """Schedules during an outage do not make the loop hammer the queue."""
    owner = Owner(settings=LoopSettings(shortest_backoff_ms=200, longest_backoff_ms=200))
    async with owner.running():
        owner.queue.error = QueueUnavailable("away")
        owner.loop.look()
        seen = owner.queue.claims
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            await owner.schedule(timer("ada", 0))
            await asyncio.sleep(0.001)
        assert owner.queue.claims - seen <= 4


async def test_loss_is_rebuilt() -> None:
    """A queue that forgot everything is noticed by the poll, and rebuilt once."""
    owner = Owner()
    async with owner.running():
        owner.queue.forget()
        await eventually(lambda: owner.lost == [frozenset({0, 1})])
        await owner.schedule(timer("ada", 0))
        await eventually(lambda: owner.rung == ["ada"])
        assert len(owner.lost) == 1


async def test_a_failing_rebuild_is_tried_again() -> None:
    """A rebuild that raises is asked for again."""
    owner = Owner(shards=1)
    tries: list[frozenset[int]] = []

    async def on_lost(shards: frozenset[int]) -> None:
        tries.append(shards)
        if len(tries) < 3:
            raise RuntimeError("Postgres is away")
        await owner.queue.begin(0, epoch=1, generation="rebuilt")

    owner.loop._on_lost = on_lost
    async with owner.running():
        owner.queue.forget()
        await eventually(lambda: len(tries) == 3)
        await owner.schedule(timer("ada", 0))
        await eventually(lambda: owner.rung == ["ada"])


async def test_a_slow_rebuild_does_not_hold_up_others() -> None:
    """While a shard is rebuilt, the others ring, and it is not reported again."""
    owner = Owner()
    finish = asyncio.Event()
    tries: list[frozenset[int]] = []

    async def on_lost(shards: frozenset[int]) -> None:
        tries.append(shards)
        await finish.wait()

    owner.loop._on_lost = on_lost
    async with owner.running():
        del owner.queue._shards[0]
        await eventually(lambda: tries == [frozenset({0})])
        await owner.schedule(timer("ada", 0, 1))
        await eventually(lambda: owner.rung == ["ada"])
        claims = owner.queue.claims
        await eventually(lambda: owner.queue.claims > claims + 2)
        assert tries == [frozenset({0})]


async def test_fenced_shards_are_dropped() -> None:
    """When another owner took a shard, this one is told and asks for it no more."""
    owner = Owner()
    async with owner.running():
        await owner.queue.complete(1, epoch=1, generation="first")
        assert (await owner.queue.take({1: 2})).ok
        await eventually(lambda: owner.fenced == [frozenset({1})])
        await owner.schedule(timer("ada", 0))
        await eventually(lambda: owner.rung == ["ada"])
