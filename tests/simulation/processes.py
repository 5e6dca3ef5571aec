"""The processes of a world, put together as those of the services are, on the adapters of a world.

Each function begins one process. What it makes is what `app.py` of the service makes.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hairspring.runtime.tasks import ASK_AGAIN_SECONDS, Supervisor
from hairspring.services.delivery.__main__ import COMMIT_SECONDS
from hairspring.services.delivery.adapters.definitions import Definitions as Catalogs
from hairspring.services.delivery.adapters.ingest import Ingest
from hairspring.services.delivery.facts import FactFinder
from hairspring.services.delivery.follower import Follower
from hairspring.services.delivery.ledger import Ledger
from hairspring.services.delivery.mail import Sender
from hairspring.services.delivery.replica import Replica
from hairspring.services.delivery.ringing import Ringing
from hairspring.services.delivery.sender import Sending
from hairspring.services.delivery.waits import Waits
from hairspring.services.ingest.event_handlers import EventHandlers
from hairspring.services.ingest.group_commit import GroupCommit, Limits
from hairspring.services.ingest.log_handlers import EventLogHandlers
from hairspring.services.ingest.recording import Recording
from hairspring.services.rule_evaluator.adapters.event_log import EventLog
from hairspring.services.rule_evaluator.alarms import Alarms
from hairspring.services.rule_evaluator.applying import Applying
from hairspring.services.rule_evaluator.evaluation import Evaluation
from hairspring.services.rule_evaluator.forwarding import ForwardedMemberships
from hairspring.services.rule_evaluator.handlers.definitions import DefinitionHandlers
from hairspring.services.rule_evaluator.handlers.transitions import TransitionHandlers
from hairspring.services.rule_evaluator.lanes import Lanes
from hairspring.services.rule_evaluator.term import Term

from tests.simulation.adapters import Appending, Definitions, KeepsAll
from tests.simulation.channel import Channel, Peer
from tests.simulation.delivery import Asking, Rows
from tests.simulation.loop import Process
from tests.simulation.mail import Mailing
from tests.simulation.owning import Owning
from tests.simulation.peers import Others, Reader
from tests.simulation.queue import Queue
from tests.simulation.rules import SharedBook

if TYPE_CHECKING:
    from tests.simulation.world import World

LEASE_MS = 2_000
HORIZON_MS = 90 * 86_400_000
DRAIN_SECONDS = 1.0
INGEST, EVALUATOR, DELIVERY = "ingest", "evaluator", "delivery"


@dataclass(slots=True, kw_only=True)
class Member:
    """A process of the world: what it serves, whom it calls, what it owns, and its clock."""

    kind: str
    process: Process
    peer: Peer
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Tells it to end, as a signal does."""
    channels: list[Channel] = field(default_factory=list)
    ownership: Owning | None = None
    skew: list[int]
    lanes: list[Lanes] = field(default_factory=list)
    """What an evaluator works in just now."""


class Served:
    """Several services of a process on one port."""

    def __init__(self, *parts: Any) -> None:
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        for part in self._parts:
            if name in type(part).__dict__:
                return getattr(part, name)
        raise AttributeError(name)


def start_ingest(world: World) -> None:
    """Begin an ingest process."""
    member = _member(world, INGEST)
    appending = Appending(world.wire, world.postgres, lambda entries: world.log.append(entries))

    async def main() -> None:
        async with GroupCommit(appending.append, Limits(patience=1.0)) as group:
            imports: Any = None
            recording = Recording(
                group.submit,
                imports,
                shards=world.size.shards,
                new_id=lambda: uuid.UUID(int=world.chance.getrandbits(128)).hex,
            )
            member.peer.servicer = Served(
                EventHandlers(recording, imports),
                EventLogHandlers(
                    world.log, KeepsAll(), shards=world.size.shards, horizon=HORIZON_MS
                ),
            )
            await asyncio.Event().wait()

    world.loop.spawn(member.process, main())


def start_evaluator(world: World) -> None:
    """Begin an evaluator process."""
    member = _member(world, EVALUATOR)
    wire, postgres, clock = world.wire, world.postgres, _clock(world, member)
    ownership = Owning(wire, postgres, world.shards, member.process.name, LEASE_MS)
    store = world.make_store(wire, postgres, world.rows.for_replica(ownership.row), ownership)
    queue = Queue(wire, world.redis, world.sets)
    channel = Channel(wire, lambda: world.serving(INGEST))
    definitions = Definitions(wire, postgres, world.definitions)
    book = SharedBook(definitions, world.definitions)
    events = EventLog(channel)

    def make_lanes(owned: Any) -> Lanes:
        world.shards.check()
        member.lanes[:] = [Lanes(owned, make_term, apart=world.size.apart)]
        return member.lanes[0]

    def make_term(owned: Any) -> Term:
        return world.make_term(
            owned,
            store=store,
            events=events,
            alarms=Alarms(
                queue,
                store,
                clock,
                world.size.lateness,
                ahead_ms=world.size.ahead,
                steady=world.loop.time,
            ),
            book=book,
            clock=clock,
            lateness=world.size.lateness,
            horizon=HORIZON_MS,
        )

    notices: Any = world.notices
    explaining: Any = None
    shards = world.size.shards
    reader = Reader(wire, postgres, world.shards)
    peers = Others(member.process.name, reader, wire, lambda: world.serving(EVALUATOR))
    evaluation = Evaluation(ownership, notices, book, definitions.channel, make_lanes)
    member.peer.servicer = Served(
        DefinitionHandlers(definitions, Applying(definitions, book, clock)),
        ForwardedMemberships(peers, evaluation, store, events, explaining, clock, shards),
        TransitionHandlers(world.told, shards),
    )
    member.channels, member.ownership = [channel], ownership
    peers.channels = member.channels
    work = _owning(member, ownership, evaluation.run, finish=evaluation.finish)
    world.loop.spawn(member.process, work)


def start_delivery(world: World) -> None:
    """Begin a delivery process."""
    member = _member(world, DELIVERY)
    wire, postgres, clock = world.delivery_wire, world.postgres, _clock(world, member)
    ownership = Owning(wire, postgres, world.delivery_shards, member.process.name, LEASE_MS)
    read = Channel(wire, lambda: world.serving(INGEST))
    asked = Channel(wire, lambda: world.serving(EVALUATOR))
    evaluator = Asking(asked, world.log.head)
    store = Rows(wire, postgres, world.runs, ownership)
    queue = Queue(wire, world.redis, world.waits)
    ledger = Ledger(store, ownership)
    waits = Waits(queue, store.waking, ledger.epochs, ahead_ms=world.size.ahead)
    catalogs = Catalogs(evaluator)
    sending = Sending(
        store=store,
        ledger=ledger,
        waits=waits,
        definitions=catalogs,
        evaluator=evaluator,
        facts=FactFinder(Ingest(read)),
        mailer=Mailing(wire, world.mail, world.runs, evaluator, clock),
        sender=Sender(name="Shop", address="shop@example.com"),
        clock=clock,
        shard_count=world.size.shards,
    )
    replica = Replica(
        ownership=ownership,
        ledger=ledger,
        queue=queue,
        waits=waits,
        follower=Follower(
            evaluator, catalogs, store, ledger, waits, clock, shard_count=world.size.shards
        ),
        ringing=Ringing(queue, waits, sending, store, ledger, clock),
        clock=clock,
        drain_seconds=DRAIN_SECONDS,
        steady=world.loop.time,
    )
    member.channels, member.ownership = [asked, read], ownership
    work = _owning(member, ownership, replica.run, patience=DRAIN_SECONDS + COMMIT_SECONDS)
    world.loop.spawn(member.process, work)


STARTS: dict[str, Callable[[World], None]] = {
    INGEST: start_ingest,
    EVALUATOR: start_evaluator,
    DELIVERY: start_delivery,
}


async def _owning(
    member: Member,
    ownership: Owning,
    work: Callable[[], Any],
    *,
    finish: Callable[[], Awaitable[None]] | None = None,
    patience: float = ASK_AGAIN_SECONDS,
) -> None:
    """Work until told to stop, keep the lease until that has ended, and hand over."""
    async with Supervisor() as leases:
        leases.start("lease-renewal", ownership.keep)
        loops = Supervisor()
        loops.start("work", work, patience=patience)
        await member.stop.wait()
        if finish is not None:
            await finish()
        await loops.stop()
        await leases.stop()
        with suppress(Exception):
            await ownership.release()


def _member(world: World, kind: str) -> Member:
    process = world.loop.process(world.name(kind))
    skew = [world.chance.choice((0, 0, world.chance.randint(-3_000, 3_000)))]
    member = Member(kind=kind, process=process, peer=Peer(process, None), skew=skew)
    world.members.append(member)
    return member


def _clock(world: World, member: Member) -> Callable[[], int]:
    return lambda: world.loop.now_ms() + member.skew[0]
