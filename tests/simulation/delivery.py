"""Delivery's tables and its evaluator as a process sees them over a wire, and what is watched."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hairspring.ownership.port import Fenced
from hairspring.services.delivery.adapters.evaluator import Evaluator
from hairspring.services.delivery.adapters.memory import MemoryDeliveryStore, MemoryTransaction
from hairspring.services.delivery.departing import Departed, Departure, Noted
from hairspring.services.delivery.following import Key
from hairspring.services.delivery.messages import Message, MessageStatus
from hairspring.services.delivery.questions import Answer, Question
from hairspring.services.delivery.runs import Run
from hairspring.services.delivery.store import Connection, DeliveryStore, Place
from hairspring.services.delivery.waits import Wake

from tests.simulation.channel import Channel
from tests.simulation.owning import Owning
from tests.simulation.watched import Report
from tests.simulation.wire import Server, Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Which commit brought a run, and which was the last when the starts before it were read."""

    commit: int
    knew: int


class WatchedRuns(MemoryDeliveryStore):
    """The tables that all share: what is over stays as it is, and no run goes back.

    Commits are counted, so that it can be told what had been there when something was decided.
    """

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report
        self.commits = 0
        self.decided: dict[str, Decided] = {}
        """By run id."""
        self.linked: dict[tuple[str, str], int] = {}
        """The commit that noted whose former id one is, by the profile and that id."""

    def commit(self, transaction: MemoryTransaction, knew: Mapping[Place, int]) -> None:
        """Commit, and look at what has changed; `knew` has the commits known by profile."""
        runs = [(self.runs.get(key), run) for key, run in transaction.runs.items()]
        messages = [
            (self.messages.get(key, {}).get(step), message)
            for key, steps in transaction.messages.items()
            for step, message in steps.items()
        ]
        transaction.commit()
        self.commits += 1
        for place, former in transaction.formers:
            self.linked.setdefault((place[2], former[2]), self.commits)
        for before, after in runs:
            if before is not None:
                self._compare(before, after)
            else:
                place = (after.shard, after.workspace, after.profile)
                self.decided[after.run_id] = Decided(commit=self.commits, knew=knew[place])
        for was, now in messages:
            if was is not None and was.status > MessageStatus.SENDING and was != now:
                self._report(f"{was.message_id} was {was.status.name}, and is {now.status.name}")

    def _compare(self, before: Run, after: Run) -> None:
        if not before.active and before.status is not after.status:
            self._report(f"run {after.run_id} was over, and is {after.status.name}")
        if before.active and (after.step < before.step or after.started_at != before.started_at):
            self._report(f"run {after.run_id} went back to step {after.step}")


class Rows(DeliveryStore):
    """A replica's view of runs and messages.

    What is written in a transaction goes over the wire with its commit, as the rows are locked from
    the fence on: whoever takes the shards meanwhile ends the session, and the commit fails.
    """

    def __init__(self, wire: Wire, postgres: Server, rows: WatchedRuns, ownership: Owning) -> None:
        self._wire = wire
        self._postgres = postgres
        self._rows = rows
        self._name = f"commit {ownership.replica_id}"
        self._knew: dict[Place, int] = {}

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Connection]:
        """Open a transaction."""
        transaction, knew = MemoryTransaction(self._rows), dict(self._knew)
        yield transaction

        async def commit() -> None:
            try:
                self._rows.commit(transaction, knew)
            except Fenced:
                raise self._postgres.failure() from None

        await self._wire.call(self._postgres, self._name, commit, in_doubt=True)

    async def active_of(self, places: Sequence[Place]) -> list[Run]:
        """Read runs that go on."""
        return await self._wire.call(
            self._postgres, "active_of", lambda: self._rows.active_of(places)
        )

    async def last_starts(self, places: Sequence[Place]) -> dict[tuple[Key, str], int]:
        """Read the latest starts, and remember after which commit that was."""

        async def read() -> tuple[dict[tuple[Key, str], int], int]:
            return await self._rows.last_starts(places), self._rows.commits

        starts, commits = await self._wire.call(self._postgres, "last_starts", read)
        self._knew.update(dict.fromkeys(places, commits))
        return starts

    async def lineage(self, place: Place) -> list[Place]:
        """Read former ids."""
        return await self._rows.lineage(place)

    async def runs_of(self, wakes: Sequence[Wake]) -> list[Run]:
        """Read runs."""
        return await self._wire.call(self._postgres, "runs_of", lambda: self._rows.runs_of(wakes))

    async def messages_of(self, wakes: Sequence[Wake]) -> list[Message]:
        """Read messages."""
        return await self._wire.call(
            self._postgres, "messages_of", lambda: self._rows.messages_of(wakes)
        )

    async def sending_in(self, shards: Sequence[int]) -> list[Message]:
        """Read what was being handed over."""
        return await self._wire.call(
            self._postgres, "sending_in", lambda: self._rows.sending_in(shards)
        )

    async def waking(
        self, shard: int, after: tuple[int, str], before: int, limit: int
    ) -> list[tuple[Wake, int]]:
        """Read what is to be looked at."""
        return await self._wire.call(
            self._postgres, "waking", lambda: self._rows.waking(shard, after, before, limit)
        )

    async def overdue(self, shards: Sequence[int], before: int, limit: int) -> list[Wake]:
        """Read what is overdue."""
        return await self._wire.call(
            self._postgres, "overdue", lambda: self._rows.overdue(shards, before, limit)
        )

    async def depart(self, connection: Connection, departure: Departure) -> Departed:
        """Delete what there is of a profile."""
        return await self._wire.call(
            self._postgres, "depart", lambda: self._rows.depart(connection, departure)
        )

    async def departed(self, workspace: str, deletion_ids: Sequence[str]) -> list[Noted]:
        """Read deletions."""
        return await self._rows.departed(workspace, deletion_ids)

    async def save_runs(self, connection: Connection, runs: Sequence[Run]) -> None:
        """Write runs."""
        await self._rows.save_runs(connection, runs)

    async def save_formers(
        self, connection: Connection, formers: Sequence[tuple[Place, Place]]
    ) -> None:
        """Write which profiles became part of which."""
        await self._rows.save_formers(connection, formers)

    async def save_messages(self, connection: Connection, messages: Sequence[Message]) -> None:
        """Write messages."""
        await self._rows.save_messages(connection, messages)

    async def skip_pending(self, connection: Connection, runs: Sequence[Run]) -> list[Message]:
        """Skip messages."""
        return await self._wire.call(
            self._postgres, "skip", lambda: self._rows.skip_pending(connection, runs)
        )


class Asking(Evaluator):
    """Asks the evaluators, and remembers how far the event log had come when it asked last."""

    def __init__(self, channel: Channel, head: Callable[[], Awaitable[int]]) -> None:
        super().__init__(channel)  # type: ignore[arg-type]
        self._head = head
        self.asked_at: dict[Question, int] = {}

    async def check(self, questions: Sequence[Question]) -> dict[Question, Answer]:
        """Ask who is where."""
        head = await self._head()
        answers = await super().check(questions)
        self.asked_at.update(dict.fromkeys(questions, head))
        return answers
