"""Group commit over an append that the test holds in its hand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest
from hairspring.log.port import Appended, Entry
from hairspring.runtime.errors import Exhausted, Unavailable
from hairspring.services.ingest.appending import Outcome, Unstorable, append_splitting
from hairspring.services.ingest.group_commit import GroupCommit, Limits

from tests.support.waiting import eventually


def entry(profile: str = "anna", payload: bytes = b"x") -> Entry:
    """Make an entry."""
    return Entry(shard=0, workspace="default", profile=profile, payload=payload)


class Door:
    """An append that waits until it is opened, and remembers what came through."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.groups: list[list[Entry]] = []
        self.error: Exception | None = None
        self._position = 0

    async def append(self, entries: Sequence[Entry]) -> list[Appended]:
        """Append once the door is open."""
        self.groups.append(list(entries))
        await self.open.wait()
        if self.error is not None:
            raise self.error
        answers = []
        for _ in entries:
            self._position += 1
            answers.append(Appended(position=self._position, accepted_at=0, repeated=False))
        return answers


def start(group: GroupCommit, *profiles: str) -> list[asyncio.Task[list[Outcome]]]:
    """Submit one entry for each profile, each by a caller of its own."""
    return [asyncio.create_task(group.submit([entry(profile)])) for profile in profiles]


async def test_those_who_come_meanwhile_are_one_group() -> None:
    """The first is written alone, the others together, each told its own place."""
    door = Door()
    async with GroupCommit(door.append, Limits(writers=1)) as group:
        calls = start(group, "a")
        await eventually(lambda: len(door.groups) == 1)
        calls += start(group, "b", "c", "d")
        await asyncio.sleep(0)
        door.open.set()
        outcomes = [(await call)[0] for call in calls]
    assert [[one.profile for one in group] for group in door.groups] == [["a"], ["b", "c", "d"]]
    assert [one.position for one in outcomes if isinstance(one, Appended)] == [1, 2, 3, 4]


async def test_a_group_is_bounded() -> None:
    """A caller's entries stay together; the next group begins where the bound is reached."""
    door = Door()
    async with GroupCommit(door.append, Limits(writers=1, group_entries=2)) as group:
        calls = start(group, "a")
        await eventually(lambda: len(door.groups) == 1)
        calls += start(group, "b", "c", "d")
        calls.append(asyncio.create_task(group.submit([entry("e")] * 3)))
        await asyncio.sleep(0)
        door.open.set()
        await asyncio.gather(*calls)
    assert [len(one) for one in door.groups] == [1, 2, 1, 3]


@pytest.mark.parametrize("limits", [Limits(queue_entries=2), Limits(queue_bytes=1_100)])
async def test_what_waits_is_bounded_and_makes_room_again(limits: Limits) -> None:
    """The third caller is told to wait; once the two are written, it is taken."""
    door = Door()
    async with GroupCommit(door.append, limits) as group:
        calls = start(group, "a", "b")
        await asyncio.sleep(0)
        with pytest.raises(Exhausted):
            await group.submit([entry("c")])
        door.open.set()
        await asyncio.gather(*calls)
        assert len(await group.submit([entry("c")])) == 1


async def test_a_call_larger_than_the_queue_is_taken_when_nothing_waits() -> None:
    """Else it could never be."""
    door = Door()
    door.open.set()
    async with GroupCommit(door.append, Limits(queue_entries=2)) as group:
        assert len(await group.submit([entry()] * 5)) == 5


async def test_a_caller_that_has_gone_is_not_written() -> None:
    """Its entries leave the queue, and the others are told as ever."""
    door = Door()
    async with GroupCommit(door.append, Limits(writers=1)) as group:
        first, gone, stays = start(group, "a", "b", "c")
        await eventually(lambda: len(door.groups) == 1)
        await asyncio.sleep(0)
        gone.cancel()
        door.open.set()
        await asyncio.gather(first, stays)
    written = [one.profile for group in door.groups for one in group]
    assert set(written) >= {"a", "c"}


async def test_an_outage_is_told_and_the_next_call_goes_through() -> None:
    """Callers of a failed append get Unavailable; nothing stays behind."""
    door = Door()
    door.open.set()
    async with GroupCommit(door.append, Limits()) as group:
        door.error = ConnectionRefusedError("no")
        with pytest.raises(Unavailable):
            await group.submit([entry()])
        door.error = None
        assert len(await group.submit([entry()])) == 1


async def test_an_error_nobody_foresaw_reaches_its_callers() -> None:
    """It is theirs, and the writer goes on."""
    door = Door()
    door.open.set()
    async with GroupCommit(door.append, Limits()) as group:
        door.error = ZeroDivisionError()
        with pytest.raises(ZeroDivisionError):
            await group.submit([entry()])
        door.error = None
        assert len(await group.submit([entry()])) == 1


async def test_while_an_append_hangs_nobody_waits_behind_it() -> None:
    """The first caller waits for the patience, the next are refused at once, until it is over."""
    door = Door()
    async with GroupCommit(door.append, Limits(patience=0.05)) as group:
        with pytest.raises(Unavailable, match="longer than"):
            await group.submit([entry()])
        with pytest.raises(Unavailable, match="does not answer"):
            await group.submit([entry()])
        door.open.set()

        async def works() -> bool:
            return len(await group.submit([entry()])) == 1

        await eventually(works)


async def test_leaving_refuses_who_still_waits() -> None:
    """Nobody is left without an answer."""
    door = Door()
    async with GroupCommit(door.append, Limits(writers=1)) as group:
        calls = start(group, "a", "b")
        await eventually(lambda: len(door.groups) == 1)
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(one, Unavailable) for one in answers)
    with pytest.raises(Unavailable):
        await group.submit([entry()])


async def test_an_entry_that_the_database_refuses_harms_no_other() -> None:
    """The batch is split until the bad one stands alone."""
    position = 0

    async def append(entries: Sequence[Entry]) -> list[Appended]:
        nonlocal position
        if any(one.payload == b"bad" for one in entries):
            raise asyncpg.CharacterNotInRepertoireError("no")
        position += len(entries)
        return [Appended(position=position, accepted_at=0, repeated=False) for _ in entries]

    entries = [entry(payload=b"bad" if number == 5 else b"x") for number in range(9)]
    outcomes = await append_splitting(append, entries)
    assert [isinstance(one, Unstorable) for one in outcomes] == [n == 5 for n in range(9)]
    assert position == 8
