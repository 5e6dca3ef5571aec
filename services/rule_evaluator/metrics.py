"""What the rule evaluator counts, and what it looks up when somebody scrapes."""

from collections.abc import Collection, Sequence
from typing import Protocol

from hairspring.engine.records import Origin, Transition
from hairspring.ownership.port import Owned
from hairspring.runtime.clock import Clock
from hairspring.runtime.metrics import (
    SECONDS,
    SHARDS_ACQUIRED,
    SHARDS_OWNED,
    TIMERS_AWAY,
    TIMERS_PENDING,
)
from hairspring.services.rule_evaluator.adapters.event_log import EventLog
from hairspring.services.rule_evaluator.alarms import Alarms
from hairspring.services.rule_evaluator.folding import Fold
from hairspring.store.port import Effects
from hairspring.timers.port import DelayQueue
from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("hairspring_events_evaluated", "Events that were evaluated and committed.")
TRANSITIONS = Counter("hairspring_transitions", "Transitions that were committed.", ["change"])
LATENCY = Histogram(
    "hairspring_transition_latency_seconds",
    "From when an event was accepted to when the transition that it caused was committed.",
    buckets=SECONDS,
)
LATENESS = Histogram(
    "hairspring_alarm_lateness_seconds",
    "From when an alarm was due to when what came of it was committed.",
    buckets=SECONDS,
)
TURN_SECONDS = Histogram(
    "hairspring_turn_seconds", "How long a turn took, commit included.", buckets=SECONDS
)
TERMS = Counter("hairspring_terms", "Terms that were begun.")
FAILURES = Counter("hairspring_term_failures", "Terms that ended by an error.", ["error"])
SET_ASIDE = Counter("hairspring_set_aside", "What was put in quarantine.", ["what"])
RELEASED = Counter("hairspring_released_profiles", "Profiles that were folded in again.")
QUARANTINED = Gauge(
    "hairspring_quarantined_profiles", "Profiles of owned shards of which anything is set aside."
)
LAG = Gauge(
    "hairspring_shard_lag_positions",
    "How far a shard stands behind the end of the event log.",
    ["shard"],
)
WAITING = Gauge("hairspring_waiting_events", "Events that were read and wait for their turn.")


class Working(Protocol):
    """A term, as far as it is looked at here."""

    owned: dict[int, Owned]
    over: bool

    @property
    def position(self) -> int:
        """Everything up to here has been evaluated."""

    @property
    def waiting(self) -> int:
        """How many events wait for their turn."""

    @property
    def quarantined(self) -> int:
        """Of how many profiles something is set aside."""


def count_commit(fold: Fold, effects: Effects, events: int, now: int) -> None:
    """Count what was committed at `now` (milliseconds, UTC), for a whole turn at once."""
    EVENTS.inc(events)
    changes = [told.record for told in fold.told if isinstance(told.record, Transition)]
    for change in changes:
        TRANSITIONS.labels(change.change.value).inc()
        event = change.cause.event
        if event is not None and change.origin is Origin.LIVE:
            LATENCY.observe(max(now - event.accepted_at, 0) / 1000)
    for rang in fold.rang:
        if rang.due_at is not None:
            LATENESS.observe(max(now - rang.due_at, 0) / 1000)
    for one in effects.set_aside:
        SET_ASIDE.labels(one.what.value).inc()
    RELEASED.inc(len(effects.released))


class Watch:
    """Knows the term that serves now, and asks about it when somebody scrapes."""

    def __init__(self, events: EventLog, queue: DelayQueue, clock: Clock) -> None:
        self._events = events
        self._queue = queue
        self._clock = clock
        self._term: Working | None = None
        self._alarms: Alarms | None = None
        self._owned: Collection[int] = ()

    def began(self, term: Working, alarms: Alarms) -> None:
        """Notes that a term begins."""
        TERMS.inc()
        SHARDS_ACQUIRED.inc(len(term.owned.keys() - set(self._owned)))
        self._term, self._alarms, self._owned = term, alarms, frozenset(term.owned)

    async def refresh(self) -> None:
        """Looks up what is known in this process, then how far the log goes."""
        term = self._term if self._term is not None and not self._term.over else None
        shards: Sequence[int] = sorted(term.owned) if term is not None else ()
        SHARDS_OWNED.set(len(shards))
        WAITING.set(0 if term is None else term.waiting)
        QUARANTINED.set(0 if term is None else term.quarantined)
        LAG.clear()
        if term is None or self._alarms is None:
            return
        TIMERS_AWAY.set(self._alarms.away)
        head = (await self._events.barrier(0)).position
        for shard in shards:
            LAG.labels(str(shard)).set(
                max(head - max(term.position, term.owned[shard].position), 0)
            )

    async def refresh_timers(self) -> None:
        """Looks up how many alarms are in the delay queue."""
        TIMERS_PENDING.set(float("nan"))
        if self._term is not None and not self._term.over:
            TIMERS_PENDING.set(await self._queue.pending(sorted(self._term.owned)))
