"""The course of a run: the shop trades, faults strike, calm returns, and the books are read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass

from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.flow.v1 import run_pb2
from hairspring.contracts.message.v1 import message_pb2
from hairspring.contracts.transition.v1 import transition_pb2

from tests.chaos import mail_books, shop
from tests.chaos.faults.fault import Fault
from tests.chaos.load import Load
from tests.chaos.scene import Scene
from tests.chaos.schedule import Planned
from tests.chaos.subscriber import Subscriber
from tests.support.cluster import now
from tests.support.waiting import eventually

STRIKE_SECONDS = 120.0
SETTLE_SECONDS = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What there was in the end. Times are ms, UTC."""

    log: Sequence[event_pb2.EventRecord]
    records: Sequence[transition_pb2.Record]
    judged: int  #: So many of the records are those from which delivery is to have ended all runs.
    runs: Sequence[run_pb2.Run]
    messages: Sequence[message_pb2.Message]
    mails: dict[str, list[int]]  #: When mails arrived, by the id of their message.
    began: int
    ended: int  #: The last event was sent.
    until: int  #: Everything up to here has been judged.


class Course:
    """One run of a scene."""

    def __init__(self, scene: Scene, load: Load, profiles: list[str]) -> None:
        self.scene = scene
        self.load = load
        self.subscriber = Subscriber(scene.cluster.transitions)
        self._profiles = profiles
        self.began = self.ended = 0

    async def run(self, disturb: Callable[[Course], Awaitable[None]], calm_ms: int) -> Outcome:
        """Have the shop trade while it is disturbed, then have calm for so long; read the books."""
        assert await self.scene.cluster.apply(shop.DEFINITIONS) == []
        following = asyncio.create_task(self.subscriber.run(), name="subscriber")
        trading = asyncio.create_task(self._trade(), name="load")
        self.began = now()
        try:
            await disturb(self)
            self.load.stop()
            await trading
            self.ended = now()
            self.scene.replicas.heal()
            return await self._calm(calm_ms)
        finally:
            for task in (trading, following):
                task.cancel()
            await asyncio.gather(trading, following, return_exceptions=True)

    async def _trade(self) -> None:
        for start in range(0, len(self._profiles), 500):
            await self.load.send(shop.addresses(self._profiles[start : start + 500]))
        await self.load.run()

    async def strike(self, fault: Fault) -> None:
        """Have a fault strike, within a bounded time."""
        with self.scene.told(str(fault), fault.kind):
            async with asyncio.timeout(STRIKE_SECONDS):
                await fault.strike(self.scene)

    async def alone(self, planned: Sequence[Planned]) -> None:
        """Have faults strike one after the other."""
        for one in planned:
            await asyncio.sleep(one.rest_seconds)
            await self.strike(one.fault)

    async def together(self, rows: Sequence[Sequence[Planned]], seconds: float) -> None:
        """Have rows of faults strike side by side; none begins after so many seconds."""
        until = time.monotonic() + seconds

        async def follow(row: Sequence[Planned]) -> None:
            for one in row:
                await asyncio.sleep(one.rest_seconds)
                if time.monotonic() > until:
                    return
                await self.strike(one.fault)

        async with asyncio.TaskGroup() as tasks:
            for row in rows:
                tasks.create_task(follow(row), name="row-of-faults")

    async def _calm(self, calm_ms: int) -> Outcome:
        """Wait until every deadline has passed and was judged, and read what there is."""
        cluster = self.scene.cluster
        until = self.ended + calm_ms
        await eventually(lambda: now() > until + 100, timeout=calm_ms / 1000 + 10)
        await cluster.settled(self._profiles)
        log, judged = await cluster.event_log(), await cluster.records()
        await self._all_ended(mail_books.entries_of(judged, log).keys())
        runs, mails = await mail_books.runs_of(cluster.flows), self._mails()
        # After the mails: a run of a later entry may send one at any time.
        messages = await mail_books.messages_of(cluster.messages)
        records = await cluster.records()  # and what has come about since
        await eventually(lambda: self.subscriber.read_through >= records[-1].position, timeout=60)
        return Outcome(
            log=log,
            records=records,
            judged=len(judged),
            runs=runs,
            messages=messages,
            mails=mails,
            began=self.began,
            ended=self.ended,
            until=until,
        )

    async def _all_ended(self, runs: Set[str]) -> None:
        """Wait until delivery has come to an end with these runs, or has had enough time."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            found = await mail_books.runs_of(self.scene.cluster.flows)
            ended = {run.run_id for run in found if run.status == run_pb2.RUN_STATUS_ENDED}
            if runs <= ended:
                return
            await asyncio.sleep(0.2)

    def _mails(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        mails = self.scene.sink.messages
        assert len(mails) == self.scene.sink.accepted, "more mails than the sink keeps"
        for mail in mails:
            name = str(mail.message["Message-ID"]).strip("<> ").partition("@")[0]
            found.setdefault(name, []).append(mail.received_at)
        return found
