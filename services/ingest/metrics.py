"""What ingest counts."""

from collections import Counter as Tally
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hairspring.log.port import Log
from hairspring.runtime.metrics import SECONDS
from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from hairspring.services.ingest.recording import Status

EVENTS = Counter("hairspring_ingest_events", "Events by what became of them.", ["status"])
REFUSED = Counter(
    "hairspring_ingest_refused_calls", "Calls over HTTP that were refused, by why.", ["code"]
)
REJECTS = Counter(
    "hairspring_ingest_rejects", "Rejects: `kept`, or `dropped` as there were too many.", ["fate"]
)
TIMES = Counter(
    "hairspring_ingest_call_times", "Calls over HTTP by the rule that gave their time.", ["rule"]
)
TOO_OLD = Counter(
    "hairspring_ingest_too_old_calls", "Calls over HTTP that lie beyond the horizon: not judged."
)
GROUP_EVENTS = Histogram(
    "hairspring_ingest_group_events",
    "Events that were appended together.",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000),
)
GROUP_SECONDS = Histogram(
    "hairspring_ingest_append_seconds", "How long an append took, commit included.", buckets=SECONDS
)
WAITING = Gauge("hairspring_ingest_waiting_events", "Events in hand that are not committed yet.")
HEAD = Gauge("hairspring_log_head_position", "The last position of the event log.")


def count_events(statuses: "Iterable[Status]") -> None:
    """Count a call's events, at once."""
    for status, count in Tally(statuses).items():
        EVENTS.labels(status.value).inc(count)


async def refresh_head(log: Log) -> None:
    """Ask where the log ends."""
    HEAD.set(await log.head())
