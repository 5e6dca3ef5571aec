"""What senders are answered: what Segment answers, since that is what their SDKs understand."""

from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import orjson
from aiohttp import web
from hairspring.runtime import errors
from hairspring.services.ingest.collecting.bodies import BadBody, TooLarge
from hairspring.services.ingest.collecting.refusals import Rejected

AGAIN_SECONDS = 1
"""When a sender is asked to try again."""

MOST_TOLD = 100
"""Of how many refused calls one answer tells."""

_DONE = b'{"success":true}'


def again(seconds: int = 0) -> dict[str, str]:
    """Answer the headers that ask to try again, after so many seconds or the usual time."""
    wait = str(max(AGAIN_SECONDS, seconds))
    return {
        "Retry-After": wait,
        "X-RateLimit-Reset": wait,
        "Access-Control-Expose-Headers": "Retry-After, X-RateLimit-Reset",
    }


def collected(rejected: Sequence[Rejected]) -> web.Response:
    """Answer that what was sound is committed, and tell what was refused.

    It is 200 all the same: on anything else an SDK would send the whole again, or drop it all.
    """
    if not rejected:
        return web.Response(body=_DONE, content_type="application/json")
    refused = [
        {
            "index": one.index,
            "messageId": one.refused.message_id,
            "code": one.refused.code,
            "message": one.refused.problem,
        }
        for one in rejected[:MOST_TOLD]
    ]
    return json({"success": False, "refused": refused, "refusedCount": len(rejected)})


def failed(error: BaseException) -> web.Response | None:
    """Answer an error by the table of `errors`; None for one that nobody foresaw.

    400 and 413 are for what can never succeed; 429 and 503 ask to try again.
    """
    if isinstance(error, TooLarge):
        return problem(413, error.code, error.message)
    if isinstance(error, BadBody):
        return problem(400, error.code, error.message)
    code = errors.code_of(error)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return problem(400, "invalid", str(error))
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return problem(401, "invalid_write_key", str(error))
    if code is grpc.StatusCode.PERMISSION_DENIED:
        return problem(403, "not_for_writing", str(error))
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        wait_ms = error.retry_ms if isinstance(error, errors.Exhausted) else 0
        return problem(429, "too_many_requests", str(error), again(-(-wait_ms // 1000)))
    if code is grpc.StatusCode.UNAVAILABLE:
        told = error.message if isinstance(error, errors.Problem) else errors.AWAY
        return problem(503, "unavailable", told, again())
    return None


def problem(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Answer an error as the SDKs read it."""
    told = {"success": False, "code": code, "message": message}
    return json(told, status=status, headers=headers)


def json(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Answer a value as JSON."""
    return web.Response(
        body=orjson.dumps(value), status=status, headers=headers, content_type="application/json"
    )
