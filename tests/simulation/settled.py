"""What must hold of the evaluators at the end: all was told that had to be, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hairspring.contracts.event.v1 import event_pb2
from hairspring.ownership.memory import MemoryShards
from hairspring.services.rule_evaluator.plans import PlanBook, Plans

from tests.simulation.expected import expected, found
from tests.simulation.processes import DELIVERY, EVALUATOR, Member
from tests.simulation.rules import LONGEST_WAIT_MS, SETS, WORKSPACE, SharedBook
from tests.simulation.shop import Shop
from tests.simulation.watched import differences

if TYPE_CHECKING:
    from tests.simulation.world import World

#: In the calm, everything is told within this of its moment, in ms: a lease that must run out,
#: a replica that begins, and an alarm that was lost, found by two sweeps of a clock that is off.
LATEST_MS = 25_000

#: In the calm, what was applied is filled and in force within this, in seconds.
IN_FORCE_SECONDS = 60.0
#: In the calm, the shares are even within this, in seconds: a lease that must run out, terms that
#: end, and replicas that stand by.
EVEN_SECONDS = 20.0


class Settled:
    """Waits for the evaluators of a world, and compares what they told with the engine."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def come_to_an_end(self) -> None:
        """Wait until all that must have been told is told; report what never is."""
        world = self.world
        plans = await self._read_plans()
        until = world.postgres_clock() + LONGEST_WAIT_MS
        wanted: dict[str, list[bytes]] | None = None
        while world.postgres_clock() < until + LATEST_MS:
            await asyncio.sleep(0.5)
            if world.postgres_clock() <= until + world.size.lateness:
                continue
            if wanted is None:
                wanted = expected(world, until, plans)
            if await world.rows.due(range(world.size.shards), until, 1):
                continue
            if not differences(wanted, found(world), "missing"):
                break
        have = found(world)
        for problem in differences(wanted or {}, have, "missing"):
            world.report(problem)
        for problem in differences(have, expected(world, world.postgres_clock(), plans), "untrue"):
            world.report(problem)
        await self._check_rows(until)
        await self._check_shares()

    async def _check_rows(self, until: int) -> None:
        """No alarm that was due is left or is noted too late, and the members are the log's."""
        world = self.world
        for key, stored in (await world.rows.load(list(world.rows._profiles))).items():
            alarm = stored.state.alarm()
            if alarm is not None and (stored.due_at is None or stored.due_at > alarm):
                world.report(f"an alarm is noted too late: {key} at {stored.due_at}, not {alarm}")
        for key, at in await world.rows.due(range(world.size.shards), until, 100):
            world.report(f"an alarm did not ring: {key} at {at}")
        members = set()
        for name in {*SETS[world.size.rules], *(n for one in world.changes for n in one.names)}:
            page = await world.rows.members(WORKSPACE, name, "", 100)
            members |= {(member.profile, name) for member in page}
        if members != world.told.inside:
            world.report(f"members {sorted(members ^ world.told.inside)} differ from the log")
        world.shards.check()

    async def _check_shares(self) -> None:
        """Whoever is left has an even share of the shards."""
        world = self.world
        services = [(EVALUATOR, world.shards)]
        if world.size.deliveries:
            services.append((DELIVERY, world.delivery_shards))
        for kind, shards in services:
            end = world.loop.time() + EVEN_SECONDS
            while _uneven(world.of(kind), shards) and world.loop.time() < end:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
            if uneven := _uneven(world.of(kind), shards):
                world.report(f"the shares of {kind} are not even: {uneven}")

    async def _read_plans(self) -> dict[int, Plans]:
        """Wait until what was applied is in force everywhere, and read all plans there were."""
        world = self.world
        book = SharedBook(world.definitions, world.definitions)
        end = world.loop.time() + IN_FORCE_SECONDS
        while not await self._in_force(book):
            if world.loop.time() > end:
                world.report(f"plan version {await book.latest()} is not in force everywhere")
                break
            await asyncio.sleep(0.5)
        return {version: await book.at(version) for version in range(await book.latest() + 1)}

    async def _in_force(self, book: PlanBook) -> bool:
        latest = await book.latest()
        return await book.adopted(latest) and not (await book.at(latest)).fillings

    def check_acknowledged(self, shop: Shop) -> None:
        """What was acknowledged is in the log, once, where it was said to be."""
        world = self.world
        places: dict[str, int] = {}
        for record in world.log._records:
            body = event_pb2.EventRecord.FromString(record.payload)
            if body.WhichOneof("body") != "event":
                continue
            id = body.event.message_id
            if id in places:
                world.report(f"{id} stands at {places[id]} and at {record.position}")
            places[id] = record.position
        for id, position in shop.acknowledged.items():
            if id not in places or position not in (0, places[id]):
                world.report(f"{id} was acknowledged at {position}; it is at {places.get(id)}")
        if len(shop.acknowledged) != world.size.events:
            world.report(f"{len(shop.acknowledged)} of {world.size.events} were acknowledged")


def _uneven(members: Sequence[Member], shards: MemoryShards) -> dict[str, int]:
    """How many shards each has, where that is not even; "nobody" has those without an owner."""
    shares = {one.process.name: 0 for one in members}
    for owner in shards.owners.values():
        name = "nobody" if owner is None else owner.replica_id
        shares[name] = shares.get(name, 0) + 1
    even = len(shares) == len(members) and max(shares.values()) - min(shares.values()) <= 1
    return {} if even else shares
