"""The one place that is told of what was refused."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hairspring.runtime.logging import get_logger
from hairspring.services.ingest.collecting.normalising import Refused
from hairspring.services.ingest.metrics import REFUSED

MOST_TOLD = 20
"""Of how many refused calls of a request one log line tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A refused call: where it stood in its request, why, and the call itself as it was read.

    Where a batch has too many calls it is the list of them. `received_at` is in ms since the
    epoch, UTC.
    """

    index: int
    refused: Refused
    payload: Any
    received_at: int


Tell = Callable[[str, Sequence[Rejected]], Awaitable[None]]
"""Is told of the workspace and of what was refused in it, before the sender has its answer."""


async def tell(workspace: str, rejected: Sequence[Rejected]) -> None:
    """Count what was refused, and log why; the calls themselves are not kept."""
    for one in rejected:
        REFUSED.labels(one.refused.code).inc()
    get_logger().info(
        "calls_refused",
        workspace=workspace,
        count=len(rejected),
        calls=[
            {"message_id": one.refused.message_id, "code": one.refused.code}
            for one in rejected[:MOST_TOLD]
        ],
    )
