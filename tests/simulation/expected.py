"""What has to be told: the engine's own simulation of the log, and of the plans as they changed.

Where definitions change amid events, what is told is a function of the log, of the positions at
which each shard adopted which plan, and of how far the moments had been passed by then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.engine.events import Event
from hairspring.engine.filling import activate, fill
from hairspring.engine.records import Record, Transition
from hairspring.engine.simulate import simulate_accepted
from hairspring.engine.state import ProfileState
from hairspring.engine.step import Passed, step
from hairspring.log.shards import shard_of
from hairspring.services.ingest.log_handlers import to_event_record
from hairspring.services.rule_evaluator.plans import Plans
from hairspring.wire.inputs import to_engine
from hairspring.wire.transitions import to_contract

from tests.chaos import books
from tests.simulation.processes import HORIZON_MS
from tests.simulation.rules import IN_FORCE, WORKSPACE
from tests.simulation.watched import Adopted

if TYPE_CHECKING:
    from tests.simulation.world import World

Payloads = dict[str, list[bytes]]


def found(world: World) -> Payloads:
    """What the evaluators told, by profile."""
    told: Payloads = defaultdict(list)
    for record in world.told._records:
        payload = record.payload
        told[record.profile].append(_unversioned(payload) if world.changes else payload)
    return told


def expected(world: World, until: int, plans: Mapping[int, Plans]) -> Payloads:
    """What they had to tell up to a moment (ms, UTC)."""
    records = [to_event_record(record, HORIZON_MS) for record in world.log._records]
    told: Payloads = defaultdict(list)
    lateness = world.size.lateness
    if not world.changes:
        simulated = simulate_accepted(
            books.entries(records),
            world.rules.plan,
            until=until,
            lateness=lateness,
            horizon=HORIZON_MS,
        )
        for one in simulated:
            payload = to_contract(one.record, plan_version=IN_FORCE).SerializeToString()
            told[one.profile].append(payload)
        return told
    by_profile: dict[str, list[tuple[int, Event]]] = defaultdict(list)
    for record in records:
        by_profile[record.profile_id].append((record.position, to_engine(record)))
    for profile, events in by_profile.items():
        shard = shard_of(WORKSPACE, profile, world.size.shards)
        one = _Profile(name=profile, plans=plans, lateness=lateness)
        told[profile] = one.live(events, world.rows.adoptions[shard], until)
    return told


@dataclass(slots=True, kw_only=True)
class _Profile:
    """One profile, folded event by event and plan by plan."""

    name: str
    plans: Mapping[int, Plans]
    lateness: int
    version: int = 0
    state: ProfileState = field(default_factory=ProfileState)
    filled: ProfileState | None = None
    history: list[Event] = field(default_factory=list)
    told: list[bytes] = field(default_factory=list)

    def live(
        self,
        events: Sequence[tuple[int, Event]],
        adoptions: Sequence[Adopted],
        until: int,
    ) -> list[bytes]:
        """Fold events by position, with the adoptions between them; answers what is told."""
        left = list(adoptions)
        for position, event in events:
            while left and left[0].position < position:
                self._adopt(left.pop(0))
            self._event(event)
        for adopted in left:
            self._adopt(adopted)
        self._step(Passed(until))
        return self.told

    def _event(self, event: Event) -> None:
        self._step(event)
        self.history.append(event)
        filling = self.plans[self.version].fillings.get(WORKSPACE)
        if filling is not None:
            given = self.filled if self.filled is not None else ProfileState()
            done = step(given, event, filling.plan, lateness=self.lateness, horizon=HORIZON_MS)
            self.filled = done.state

    def _step(self, given: Event | Passed) -> None:
        plan = self.plans[self.version].by_workspace[WORKSPACE]
        done = step(self.state, given, plan, lateness=self.lateness, horizon=HORIZON_MS)
        self.state = done.state
        self._tell(done.records)

    def _adopt(self, adopted: Adopted) -> None:
        before, after = self.plans[self.version], self.plans[adopted.version]
        if after.activation is not None and self.history:
            # Who was late to adopt it may have passed moments by the old plan meanwhile.
            self._step(Passed(adopted.clocks.get(self.name, 0) + self.lateness))
            self._activate(before, after, after.activation.through)
        elif after.activation is None and WORKSPACE in after.adoption_from(before).fill:
            plan = after.fillings[WORKSPACE].plan
            known = bool(self.history)
            self.filled = (
                fill(self.state, self.history, plan, horizon=HORIZON_MS) if known else None
            )
        self.version = adopted.version

    def _activate(self, before: Plans, after: Plans, through: int) -> None:
        self._step(Passed(through))
        filled, self.filled = self.filled, None
        filling = before.fillings[WORKSPACE]
        assert filled is not None, "whoever is known has been filled"
        done = activate(
            self.state,
            filled,
            before=before.by_workspace[WORKSPACE],
            filling=filling.plan,
            after=after.by_workspace[WORKSPACE],
            forms=filling.forms,
            through=through - self.lateness,
        )
        self.state = done.state
        self._tell(done.records, with_flows=filling.with_flows)

    def _tell(self, records: Sequence[Record], with_flows: frozenset[str] = frozenset()) -> None:
        for record in records:
            flows = isinstance(record, Transition) and record.segment in with_flows
            payload = to_contract(record, plan_version=0, with_flows=flows)
            self.told.append(payload.SerializeToString())


def _unversioned(payload: bytes) -> bytes:
    """A record without its plan version: when a moment is told is not decided by the log alone."""
    record = transition_pb2.Record.FromString(payload)
    record.plan_version = 0
    return record.SerializeToString()
