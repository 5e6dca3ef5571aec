"""The tables of delivery in memory, for simulations; they pass the same suite as Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeAlias

import asyncpg
from hairspring.services.delivery.departing import Departed, Departure, Noted
from hairspring.services.delivery.following import Key
from hairspring.services.delivery.messages import Message, MessageStatus
from hairspring.services.delivery.runs import Run, RunStatus
from hairspring.services.delivery.store import Connection, DeliveryStore, Place
from hairspring.services.delivery.waits import Wake, wake_of

RunKey: TypeAlias = tuple[int, str, str, str]
"""The primary key of a run: shard, workspace, profile, run id. A message's has its step too."""


class NotUnique(asyncpg.UniqueViolationError):
    """A row would stand beside another of the same entry, or of the same flow that goes on."""


class MemoryTransaction:
    """What is written until the commit: nobody sees it before, and all of it after."""

    def __init__(self, store: MemoryDeliveryStore) -> None:
        self._store = store
        self._proofs: list[Callable[[], None]] = []
        self.runs: dict[RunKey, Run] = {}
        self.messages: dict[RunKey, dict[int, Message]] = {}
        self.gone: list[RunKey] = []
        self.departed: dict[tuple[str, str], Noted] = {}
        self.parted: list[Place] = []
        self.formers: list[tuple[Place, Place]] = []

    def at_commit(self, effect: Callable[[], None]) -> None:
        """Have this happen first when it is committed; what it raises undoes everything."""
        self._proofs.append(effect)

    def commit(self) -> None:
        """Carry everything out, or raise and carry out nothing."""
        for effect in self._proofs:
            effect()
        for key in self.gone:
            self._store.runs.pop(key, None)
            self._store.messages.pop(key, None)
        for place in self.parted:
            self._store.formers.pop(place, None)
        self._store.deletions.update(self.departed)
        self._store.runs.update(self.runs)
        for key, steps in self.messages.items():
            self._store.messages.setdefault(key, {}).update(steps)
        for place, former in self.formers:
            self._store.formers.setdefault(place, {})[former] = None


class MemoryDeliveryStore(DeliveryStore):
    """Keeps runs and messages in dictionaries, in the order in which they were first written."""

    def __init__(self) -> None:
        self.runs: dict[RunKey, Run] = {}
        self.messages: dict[RunKey, dict[int, Message]] = {}
        self.deletions: dict[tuple[str, str], Noted] = {}
        self.formers: dict[Place, dict[Place, None]] = {}

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[MemoryTransaction]:
        """Open a transaction."""
        transaction = MemoryTransaction(self)
        yield transaction
        transaction.commit()

    async def active_of(self, places: Sequence[Place]) -> list[Run]:
        """Look through all runs."""
        asked = set(places)
        return [run for run in self.runs.values() if run.active and _place(run) in asked]

    async def last_starts(self, places: Sequence[Place]) -> dict[tuple[Key, str], int]:
        """Look through all runs."""
        latest: dict[tuple[Key, str], int] = {}
        for place in places:
            lineage = self._lineage(place)
            for run in self.runs.values():
                if _place(run) in lineage and run.status is not RunStatus.NOT_STARTED:
                    named = (place[1], place[2]), run.flow
                    latest[named] = max(latest.get(named, run.started_at), run.started_at)
        return latest

    async def lineage(self, place: Place) -> list[Place]:
        """Follow what is noted of former ids."""
        return self._lineage(place)

    def _lineage(self, place: Place) -> list[Place]:
        found = [place]
        for one in found:
            found += [former for former in self.formers.get(one, ()) if former not in found]
        return found

    async def runs_of(self, wakes: Sequence[Wake]) -> list[Run]:
        """Read runs by their keys."""
        return [self.runs[key] for key in map(_key, wakes) if key in self.runs]

    async def messages_of(self, wakes: Sequence[Wake]) -> list[Message]:
        """Read messages by the keys of their runs."""
        found = (self.messages.get(key, {}) for key in map(_key, wakes))
        return [message for steps in found for message in steps.values()]

    async def sending_in(self, shards: Sequence[int]) -> list[Message]:
        """Look through all messages."""
        return [
            message
            for steps in self.messages.values()
            for message in steps.values()
            if message.status is MessageStatus.SENDING and message.shard in shards
        ]

    async def waking(
        self, shard: int, after: tuple[int, str], before: int, limit: int
    ) -> list[tuple[Wake, int]]:
        """Look through all runs."""
        found = [
            (wake, at)
            for wake, at in self._waking([shard])
            if (at, wake.run_id) > after and at < before
        ]
        return found[:limit]

    async def overdue(self, shards: Sequence[int], before: int, limit: int) -> list[Wake]:
        """Look through all runs."""
        return [wake for wake, at in self._waking(shards) if at <= before][:limit]

    async def depart(self, connection: Connection, departure: Departure) -> Departed:
        """Look through all runs."""
        place = (departure.shard, departure.workspace, departure.profile)
        runs = [
            run
            for run in self.runs.values()
            if _place(run) == place and run.entry_position < departure.position
        ]
        connection.gone += [_key(run) for run in runs]
        connection.parted.append(place)
        messages = sum(len(self.messages.get(_key(run), {})) for run in runs)
        erased = {"runs": len(runs), "messages": messages}
        named = (departure.workspace, departure.deletion_id)
        if named not in self.deletions:
            connection.departed[named] = Noted(erased=erased, done_at=departure.at)
        return Departed(runs=[wake_of(run) for run in runs], messages=messages)

    async def departed(self, workspace: str, deletion_ids: Sequence[str]) -> list[Noted]:
        """Look them up."""
        named = [(workspace, one) for one in deletion_ids]
        return [self.deletions[one] for one in named if one in self.deletions]

    async def save_runs(self, connection: Connection, runs: Sequence[Run]) -> None:
        """Write runs; raises NotUnique where one would stand beside another."""
        for run in runs:
            self._check_unique(run, {**self.runs, **connection.runs})
            connection.runs[_key(run)] = run

    async def save_formers(
        self, connection: Connection, formers: Sequence[tuple[Place, Place]]
    ) -> None:
        """Write them at the commit."""
        connection.formers.extend(formers)

    async def save_messages(self, connection: Connection, messages: Sequence[Message]) -> None:
        """Write messages."""
        for message in messages:
            connection.messages.setdefault(_key(message), {})[message.step] = message

    async def skip_pending(self, connection: Connection, runs: Sequence[Run]) -> list[Message]:
        """Skip what is pending, also what this transaction has written."""
        skipped = []
        for run in runs:
            if run.status is not RunStatus.ENDED:
                continue
            key = _key(run)
            known = {**self.messages.get(key, {}), **connection.messages.get(key, {})}
            pending = [one for one in known.values() if one.status is MessageStatus.PENDING]
            skipped += [
                replace(one, status=MessageStatus.SKIPPED, reason=run.reason) for one in pending
            ]
        await self.save_messages(connection, skipped)
        return skipped

    def _waking(self, shards: Iterable[int]) -> list[tuple[Wake, int]]:
        """The runs of these shards that are to be looked at, the earliest first."""
        asked = set(shards)
        found = [
            (wake_of(run), run.wake_at)
            for run in self.runs.values()
            if run.wake_at is not None and run.shard in asked
        ]
        return sorted(found, key=lambda one: (one[1], one[0].run_id))

    @staticmethod
    def _check_unique(run: Run, known: Mapping[RunKey, Run]) -> None:
        """Refuse what the unique indexes of the tables refuse."""
        for other in known.values():
            if (*_place(other), other.flow) != (*_place(run), run.flow):
                continue
            if other.run_id != run.run_id and (
                other.entry_position == run.entry_position or (other.active and run.active)
            ):
                raise NotUnique(f"the run {run.run_id} would stand beside {other.run_id}")


def _place(run: Run) -> Place:
    return (run.shard, run.workspace, run.profile)


def _key(of: Run | Message | Wake) -> RunKey:
    return (of.shard, of.workspace, of.profile, of.run_id)
