"""The one place that is told of what was refused: it is counted, logged and kept."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from hairspring.runtime.logging import get_logger
from hairspring.services.ingest.collecting.bodies import Damaged, Envelope
from hairspring.services.ingest.collecting.kinds import Kind
from hairspring.services.ingest.collecting.normalising import Refused
from hairspring.services.ingest.metrics import REFUSED
from hairspring.services.ingest.rejecting import BODY, CALL, Reject, RejectLog, reject_of

MOST_TOLD = 20
"""Of how many refused calls of a request one log line tells."""

NOT_FOR_US = "not_for_us"
"""Why a call is refused whose sender does not want it processed: then it is not kept either."""

_KEY = re.compile(rb'"writeKey"\s*:\s*"[^"]*"?')
"""A write key where it stands in a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A refused call: where it stood in its request, why, and the call itself as it was read.

    Where a batch has too many calls it is the list of them. `received_at` is in ms since the
    epoch, UTC; `kind` is what the path said, and the envelope what the batch said for all.
    """

    index: int
    refused: Refused
    payload: Any
    received_at: int
    kind: Kind | None = None
    envelope: Envelope | None = None


Tell = Callable[[str, Sequence[Rejected]], Awaitable[None]]
"""Is told of the workspace and of what was refused in it, before the sender has its answer."""


def teller(rejects: RejectLog) -> Tell:
    """Make what is told: it raises Unavailable where nothing can be kept just now."""

    async def tell(workspace: str, rejected: Sequence[Rejected]) -> None:
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
        await rejects.add([to_reject(workspace, one) for one in rejected])

    return tell


def to_reject(workspace: str, rejected: Rejected) -> Reject:
    """Make a reject of a refused call; a write key that stands in it is left out."""
    payload, source = _written(rejected.payload)
    of = rejected.payload if isinstance(rejected.payload, dict) else {}
    return reject_of(
        workspace,
        rejected.received_at,
        source,
        rejected.refused.code,
        rejected.refused.problem,
        payload=payload,
        envelope=_envelope(rejected.envelope),
        withheld=rejected.refused.code == NOT_FOR_US,
        message_id=rejected.refused.message_id,
        profile=_id(of.get("userId")) or _id(of.get("anonymousId")),
        kind=rejected.kind.value if rejected.kind else "",
    )


def _written(payload: Any) -> tuple[bytes, str]:
    """Write a call as JSON again, where that can be; what is none is kept as text."""
    if isinstance(payload, bytes):
        return _without_keys(payload), BODY
    if isinstance(payload, Damaged):
        return _without_keys(payload.text), BODY
    if isinstance(payload, dict) and "writeKey" in payload:
        payload = {name: value for name, value in payload.items() if name != "writeKey"}
    try:
        written = orjson.dumps(payload)
    except (orjson.JSONEncodeError, RecursionError):
        return b"", BODY
    return (written, CALL) if isinstance(payload, dict) else (_without_keys(written), BODY)


def _without_keys(text: bytes) -> bytes:
    return _KEY.sub(b'"writeKey":"***"', text)


def _envelope(envelope: Envelope | None) -> bytes:
    """Write what a batch says for all of its calls, but for its key."""
    if envelope is None:
        return b""
    said: Mapping[str, Any] = {
        "context": envelope.context,
        "integrations": envelope.integrations,
        "sentAt": envelope.sent_at,
    }
    said = {name: value for name, value in said.items() if value}
    try:
        return orjson.dumps(said) if said else b""
    except orjson.JSONEncodeError:
        return b""


def _id(said: object) -> str:
    return said if isinstance(said, str) else str(said) if isinstance(said, int) else ""
