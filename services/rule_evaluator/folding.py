"""One turn of the evaluator, without any I/O: profiles and inputs in, effects out.

The shell loads the profiles, lets a `Fold` apply what came in the order of the log, commits its
effects whole, and then arms the timers. When the commit fails, the states are thrown away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hairspring.engine.events import Event
from hairspring.engine.plan import Plan
from hairspring.engine.rebuild import rebuild
from hairspring.engine.records import Origin, Record, Transition
from hairspring.engine.step import Passed, Step, step
from hairspring.log.port import Entry
from hairspring.ownership.port import Owned
from hairspring.store.encoding import encode
from hairspring.store.port import Effects, Key, Member, Rebuild, Saved, Stored
from hairspring.wire.transitions import to_contract

DEFINITION_CAUSE = "definition:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A record and whose it is."""

    key: Key
    record: Record


@dataclass(slots=True)
class Fold:
    """Applies inputs to loaded profiles and gathers what follows from them."""

    stored: Mapping[Key, Stored]
    plans: Mapping[str, Plan]
    plan_version: int
    lateness: int = 0
    horizon: int | None = None
    told: list[Told] = field(default_factory=list)
    """What was decided, in order."""
    alarms: dict[Key, int] = field(default_factory=dict)
    """The timers to arm: by profile, when it is due (milliseconds, UTC)."""
    _entries: list[Entry] = field(default_factory=list)
    _changed: set[Key] = field(default_factory=set)
    _members: dict[tuple[Key, str], int | None] = field(default_factory=dict)
    _touched: list[Rebuild] = field(default_factory=list)
    _rebuilt: list[Rebuild] = field(default_factory=list)

    def event(self, key: Key, event: Event) -> None:
        """Applies a live event."""
        self._apply(key, event, rung=False)

    def passed(self, key: Key, through: int, *, rung: bool) -> None:
        """Passes the moments up to a barrier; `rung` says that the profile's timer did."""
        self._apply(key, Passed(through), rung=rung)

    def touch(self, key: Key, cause: str) -> None:
        """Notes that an import brings history of this profile."""
        stored = self.stored[key]
        if any(waiting.cause == cause for waiting in stored.rebuilds):
            return
        found = Rebuild(key=key, cause=cause, fresh=stored.state.clock is None)
        stored.rebuilds.append(found)
        self._touched.append(found)

    def rebuild(self, todo: Rebuild, history: Sequence[Event]) -> None:
        """Folds a profile anew, and does away with the task."""
        stored = self.stored[todo.key]
        by_definition = todo.cause.startswith(DEFINITION_CAUSE)
        before = stored.state
        through = todo.through if todo.through is not None else before.clock
        if through is not None:
            done = rebuild(
                before,
                history,
                self._plan(todo.key),
                through=through,
                origin=Origin.DEFINITION if by_definition else Origin.IMPORT,
                fresh=todo.fresh,
                horizon=self.horizon,
            )
            self._settle(todo.key, stored, done, rung=False, with_flows=todo.with_flows)
        stored.rebuilds = [waiting for waiting in stored.rebuilds if waiting.cause != todo.cause]
        self._rebuilt.append(todo)

    def effects(self, owned: Mapping[int, Owned], position: int) -> Effects:
        """All that was decided, to be committed under the epochs of the shards concerned."""
        return Effects(
            owned=owned,
            position=position,
            states=[
                Saved(key, encode(self.stored[key].state), self.stored[key].due_at)
                for key in sorted(self._changed)
            ],
            members=[Member(*named, at) for named, at in self._members.items()],
            records=self._entries,
            touched=self._touched,
            rebuilt=self._rebuilt,
        )

    def _plan(self, key: Key) -> Plan:
        return self.plans.get(key.workspace) or _NO_PLAN

    def _apply(self, key: Key, given: Event | Passed, *, rung: bool) -> None:
        stored = self.stored[key]
        done = step(
            stored.state, given, self._plan(key), lateness=self.lateness, horizon=self.horizon
        )
        idle = isinstance(given, Passed) and not done.records and not rung
        if idle and done.alarm == stored.due_at:
            return
        self._settle(key, stored, done, rung=rung, with_flows=False)

    def _settle(
        self, key: Key, stored: Stored, done: Step, *, rung: bool, with_flows: bool
    ) -> None:
        stored.state = done.state
        self._changed.add(key)
        for record in done.records:
            self._record(key, record, with_flows)
        earlier = done.alarm is not None and (stored.due_at is None or done.alarm < stored.due_at)
        if rung or earlier:
            stored.due_at = done.alarm
            if done.alarm is None:
                self.alarms.pop(key, None)
            else:
                self.alarms[key] = done.alarm

    def _record(self, key: Key, record: Record, with_flows: bool) -> None:
        self.told.append(Told(key=key, record=record))
        payload = to_contract(record, plan_version=self.plan_version, with_flows=with_flows)
        self._entries.append(
            Entry(
                shard=key.shard,
                workspace=key.workspace,
                profile=key.profile,
                payload=payload.SerializeToString(),
            )
        )
        if isinstance(record, Transition):
            segment = self.stored[key].state.segments.get(record.segment)
            inside = segment is not None and segment.member
            at = segment.entered_at if segment is not None and inside else None
            self._members[key, record.segment] = at


_NO_PLAN = Plan(())
