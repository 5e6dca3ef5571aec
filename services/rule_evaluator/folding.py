"""One turn of the evaluator, without any I/O: profiles and inputs in, effects out.

The shell loads the profiles, lets a `Fold` apply what came in the order of the log, commits its
effects whole, and then arms the timers. When the commit fails, the states are thrown away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hairspring.engine.events import Event, EventKind
from hairspring.engine.filling import activate, fill
from hairspring.engine.merging import merge, part
from hairspring.engine.past import lived
from hairspring.engine.plan import Plan
from hairspring.engine.rebuild import rebuild
from hairspring.engine.records import Cause, Change, Deleted, Merged, Origin, Transition
from hairspring.engine.state import ProfileState
from hairspring.engine.step import Passed, Step, step
from hairspring.services.rule_evaluator.forms import Filling
from hairspring.services.rule_evaluator.gathered import Gathered, Rang
from hairspring.services.rule_evaluator.histories import JointHistory
from hairspring.services.rule_evaluator.plans import Plans
from hairspring.services.rule_evaluator.work import History
from hairspring.store.port import (
    FILL,
    Departure,
    Key,
    Rebuild,
    Stored,
)


@dataclass(slots=True)
class Fold(Gathered):
    """Applies inputs to loaded profiles and gathers what follows from them."""

    plans: Mapping[int, Plans]
    """What each shard is judged by."""
    lateness: int = 0
    horizon: int | None = None

    def event(self, key: Key, event: Event) -> None:
        """Applies a live event, and in silence to what is being filled.

        Where the history for that is not folded yet, it is left to be caught up with after it.
        """
        stored, filling = self.stored[key], self._filling(key)
        waits = filling is not None and self._waits_to_be_filled(key)
        if waits and event.kind is not EventKind.TRACK:
            self._keep_traits(key)
        self._settle(key, stored, self._stepped(key, stored, event), rung=False, with_flows=False)
        if filling is not None and not waits:
            self._step_filling(key, event, filling)

    def depart(self, key: Key, deletion: Deleted, standing: Mapping[str, int]) -> None:
        """Forgets a profile, and tells that it left the segments where it was `standing`.

        Comes before all else that the turn does to the profile.
        """
        self.stored[key].clear()
        before, plan = len(self._entries), self._plan(key)
        for segment, entered_at in sorted(standing.items()):
            number = plan.number.get(segment)
            left = Transition(
                segment=segment,
                version=plan.segments[number].version if number is not None else 0,
                change=Change.LEFT,
                effective_at=deletion.at,
                cause=Cause(),
                origin=Origin.DELETION,
                entered_at=entered_at,
            )
            self._record(key, left, False, self.plans[key.shard].version)
        self._record(key, deletion, False, self.plans[key.shard].version)
        self.departures.append(
            Departure(
                key=key,
                deletion_id=deletion.deletion_id,
                at=deletion.at,
                told=self._entries[before:],
            )
        )

    def passed(self, key: Key, through: int, *, rung: bool) -> None:
        """Passes the moments up to a barrier; `rung` says that the profile's timer did."""
        stored = self.stored[key]
        if stored.due_at is None and stored.state.clock is None:
            return  # Nobody is known by this id, or not any more: its timer leaves no trace.
        due_at, told = stored.due_at, len(self.told)
        self._pass(key, stored, through, rung=rung)
        if rung:
            changes = len(self.told) - told
            self.rang.append(Rang(key=key, due_at=due_at, changes=changes, next_at=stored.due_at))

    def parted(self, key: Key, into: str, at: int) -> None:
        """Ends a profile that became part of another at a moment (milliseconds, UTC)."""
        stored = self.stored[key]
        done = part(stored.state, self._plan(key), at=at, lateness=self.lateness, into=into)
        stored.state = done.state
        for record in done.records:
            self._record(key, record, False, self.plans[key.shard].version)
        self.vanish(key)

    def vanish(self, key: Key) -> None:
        """Lets go of all that is kept of a profile."""
        self.stored[key].clear()
        self.alarms.pop(key, None)
        self._gone.add(key)
        self._changed.pop(key, None)
        self._filled.discard(key)

    def joined(self, key: Key, history: JointHistory) -> None:
        """Takes another profile into this one: it is folded anew from the history of both."""
        stored, joined = self.stored[key], history.joined
        plan, filling = self._plan(key), self._filling(key)
        theirs = lived(joined.entries, plan, lateness=self.lateness, horizon=self.horizon)
        for cause in theirs.waiting:
            self.touch(key, cause)
        done = merge(
            stored.state,
            theirs.state,
            history.events,
            plan,
            at=joined.accepted_at,
            former=joined.other,
            lateness=self.lateness,
            horizon=self.horizon,
        )
        self._settle(key, stored, done, rung=False, with_flows=False)
        for record in done.records:
            if isinstance(record, Merged):
                self._members.update({(key, name): at for name, at in record.entered})
        if filling is not None:
            filled = fill(stored.state, history.events, filling.plan, horizon=self.horizon)
            self._fill(key, filled)

    def touch(self, key: Key, cause: str) -> None:
        """Notes that an import brings history of this profile."""
        stored = self.stored[key]
        if any(waiting.cause == cause for waiting in stored.rebuilds):
            return
        found = Rebuild(key=key, cause=cause, fresh=stored.state.clock is None)
        stored.rebuilds.append(found)
        self._touched.append(found)

    def touch_unread(self, key: Key, cause: str) -> None:
        """Notes the same of a profile of which nothing is judged."""
        self._touched.append(Rebuild(key=key, cause=cause))

    def rebuild(self, todo: Rebuild, history: History) -> None:
        """Folds a profile anew, and does away with the task."""
        stored = self.stored[todo.key]
        if todo.cause != FILL:
            self._rebuild(todo, stored, history.events)
        filling = self._filling(todo.key)
        if filling is not None and (todo.cause == FILL or stored.fill is not None):
            kept = stored.fill if todo.cause == FILL else None
            traits_of = kept if kept is not None else stored.state
            filled = fill(traits_of, history.events, filling.plan, horizon=self.horizon)
            self._fill(todo.key, filled)
            for event in history.later:
                self._step_filling(todo.key, event, filling)
        stored.rebuilds = [waiting for waiting in stored.rebuilds if waiting.cause != todo.cause]
        self._rebuilt.append(todo)

    def _rebuild(self, todo: Rebuild, stored: Stored, history: Sequence[Event]) -> None:
        before = stored.state
        unknown = before.clock is None
        through = todo.through if todo.through is not None else before.clock
        if through is None:
            return
        done = rebuild(
            before,
            history,
            self._plan(todo.key),
            through=through,
            origin=Origin.IMPORT,
            fresh=todo.fresh,
            horizon=self.horizon,
        )
        self._settle(todo.key, stored, done, rung=False, with_flows=todo.with_flows)
        filling = self._filling(todo.key)
        if unknown and filling is not None and not self._waits_to_be_filled(todo.key):
            stored.fill = stored.fill or ProfileState()  # not known when the filling began

    def dismiss(self, todo: Rebuild) -> None:
        """Does away with a task that cannot be done."""
        if (stored := self.stored.get(todo.key)) is not None:
            stored.rebuilds = [one for one in stored.rebuilds if one.cause != todo.cause]
        self._rebuilt.append(todo)

    def anew(self, key: Key, history: Sequence[Event], *, through: int, with_flows: bool) -> None:
        """Folds a profile anew up to `through` (milliseconds, UTC), after something failed."""
        stored = self.stored[key]
        if not history and stored.state.clock is None:
            return
        done = rebuild(
            stored.state,
            history,
            self._plan(key),
            through=through,
            origin=Origin.REPAIR,
            horizon=self.horizon,
        )
        self._settle(key, stored, done, rung=True, with_flows=with_flows)
        filling = self._filling(key)
        if filling is not None:
            self._fill(key, fill(stored.state, history, filling.plan, horizon=self.horizon))
            for todo in [one for one in stored.rebuilds if one.cause == FILL]:
                self.dismiss(todo)

    def activate(self, key: Key, after: Plans, through: int) -> None:
        """Puts what has been filled of a profile in force, as of a moment (milliseconds, UTC)."""
        stored, before = self.stored[key], self._plan(key)
        filling, filled = self._filling(key), stored.fill
        assert filling is not None, "what is put in force has been filled"
        self._pass(key, stored, through, rung=False)
        stored.fill = None
        if filled is None:
            return
        plan = after.by_workspace[key.workspace]
        forms = {name: form for name, form in filling.forms.items() if name in plan.number}
        done = activate(
            stored.state,
            filled,
            before=before,
            filling=filling.plan,
            after=plan,
            forms=forms,
            through=through - self.lateness,
        )
        stored.state = done.state
        if filled.streams or filled.keyed or any(name in done.state.segments for name in forms):
            self._changed[key] = None
        for record in done.records:
            flows = isinstance(record, Transition) and record.segment in filling.with_flows
            self._record(key, record, flows, after.version)
        self._arm(key, stored, done.alarm, rung=False)

    def _plan(self, key: Key) -> Plan:
        return self.plans[key.shard].by_workspace.get(key.workspace) or _NO_PLAN

    def _filling(self, key: Key) -> Filling | None:
        return self.plans[key.shard].fillings.get(key.workspace)

    def _waits_to_be_filled(self, key: Key) -> bool:
        return any(todo.cause == FILL for todo in self.stored[key].rebuilds)

    def _keep_traits(self, key: Key) -> None:
        """Keeps the traits as they were where the filling began, before the first that follow."""
        stored = self.stored[key]
        if stored.fill is None:
            traits, tags = dict(stored.state.traits), dict(stored.state.tags)
            self._fill(key, ProfileState(traits=traits, tags=tags))

    def _step_filling(self, key: Key, event: Event, filling: Filling) -> None:
        given = self.stored[key].fill
        done = step(
            given if given is not None else ProfileState(),
            event,
            filling.plan,
            lateness=self.lateness,
            horizon=self.horizon,
        )
        self._fill(key, done.state)

    def _pass(self, key: Key, stored: Stored, through: int, *, rung: bool) -> None:
        done = self._stepped(key, stored, Passed(through))
        if rung or done.records or done.alarm != stored.due_at:
            self._settle(key, stored, done, rung=rung, with_flows=False)

    def _stepped(self, key: Key, stored: Stored, given: Event | Passed) -> Step:
        state, plan = stored.state, self._plan(key)
        state.bound(stored.due_at)
        return step(state, given, plan, lateness=self.lateness, horizon=self.horizon)

    def _settle(
        self, key: Key, stored: Stored, done: Step, *, rung: bool, with_flows: bool
    ) -> None:
        stored.state = done.state
        self._changed[key] = None
        for record in done.records:
            self._record(key, record, with_flows, self.plans[key.shard].version)
        self._arm(key, stored, done.alarm, rung=rung)


_NO_PLAN = Plan(())
