"""What delivery counts."""

from hairspring.runtime.metrics import SECONDS, SHARDS_OWNED, TIMERS_AWAY, TIMERS_PENDING
from hairspring.services.delivery.ledger import Ledger
from hairspring.services.delivery.waits import Waits
from hairspring.timers.port import DelayQueue
from prometheus_client import Counter, Histogram

RUNS = Counter("hairspring_runs", "Runs of flows by what became of them.", ["status"])
MESSAGES = Counter(
    "hairspring_messages", "Messages by what became of them; a retry counts too.", ["status"]
)
MESSAGE_LATENESS = Histogram(
    "hairspring_message_lateness_seconds",
    "From when a message was due to when it had gone out.",
    buckets=SECONDS,
)

SET_ASIDE = Counter(
    "hairspring_delivery_set_aside",
    "What was left aside, since the code failed: a record for good, a run for now.",
    ["what"],
)


class Watch:
    """Looks up what is known of the work when somebody scrapes."""

    def __init__(self, ledger: Ledger, waits: Waits, queue: DelayQueue) -> None:
        self._ledger = ledger
        self._waits = waits
        self._queue = queue

    async def refresh(self) -> None:
        """Look up what is owned, and how many waits are in the delay queue."""
        owned = sorted(self._ledger.owned)
        SHARDS_OWNED.set(len(owned))
        TIMERS_AWAY.set(self._waits.away)
        TIMERS_PENDING.set(float("nan"))
        TIMERS_PENDING.set(await self._queue.pending(owned))
