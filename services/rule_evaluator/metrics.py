"""What the rule evaluator counts, and what it looks up when somebody scrapes."""

from hairspring.engine.records import Origin, Transition
from hairspring.runtime.metrics import (
    SECONDS,
)
from hairspring.services.rule_evaluator.folding import Fold
from hairspring.store.port import Effects
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
LANES = Gauge("hairspring_lanes", "Groups of shards that are evaluated side by side.")
WAITING = Gauge("hairspring_waiting_events", "Events that were read and wait for their turn.")


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
