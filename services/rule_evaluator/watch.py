"""What of the evaluator is looked up when somebody scrapes its metrics."""

from hairspring.runtime.metrics import (
    SHARDS_ACQUIRED,
    SHARDS_OWNED,
    TIMERS_AWAY,
    TIMERS_PENDING,
)
from hairspring.services.rule_evaluator.adapters.event_log import EventLog
from hairspring.services.rule_evaluator.lanes import Lanes
from hairspring.services.rule_evaluator.metrics import LAG, LANES, QUARANTINED, TERMS, WAITING
from hairspring.services.rule_evaluator.term import Term
from hairspring.timers.port import DelayQueue


class Watch:
    """Knows the lanes that serve now, and asks about them when somebody scrapes."""

    def __init__(self, events: EventLog, queue: DelayQueue) -> None:
        self._events = events
        self._queue = queue
        self._lanes: Lanes | None = None
        self._owned: frozenset[int] = frozenset()

    def began(self, lanes: Lanes) -> None:
        """Notes that a term begins."""
        TERMS.inc()
        SHARDS_ACQUIRED.inc(len(lanes.owned.keys() - self._owned))
        self._lanes, self._owned = lanes, frozenset(lanes.owned)

    async def refresh(self) -> None:
        """Looks up what is known in this process, then how far the log goes."""
        terms = self._serving()
        SHARDS_OWNED.set(sum(len(term.owned) for term in terms))
        LANES.set(len(terms))
        WAITING.set(sum(term.waiting for term in terms))
        QUARANTINED.set(sum(term.quarantined for term in terms))
        TIMERS_AWAY.set(any(term.timers_away for term in terms))
        LAG.clear()
        if not terms:
            return
        head = (await self._events.barrier(0)).position
        for term in terms:
            for shard, owned in term.standing().items():
                LAG.labels(str(shard)).set(max(head - owned.position, 0))

    async def refresh_timers(self) -> None:
        """Looks up how many alarms are in the delay queue."""
        TIMERS_PENDING.set(float("nan"))
        shards = [shard for term in self._serving() for shard in term.owned]
        TIMERS_PENDING.set(await self._queue.pending(sorted(shards)))

    def _serving(self) -> list[Term]:
        lanes = self._lanes
        return [] if lanes is None else [term for term in lanes.terms if not term.over]
