"""What befalls a world: kills, pauses, losses, clocks that jump, and weather on every wire."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.simulation.loop import Process
from tests.simulation.processes import DELIVERY, EVALUATOR, INGEST, Member
from tests.simulation.rules import WORKSPACE
from tests.simulation.wire import Server

if TYPE_CHECKING:
    from tests.simulation.world import World

#: How many processes of a kind there are at most because more have come.
MOST = 4
#: Kinds of weather, with the likelihoods that a seed may have of each.
WEATHERS = {
    "lost": (0.01, 0.05, 0.2),
    "unanswered": (0.01, 0.05, 0.2),
    "slow": (0.01, 0.05, 0.2),
    "broken": (0.01, 0.05, 0.2),
    "unnoticed": (0.01, 0.05, 0.2),
    "mail_away": (0.1, 0.4),
    "mail_later": (0.1, 0.4),
    "mail_refused": (0.1, 0.3),
    "mail_broken": (0.1, 0.3),
    "mail_slow": (0.1, 0.4),
}


class Storm:
    """What befalls a world until it is calm; each seed has some kinds of fault, more or less."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.chance = chance = random.Random(world.chance.random())
        kinds: list[Callable[[], None]] = [
            lambda: self.kill(EVALUATOR),
            lambda: self.pause(EVALUATOR),
            lambda: self.stop(EVALUATOR),
            lambda: self.kill(INGEST),
            lambda: self.pause(INGEST),
            lambda: self.kill(DELIVERY),
            lambda: self.pause(DELIVERY),
            lambda: self.stop(DELIVERY),
            self.forget,
            self.lose_redis,
            self.lose_postgres,
            self.move_clock,
            self.ring_astray,
            self.break_connections,
            self.set_apart,
            self.join,
            self.leave,
        ]
        self.kinds = [kind for kind in kinds if chance.random() < 0.3]
        self.pause_seconds = chance.choice((0.2, 0.5, 1.5))
        self.weather: dict[str, float] = {}
        for name, likelihoods in WEATHERS.items():
            if chance.random() < 0.4:
                self.weather[name] = chance.choice(likelihoods)
        if chance.random() < 0.3:
            self.weather["struck"] = chance.choice((0.003, 0.01))
        world.wire.strike = world.delivery_wire.strike = self.strike

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
        member = next((one for one in self.world.members if one.process is process), None)
        if member is None:
            return
        self.world.faults += 1
        if self.chance.random() < 0.5:
            self._pause(process)
        else:
            self._kill(member)

    def kill(self, kind: str) -> None:
        """One dies, and another begins a little later."""
        if (victim := self._victim(kind)) is not None:
            self._kill(victim)

    def pause(self, kind: str) -> None:
        """One runs nothing for a while, often for longer than its lease."""
        if (victim := self._victim(kind)) is not None:
            self._pause(victim.process)

    def stop(self, kind: str) -> None:
        """One is asked to end, hands over, and another begins."""
        world = self.world
        if (victim := self._victim(kind)) is not None:
            self._stop(victim)
            self._later(self.chance.random(), lambda: world.start(kind))

    def join(self) -> None:
        """One more begins."""
        kind = self.chance.choice((INGEST, EVALUATOR, DELIVERY))
        if self.world.of(kind) and len(self.world.of(kind)) < MOST:
            self.world.start(kind)

    def leave(self) -> None:
        """One ends and hands over, and nobody takes its place."""
        kind = self.chance.choice((EVALUATOR, DELIVERY))
        if len(self.world.of(kind)) > 1 and (victim := self._victim(kind)) is not None:
            self._stop(victim)

    def forget(self) -> None:
        """A delay queue loses everything, or both do."""
        self.world.loop.note("forget")
        for queue in self.chance.choice(((0,), (1,), (0, 1))):
            (self.world.sets, self.world.waits)[queue].forget()

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
        for member in world.members:
            if member.kind != INGEST:
                clocks.append(lambda skew=member.skew: skew.__setitem__(0, 2 * by))  # type: ignore[misc]
        self.chance.choice(clocks)()

    def ring_astray(self) -> None:
        """An alarm rings that nobody set, or one that was set is gone, as is a wait."""
        world = self.world
        shard = self.chance.randrange(world.size.shards)
        if self.chance.random() < 0.5:
            for queue in (world.sets, world.waits):
                if shard in queue._shards:
                    queue._shards[shard].due.clear()
        elif (found := world.sets._shards.get(shard)) is not None:
            profile = f"{WORKSPACE}/p{self.chance.randrange(world.size.profiles)}"
            found.set(profile, world.loop.now_ms() - self.chance.randrange(2_000), earliest=True)

    def break_connections(self) -> None:
        """All connections to one ingest or evaluator break."""
        peers = self.world.serving(INGEST) + self.world.serving(EVALUATOR)
        if peers:
            self.chance.choice(peers).break_connections()

    def set_apart(self) -> None:
        """A shard gets a lane of its own."""
        terms = [t for one in self.world.members for lanes in one.lanes for t in lanes.terms]
        terms = [term for term in terms if term.may_divide and not term.over]
        if terms:
            term = self.chance.choice(terms)
            term.set_apart(self.chance.choice(sorted(term.owned)))

    def _victim(self, kind: str) -> Member | None:
        """Choose a process of a kind: one that owns something, most of the time."""
        world = self.world
        members = world.of(kind)
        if not members:
            return None
        rows = {id(owner) for owner in world.shards.owners.values()}
        rows |= {id(owner) for owner in world.delivery_shards.owners.values()}
        owners = [one for one in members if one.ownership and id(one.ownership.row) in rows]
        if owners and self.chance.random() < 0.8:
            return owners[0]
        return self.chance.choice(members)

    def _kill(self, member: Member) -> None:
        self.world.kill(member.process)
        self._later(self.chance.random(), lambda: self.world.start(member.kind))

    def _stop(self, member: Member) -> None:
        """Have one end well, which it may not get to."""
        self.world.loop.note(f"stop {member.process.name}")
        member.stop.set()
        self._later(3 * self.chance.random(), lambda: self.world.kill(member.process))

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
