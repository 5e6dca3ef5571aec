"""The one rebuild: folding a profile's recorded history in event time gives its state.

What has been published stays as it was. A profile that was evaluated before is folded in silence up
to its clock and compared there: the difference is published at the clock. What lies behind the
clock, and everything of a profile that was never evaluated, is published at its own time.

A profile whose history began to arrive before its first live event (`fresh`) was not judged by
anybody before that event: its instants before `born_at` are published at their own times too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from hairspring.engine.events import Event
from hairspring.engine.plan import Plan
from hairspring.engine.records import Change, Origin, Record, Transition
from hairspring.engine.settling import settle, transition
from hairspring.engine.state import ProfileState, SegmentState
from hairspring.engine.step import UNJUDGED, Passed, Step, step

Members = dict[str, SegmentState]


@dataclass(slots=True)
class HistoryFold:
    """A state on its way through the history, and what is to be published of it."""

    events: list[Event]
    plan: Plan
    origin: Origin
    horizon: int | None
    state: ProfileState
    done: int = 0

    @staticmethod
    def over(
        history: Iterable[Event], plan: Plan, origin: Origin, horizon: int | None
    ) -> "HistoryFold":
        """Begins with the events in the order of time, each as if accepted at its own time."""
        events = [event._replace(accepted_at=event.time) for event in history]
        events.sort(key=lambda event: (event.time, event.order))
        return HistoryFold(events, plan, origin, horizon, ProfileState())

    def forward(self, through: int) -> list[Record]:
        """Applies the events and passes the moments up to and including `through`."""
        records: list[Record] = []
        while self.done < len(self.events) and self.events[self.done].time <= through:
            event = self.events[self.done]
            self.state, found, _ = step(self.state, event, self.plan, horizon=self.horizon)
            records += found
            self.done += 1
        self.state, found, _ = step(self.state, Passed(through), self.plan)
        return [self._marked(record) for record in (*records, *found)]

    def _marked(self, record: Record) -> Record:
        if isinstance(record, Transition):
            return replace(record, origin=self.origin)
        return record


def rebuild(
    before: ProfileState,
    history: Iterable[Event],
    plan: Plan,
    *,
    through: int,
    origin: Origin,
    fresh: bool = False,
    horizon: int | None = None,
) -> Step:
    """Folds the history up to `through` (milliseconds, UTC) and publishes what is new.

    `before` is the state until now; it is used up. In the fold each event counts as accepted at
    its own time, so the history is without the live events that were too old when they came.
    `horizon` is as in `step`.
    """
    fold = HistoryFold.over(history, plan, origin, horizon)
    records: list[Record] = []
    clock, born_at = before.clock, before.born_at
    if clock is not None:
        earlier: Members = {}
        if fresh and born_at is not None:
            records += fold.forward(born_at - 1)
            earlier = dict(fold.state.segments)
        fold.forward(clock)
        fold.state.clock = clock
        records += _reconcile(fold, before, earlier, clock)
    records += fold.forward(through if clock is None else max(through, clock))
    fold.state.born_at = born_at
    return Step(fold.state, records, fold.state.alarm())


def _reconcile(
    fold: HistoryFold, before: ProfileState, earlier: Members, clock: int
) -> list[Record]:
    """Brings what was published and what the history says together at the clock."""
    records: list[Record] = []
    for segment in fold.plan.segments:
        live = before.segments.get(segment.name, UNJUDGED)
        past = earlier.get(segment.name, UNJUDGED)
        told = live
        if not live.member and live.left_at is None:
            told = past
        elif past.member and before.born_at is not None:
            left = transition(
                fold.state, segment, Change.LEFT, before.born_at, past.entered_at, fold.origin
            )
            records.append(replace(left, evidence=(), groups=()))
        truth = fold.state.segments.get(segment.name)
        if truth is None:
            if not told.member and told.left_at is None:
                continue
            truth = SegmentState()
            fold.state.put(segment.name, truth)
        records += settle(fold.state, segment, told, truth, clock, fold.origin)
    return records
