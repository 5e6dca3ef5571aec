"""A small world: a shop, the processes of three services, their servers, and a life.

Everything that happens is drawn from one seed: how many there are of what, who runs when, how long
calls take, and which faults come. So a seed replays exactly.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import asyncpg
from hairspring.database.pool import DatabaseUnavailable
from hairspring.services.rule_evaluator.term import Term
from hairspring.store.memory_definitions import MemoryDefinitions
from hairspring.timers.memory import MemoryDelayQueue
from hairspring.timers.port import QueueUnavailable

from tests.simulation.adapters import Store
from tests.simulation.changes import draw
from tests.simulation.channel import Channel, Peer
from tests.simulation.delivered import Delivered
from tests.simulation.delivery import WatchedRuns
from tests.simulation.loop import Process, VirtualLoop
from tests.simulation.mail import MailServer
from tests.simulation.owning import Notices
from tests.simulation.processes import DELIVERY, EVALUATOR, INGEST, STARTS, Member
from tests.simulation.rules import IN_FORCE, SETS, WORKSPACE, rules
from tests.simulation.settled import Settled
from tests.simulation.shop import Shop
from tests.simulation.storm import Storm
from tests.simulation.watched import Broken, WatchedLog, WatchedRows, WatchedShards, WatchedTold
from tests.simulation.wire import Server, Weather, Wire

#: How far ahead alarms and waits are in the delay queue; some are further off than the first.
AHEAD_MS = (3_000, 20_000, 6 * 3_600_000)
#: The most virtual seconds that a world lasts.
LONGEST_SECONDS = 300.0
#: How long the first plan is waited for amid faults; then it is adopted in a calm.
ADOPTION_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a world is, as its seed has it."""

    shards: int
    evaluators: int
    ingests: int
    deliveries: int
    profiles: int
    events: int
    seconds: float
    rules: int
    changes: int
    lateness: int
    late: float
    apart: int
    ahead: int
    devices: bool


class World:
    """One seed's world. `twist` may spoil it, to see that it notices."""

    def __init__(self, seed: int, twist: Callable[[World], None] | None = None) -> None:
        self.seed = seed
        self.chance = chance = random.Random(seed)
        self.size = Size(
            shards=chance.randint(4, 8),
            evaluators=chance.randint(2, 3),
            ingests=chance.randint(1, 2),
            deliveries=chance.choice((0, 1, 2, 2)),
            profiles=chance.randint(1, 5),
            events=chance.randint(20, 60),
            seconds=chance.choice((4, 8, 16)),
            rules=chance.randrange(len(SETS)),
            changes=chance.choice((0, 0, 0, 1, 2)),
            lateness=chance.choice((0, 0, 200, 1_500)),
            late=chance.choice((0, 0.1, 0.3)),
            apart=chance.choice((1, 5, 50_000)),
            ahead=AHEAD_MS[seed % len(AHEAD_MS)],
            devices=seed % 2 == 0,
        )
        if self.size.changes:  # What is told where both meet is not worked out by `expected` yet.
            self.size = replace(self.size, devices=False)
        self.loop = loop = VirtualLoop(random.Random(chance.random()))
        self.weather = Weather()
        self.postgres = Server(name="postgres", failure=self._postgres_failure)
        self.redis = Server(name="redis", failure=lambda: QueueUnavailable("redis is away"))
        self.postgres_skew = self.redis_skew = 0
        self.wire = Wire(loop, chance, self.weather, loop.main.context)
        self.delivery_wire = Wire(loop, chance, self.weather, loop.main.context)
        self._make_servers()
        self.rules = rules(self.size.rules)
        self.changes = draw(chance, self.size.changes, self.size.rules, self.size.seconds)
        self.members: list[Member] = []
        self.faults = 0
        self.problems: list[str] = []
        self._names = 0
        self.make_store = Store
        self.make_term = Term
        if twist is not None:
            twist(self)

    def _make_servers(self) -> None:
        """Make what Postgres, Redis and the mail server hold."""
        shards = self.size.shards
        self.log = WatchedLog(self.postgres_clock, self.report)
        self.told = WatchedTold(self.postgres_clock, self.report)
        self.shards = WatchedShards(shards, self.postgres_clock, self.report)
        self.rows = WatchedRows(self.shards, self.told)
        self.sets = MemoryDelayQueue(lambda: self.loop.now_ms() + self.redis_skew)
        self.notices = Notices(self.wire)
        self.definitions = MemoryDefinitions(
            lambda: self.shards.rows, lambda: self.notices.notify("plans")
        )
        self.delivery_shards = WatchedShards(shards, self.postgres_clock, self.report)
        self.runs = WatchedRuns(self.report)
        self.waits = MemoryDelayQueue(lambda: self.loop.now_ms() + self.redis_skew)
        self.mail = MailServer(self.delivery_wire, self.report)

    def report(self, problem: str) -> None:
        """Take down what must not be."""
        self.loop.note(f"broken: {problem}")
        self.problems.append(problem)

    def postgres_clock(self) -> int:
        """The clock of Postgres in ms, UTC: that of the logs and leases."""
        return self.loop.now_ms() + self.postgres_skew

    def of(self, kind: str) -> list[Member]:
        """The processes of a kind that have not been told to end."""
        return [one for one in self.members if one.kind == kind and not one.stop.is_set()]

    def serving(self, kind: str) -> list[Peer]:
        """The processes of a kind that answer the phone, up to their end."""
        return [one.peer for one in self.members if one.kind == kind and one.peer.servicer]

    def name(self, kind: str) -> str:
        """Make a name for a process."""
        self._names += 1
        return f"{kind}-{self._names}"

    def start(self, kind: str) -> None:
        """Begin a process of a kind."""
        STARTS[kind](self)

    def kill(self, process: Process) -> None:
        """End a process without a word; its connections break."""
        self.loop.note(f"kill {process.name}")
        self.loop.kill(process)
        for member in self.members:
            if member.process is process:
                member.peer.break_connections()
                for channel in member.channels:
                    channel.hang_up()
        self.members = [member for member in self.members if member.process is not process]

    async def live(self) -> None:
        """Let the shop be open in all weathers, then wait for what must come of it."""
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await self._live()
        except TimeoutError:
            self.report(f"it did not come to an end within {LONGEST_SECONDS} s")
        if self.problems:
            raise Broken("\n".join(self.problems))

    async def _live(self) -> None:
        await self.definitions.apply(
            WORKSPACE, self.rules.stored, after=0, now=self.postgres_clock()
        )
        for kind, number in self._least(self.size).items():
            for _ in range(number):
                self.start(kind)
        storm = Storm(self)
        raging = asyncio.create_task(storm.rage(), name="storm")
        if not await self._adopted(ADOPTION_SECONDS):
            raging.cancel()
            self.calm()
            await self._adopted(LONGEST_SECONDS)
            raging = asyncio.create_task(storm.rage(), name="storm")
        shop = Shop(
            random.Random(self.chance.random()),
            Channel(self.wire, lambda: self.serving(INGEST)),
            self.postgres_clock,
            self.size.profiles,
            self.size.late,
            random.Random(f"devices of {self.seed}") if self.size.devices else None,
        )
        opening = asyncio.create_task(shop.open(self.size.events, self.size.seconds), name="shop")
        changing = asyncio.create_task(self._change(), name="changes")
        await asyncio.sleep(self.size.seconds * self.chance.uniform(0.6, 1.6))
        raging.cancel()
        self.calm()
        await opening
        await changing
        settled = Settled(self)
        await settled.come_to_an_end()
        settled.check_acknowledged(shop)
        if self.size.deliveries:
            await Delivered(self).come_to_an_end()

    async def _change(self) -> None:
        """Apply the changes of definitions, each some time after the one before."""
        for change in self.changes:
            await asyncio.sleep(change.seconds)
            latest = await self.definitions.latest()
            stand = {
                one.name: one.body for one in await self.definitions.in_force(WORKSPACE, latest)
            }
            changed = [one for one in change.stored if stand.get(one.name) != one.body]
            if not changed:
                continue
            self.loop.note(f"apply {change.names} as {latest + 1}")
            await self.definitions.apply(
                WORKSPACE,
                changed,
                after=latest,
                now=self.postgres_clock(),
                with_flows=change.with_flows,
            )

    async def _adopted(self, seconds: float) -> bool:
        """Wait until the shards judge by the definitions; False if that takes too long."""
        end = self.loop.time() + seconds
        while await self.definitions.waiting_shards(IN_FORCE):
            if self.loop.time() > end:
                return False
            await asyncio.sleep(0.1)
        return True

    def calm(self) -> None:
        """End all faults; whoever was paused goes on, and there is one of each at least."""
        self.loop.note("calm")
        self.weather.clear()
        self.postgres.away = self.redis.away = False
        for process in self.loop.processes:
            self.loop.go_on(process)
        for kind, number in self._least(self.size).items():
            if number and not self.of(kind):
                self.start(kind)

    @staticmethod
    def _least(size: Size) -> dict[str, int]:
        return {INGEST: size.ingests, EVALUATOR: size.evaluators, DELIVERY: size.deliveries}

    def _postgres_failure(self) -> Exception:
        kinds = (
            lambda: ConnectionResetError("the connection broke"),
            lambda: asyncpg.ConnectionDoesNotExistError("the connection was closed"),
            lambda: DatabaseUnavailable("Postgres is away"),
        )
        return self.chance.choice(kinds)()
