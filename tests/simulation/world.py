"""A small world: a shop, ingest and evaluator processes, their servers, and what befalls them.

Everything that happens is drawn from one seed: how many there are of what, who runs when, how long
calls take, and which faults come. So a seed replays exactly.
"""

from __future__ import annotations

import asyncio
import gc
import random
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog
from hairspring.contracts.event.v1 import event_pb2
from hairspring.database.pool import DatabaseUnavailable
from hairspring.engine.simulate import simulate_accepted
from hairspring.ownership.memory import MemoryOwnership
from hairspring.runtime.tasks import Supervisor
from hairspring.services.ingest.event_handlers import EventHandlers
from hairspring.services.ingest.group_commit import GroupCommit, Limits
from hairspring.services.ingest.log_handlers import EventLogHandlers, to_event_record
from hairspring.services.ingest.recording import Recording
from hairspring.services.rule_evaluator.adapters.event_log import EventLog
from hairspring.services.rule_evaluator.alarms import Alarms
from hairspring.services.rule_evaluator.evaluation import Evaluation
from hairspring.services.rule_evaluator.lanes import Lanes
from hairspring.services.rule_evaluator.term import Term
from hairspring.store.memory import MemoryStore
from hairspring.store.memory_definitions import MemoryDefinitions
from hairspring.timers.memory import MemoryDelayQueue
from hairspring.timers.port import QueueUnavailable
from hairspring.wire.inputs import to_engine
from hairspring.wire.transitions import to_contract

from tests.simulation.adapters import Appending, Definitions, Notices, Owning, Queue, Store
from tests.simulation.channel import Channel, Peer
from tests.simulation.loop import Process, VirtualLoop
from tests.simulation.rules import LONGEST_WAIT_MS, SETS, SharedBook, rules
from tests.simulation.shop import Shop
from tests.simulation.watched import Broken, WatchedLog, WatchedShards, WatchedTold, differences
from tests.simulation.wire import Server, Weather, Wire

WORKSPACE = "default"
LEASE_MS = 2_000
HORIZON_MS = 90 * 86_400_000
#: How far ahead alarms are in the delay queue; some are further off than the first of these.
AHEAD_MS = (3_000, 20_000, 6 * 3_600_000)
#: In the calm, everything is told within this of its moment, in ms: a lease that must run out,
#: a replica that begins, and an alarm that was lost, found by two sweeps of a clock that is off.
LATEST_MS = 25_000
#: The most virtual seconds that a world lasts.
LONGEST_SECONDS = 200.0
#: The plan version that puts in force what the first one brought.
IN_FORCE = 2
#: How long the first plan is waited for amid faults; then it is adopted in a calm.
ADOPTION_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a world is, as its seed has it."""

    shards: int
    evaluators: int
    ingests: int
    profiles: int
    events: int
    seconds: float
    rules: int
    lateness: int
    late: float
    apart: int
    ahead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a seed: `trace` is the same for two runs that were the same."""

    seed: int
    trace: int
    steps: int
    events: int
    records: int
    faults: int
    seconds: float


@dataclass(slots=True, kw_only=True)
class Replica:
    """A process with an evaluator, and the clock that it goes by."""

    process: Process
    channel: Channel
    ownership: Owning
    main: asyncio.Task[Any]
    skew: list[int]
    lanes: list[Lanes]


class World:
    """One seed's world. `twist` may spoil it, to see that it notices."""

    def __init__(self, seed: int, twist: Callable[[World], None] | None = None) -> None:
        self.seed = seed
        self.chance = chance = random.Random(seed)
        self.size = Size(
            shards=chance.randint(4, 8),
            evaluators=chance.randint(2, 3),
            ingests=chance.randint(1, 2),
            profiles=chance.randint(1, 5),
            events=chance.randint(20, 60),
            seconds=chance.choice((4, 8, 16)),
            rules=chance.randrange(len(SETS)),
            lateness=chance.choice((0, 0, 200, 1_500)),
            late=chance.choice((0, 0.1, 0.3)),
            apart=chance.choice((1, 5, 50_000)),
            ahead=AHEAD_MS[seed % len(AHEAD_MS)],
        )
        self.loop = VirtualLoop(random.Random(chance.random()))
        self.weather = Weather()
        self.postgres = Server(name="postgres", failure=self._postgres_failure)
        self.redis = Server(name="redis", failure=lambda: QueueUnavailable("redis is away"))
        self.postgres_skew = self.redis_skew = 0
        self.wire = Wire(self.loop, chance, self.weather, self.loop.main.context)
        self.log = WatchedLog(self.postgres_clock, self.report)
        self.told = WatchedTold(self.postgres_clock, self.report)
        self.shards = WatchedShards(self.size.shards, self.postgres_clock, self.report)
        self.rows = MemoryStore(MemoryOwnership("nobody", self.shards), self.told)
        self.sets = MemoryDelayQueue(lambda: self.loop.now_ms() + self.redis_skew)
        self.notices = Notices(self.wire)
        self.definitions = MemoryDefinitions(
            lambda: self.shards.rows, lambda: self.notices.notify("plans")
        )
        self.rules = rules(self.size.rules)
        self.peers: list[Peer] = []
        self.replicas: list[Replica] = []
        self.faults = 0
        self.problems: list[str] = []
        self._names = 0
        self.make_store = Store
        self.make_term = Term
        if twist is not None:
            twist(self)

    def report(self, problem: str) -> None:
        """Take down what must not be."""
        self.loop.note(f"broken: {problem}")
        self.problems.append(problem)

    def postgres_clock(self) -> int:
        """The clock of Postgres in ms, UTC: that of the logs and leases."""
        return self.loop.now_ms() + self.postgres_skew

    def serving(self) -> list[Peer]:
        """The ingest processes that answer the phone."""
        return [peer for peer in self.peers if not peer.process.killed and peer.servicer]

    def start_ingest(self) -> None:
        """Begin an ingest process."""
        process = self.loop.process(self._name("ingest"))
        peer = Peer(process, None)
        appending = Appending(self.wire, self.postgres, lambda entries: self.log.append(entries))

        async def main() -> None:
            async with GroupCommit(appending.append, Limits(patience=1.0)) as group:
                imports: Any = None
                recording = Recording(
                    group.submit,
                    imports,
                    shards=self.size.shards,
                    new_id=lambda: uuid.UUID(int=self.chance.getrandbits(128)).hex,
                )
                peer.servicer = _Served(
                    EventHandlers(recording, imports),
                    EventLogHandlers(self.log, shards=self.size.shards, horizon=HORIZON_MS),
                )
                await asyncio.Event().wait()

        self.loop.spawn(process, main())
        self.peers.append(peer)

    def start_evaluator(self) -> None:
        """Begin an evaluator process."""
        name = self._name("evaluator")
        process = self.loop.process(name)
        skew = [self.chance.choice((0, 0, self.chance.randint(-3_000, 3_000)))]
        ownership = Owning(self.wire, self.postgres, self.shards, name, LEASE_MS)
        store = self.make_store(
            self.wire, self.postgres, self.rows.for_replica(ownership.row), ownership
        )
        queue = Queue(self.wire, self.redis, self.sets)
        channel = Channel(self.wire, self.serving)
        definitions = Definitions(self.wire, self.postgres, self.definitions)
        book = SharedBook(definitions, self.definitions)

        def clock() -> int:
            return self.loop.now_ms() + skew[0]

        lanes: list[Lanes] = []

        def make_lanes(owned: Any) -> Lanes:
            self.shards.check()
            lanes[:] = [Lanes(owned, make_term, apart=self.size.apart)]
            return lanes[0]

        def make_term(owned: Any) -> Term:
            return self.make_term(
                owned,
                store=store,
                events=EventLog(channel),
                alarms=Alarms(
                    queue,
                    store,
                    clock,
                    self.size.lateness,
                    ahead_ms=self.size.ahead,
                    steady=self.loop.time,
                ),
                book=book,
                clock=clock,
                lateness=self.size.lateness,
                horizon=HORIZON_MS,
            )

        notices: Any = self.notices
        evaluation = Evaluation(ownership, notices, book, definitions.channel, make_lanes)

        async def main() -> None:
            async with Supervisor() as loops:
                loops.start("lease-renewal", ownership.keep)
                loops.start("evaluation", evaluation.run)
                try:
                    await asyncio.Event().wait()
                finally:
                    await loops.stop()
                    with suppress(Exception):
                        await ownership.release()

        task = self.loop.spawn(process, main())
        self.replicas.append(
            Replica(
                process=process,
                channel=channel,
                ownership=ownership,
                main=task,
                skew=skew,
                lanes=lanes,
            )
        )

    def kill(self, process: Process) -> None:
        """End a process without a word; its connections break."""
        self.loop.note(f"kill {process.name}")
        self.loop.kill(process)
        for peer in self.peers:
            if peer.process is process:
                peer.break_connections()
        for replica in self.replicas:
            if replica.process is process:
                replica.channel.hang_up()
        self.peers = [peer for peer in self.peers if peer.process is not process]
        self.replicas = [replica for replica in self.replicas if replica.process is not process]

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
        for _ in range(self.size.ingests):
            self.start_ingest()
        for _ in range(self.size.evaluators):
            self.start_evaluator()
        storm = Storm(self)
        raging = asyncio.create_task(storm.rage(), name="storm")
        if not await self._adopted(ADOPTION_SECONDS):
            raging.cancel()
            self.calm()
            await self._adopted(LONGEST_SECONDS)
            raging = asyncio.create_task(storm.rage(), name="storm")
        shop = Shop(
            random.Random(self.chance.random()),
            Channel(self.wire, self.serving),
            self.postgres_clock,
            self.size.profiles,
            self.size.late,
        )
        opening = asyncio.create_task(shop.open(self.size.events, self.size.seconds), name="shop")
        await asyncio.sleep(self.size.seconds * self.chance.uniform(0.6, 1.6))
        raging.cancel()
        self.calm()
        await opening
        await self._settle()
        self._check_acknowledged(shop)

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
        while len(self.replicas) < 1:
            self.start_evaluator()
        while len(self.peers) < 1:
            self.start_ingest()

    async def _settle(self) -> None:
        """Wait until all that must have been told is told; raise Broken if it never is."""
        until = self.postgres_clock() + LONGEST_WAIT_MS
        wanted: dict[str, list[bytes]] | None = None
        while self.postgres_clock() < until + LATEST_MS:
            await asyncio.sleep(0.5)
            if self.postgres_clock() <= until + self.size.lateness:
                continue
            if wanted is None:
                wanted = self._expected(until)
            if await self.rows.due(range(self.size.shards), until, 1):
                continue
            if not differences(wanted, self._found(), "missing"):
                break
        found = self._found()
        for problem in differences(wanted or {}, found, "missing"):
            self.report(problem)
        for problem in differences(found, self._expected(self.postgres_clock()), "untrue"):
            self.report(problem)
        for key, at in await self.rows.due(range(self.size.shards), until, 100):
            self.report(f"an alarm did not ring: {key} at {at}")
        members = set()
        for name in SETS[self.size.rules]:
            page = await self.rows.members(WORKSPACE, name, "", 100)
            members |= {(member.profile, name) for member in page}
        if members != self.told.inside:
            self.report(f"members {sorted(members ^ self.told.inside)} differ from the log")
        self.shards.check()

    def _expected(self, until: int) -> dict[str, list[bytes]]:
        """What the engine's own simulation makes of the event log."""
        entries = [
            (record.profile, to_engine(to_event_record(record, HORIZON_MS)))
            for record in self.log._records
        ]
        told = defaultdict(list)
        lateness = self.size.lateness
        for one in simulate_accepted(
            entries, self.rules.plan, until=until, lateness=lateness, horizon=HORIZON_MS
        ):
            payload = to_contract(one.record, plan_version=IN_FORCE).SerializeToString()
            told[one.profile].append(payload)
        return told

    def _found(self) -> dict[str, list[bytes]]:
        """What the evaluators told."""
        told = defaultdict(list)
        for record in self.told._records:
            told[record.profile].append(record.payload)
        return told

    def _check_acknowledged(self, shop: Shop) -> None:
        """What was acknowledged is in the log, once, where it was said to be."""
        places: dict[str, int] = {}
        for record in self.log._records:
            id = event_pb2.EventRecord.FromString(record.payload).event.message_id
            if id in places:
                self.report(f"{id} stands at {places[id]} and at {record.position}")
            places[id] = record.position
        for id, position in shop.acknowledged.items():
            if id not in places or position not in (0, places[id]):
                self.report(f"{id} was acknowledged at {position}; it is at {places.get(id)}")
        if len(shop.acknowledged) != self.size.events:
            self.report(f"{len(shop.acknowledged)} of {self.size.events} were acknowledged")

    def _postgres_failure(self) -> Exception:
        kinds = (
            lambda: ConnectionResetError("the connection broke"),
            lambda: asyncpg.ConnectionDoesNotExistError("the connection was closed"),
            lambda: DatabaseUnavailable("Postgres is away"),
        )
        return self.chance.choice(kinds)()

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}-{self._names}"


class _Served:
    """The two services of ingest on one port."""

    def __init__(self, events: EventHandlers, log: EventLogHandlers) -> None:
        self._parts = (events, log)

    def __getattr__(self, name: str) -> Any:
        for part in self._parts:
            if name in type(part).__dict__:
                return getattr(part, name)
        raise AttributeError(name)


class Storm:
    """What befalls a world until it is calm; each seed has some kinds of fault, more or less."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.chance = chance = random.Random(world.chance.random())
        kinds = [
            self.kill_evaluator,
            self.pause_evaluator,
            self.stop_evaluator,
            self.kill_ingest,
            self.pause_ingest,
            self.forget,
            self.lose_redis,
            self.lose_postgres,
            self.move_clock,
            self.ring_astray,
            self.break_connections,
            self.set_apart,
        ]
        self.kinds = [kind for kind in kinds if chance.random() < 0.3]
        self.pause_seconds = chance.choice((0.2, 0.5, 1.5))
        self.weather: dict[str, float] = {}
        for name in ("lost", "unanswered", "slow", "broken", "unnoticed"):
            if chance.random() < 0.4:
                self.weather[name] = chance.choice((0.01, 0.05, 0.2))
        if chance.random() < 0.3:
            self.weather["struck"] = chance.choice((0.003, 0.01))
        world.wire.strike = self.strike

    async def rage(self) -> None:
        """Have faults come for ever."""
        for name, likelihood in self.weather.items():
            setattr(self.world.weather, name, likelihood)
        while self.kinds:
            await asyncio.sleep(self.chance.expovariate(1 / self.pause_seconds))
            self.world.faults += 1
            self.chance.choice(self.kinds)()

    def strike(self, process: Process) -> None:
        """Kill or pause a process amid what it does."""
        if process.killed or process is self.world.loop.main:
            return
        self.world.faults += 1
        if self.chance.random() < 0.5:
            self._pause(process)
        else:
            ingest = any(peer.process is process for peer in self.world.peers)
            again = self.world.start_ingest if ingest else self.world.start_evaluator
            self.world.kill(process)
            self._later(self.chance.random(), again)

    def kill_evaluator(self) -> None:
        """One dies, and another begins a little later."""
        if self.world.replicas:
            self.world.kill(self._victim().process)
            self._later(self.chance.random(), self.world.start_evaluator)

    def pause_evaluator(self) -> None:
        """One runs nothing for a while, often for longer than its lease."""
        if self.world.replicas:
            self._pause(self._victim().process)

    def stop_evaluator(self) -> None:
        """One is asked to end, hands over, and another begins."""
        world = self.world
        if world.replicas:
            replica = self._victim()
            world.loop.note(f"stop {replica.process.name}")
            replica.main.cancel()
            self._later(3 * self.chance.random(), lambda: world.kill(replica.process))
            self._later(self.chance.random(), world.start_evaluator)

    def kill_ingest(self) -> None:
        """One dies, and another begins a little later."""
        if self.world.peers:
            self.world.kill(self.chance.choice(self.world.peers).process)
            self._later(self.chance.random(), self.world.start_ingest)

    def pause_ingest(self) -> None:
        """One runs nothing for a while."""
        if self.world.peers:
            self._pause(self.chance.choice(self.world.peers).process)

    def forget(self) -> None:
        """The delay queue loses everything."""
        self.world.loop.note("forget")
        self.world.sets.forget()

    def lose_redis(self) -> None:
        """The delay queue is away for a while."""
        self._lose(self.world.redis)

    def lose_postgres(self) -> None:
        """Postgres is away for a while."""
        self._lose(self.world.postgres)

    def move_clock(self) -> None:
        """Some clock jumps."""
        world, by = self.world, self.chance.randint(-2_000, 2_000)
        clocks: list[Callable[[], None]] = [
            lambda: setattr(world, "postgres_skew", by),
            lambda: setattr(world, "redis_skew", by),
        ]
        for replica in world.replicas:
            clocks.append(lambda skew=replica.skew: skew.__setitem__(0, 2 * by))  # type: ignore[misc]
        self.chance.choice(clocks)()

    def ring_astray(self) -> None:
        """An alarm rings that nobody set, or one that was set is gone."""
        world = self.world
        shard = self.chance.randrange(world.size.shards)
        found = world.sets._shards.get(shard)
        if found is None:
            return
        if self.chance.random() < 0.5:
            found.due.clear()
        else:
            profile = f"{WORKSPACE}/p{self.chance.randrange(world.size.profiles)}"
            found.set(profile, world.loop.now_ms() - self.chance.randrange(2_000), earliest=True)

    def break_connections(self) -> None:
        """All connections to one ingest break."""
        if self.world.peers:
            self.chance.choice(self.world.peers).break_connections()

    def set_apart(self) -> None:
        """A shard gets a lane of its own."""
        terms = [t for one in self.world.replicas for lanes in one.lanes for t in lanes.terms]
        terms = [term for term in terms if term.may_divide and not term.over]
        if terms:
            term = self.chance.choice(terms)
            term.set_apart(self.chance.choice(sorted(term.owned)))

    def _victim(self) -> Replica:
        """Choose a replica: one that owns something, most of the time."""
        world = self.world
        rows = {id(owner) for owner in world.shards.owners.values()}
        owners = [replica for replica in world.replicas if id(replica.ownership.row) in rows]
        if owners and self.chance.random() < 0.8:
            return owners[0]
        return self.chance.choice(world.replicas)

    def _pause(self, process: Process) -> None:
        loop, least = self.world.loop, self.chance.choice((0.0, 2.0, 3.5))
        loop.note(f"pause {process.name}")
        if not process.running:
            return
        loop.pause(process)
        self._later(least + self.chance.random(), lambda: loop.go_on(process))

    def _lose(self, server: Server) -> None:
        self.world.loop.note(f"{server.name} away")
        server.away = True
        self._later(2 * self.chance.random(), lambda: setattr(server, "away", False))

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        self.world.loop.call_later(seconds, what)


def run(
    seed: int,
    twist: Callable[[World], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Outcome:
    """Run one seed. Raises Broken, or whatever else went wrong, with the seed in its notes.

    `tell` is given all that happens, line by line.
    """
    world = World(seed, twist)
    world.loop.tell = tell
    with _logging(world.loop):
        try:
            world.loop.run_until_complete(world.loop.create_task(world.live()))
            outcome = Outcome(
                seed=seed,
                trace=world.loop.trace,
                steps=world.loop.steps,
                events=world.size.events,
                records=len(world.told._records),
                faults=world.faults,
                seconds=world.loop.time(),
            )
        except BaseException as error:
            error.add_note(f"{world.size}\nrerun it: make simulate FROM={seed} SEEDS=1")
            raise
        finally:
            world.weather.clear()
            world.loop.unwind()
            world.loop.close()
    return outcome


@contextmanager
def _logging(loop: VirtualLoop) -> Iterator[None]:
    """Lines of the log go to `loop.tell`; and no garbage is collected at moments of its own."""

    def told(logger: Any, level: str, line: Any) -> Any:
        what = " ".join(str(value) for value in line.values())
        assert loop.tell is not None, "quiet worlds drop lines before"
        loop.tell(f"{loop.where()} {level}: {what}")
        raise structlog.DropEvent

    before = structlog.get_config()
    least = 50 if loop.tell is None else 10
    structlog.configure(
        processors=[structlog.processors.format_exc_info, told],
        wrapper_class=structlog.make_filtering_bound_logger(least),
    )
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        structlog.configure(**before)
        if collecting:
            gc.enable()
