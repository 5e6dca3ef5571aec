"""Calls that come as the address of a picture, for mails and pages without scripts. Pure."""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hairspring.services.ingest.collecting.bodies import Body, Envelope, read_single

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""A transparent picture of one pixel."""

_NOT_THE_CALL = ("writeKey", "data")
_DEEPEST = 8


def read_query(query: Iterable[tuple[str, str]]) -> Body:
    """Read a call from a query: `properties.title=Home` is inside `properties`.

    `data` may hold the call as JSON in base64, as Segment's pixel has it; the rest is laid over
    it. Raises BadBody where that is no JSON.
    """
    pairs = list(query)
    packed = next((value for name, value in pairs if name == "data"), "")
    body = read_single(_decoded(packed)) if packed else Body(envelope=Envelope(), payloads=[{}])
    for name, value in pairs:
        if name not in _NOT_THE_CALL:
            _put(body.payloads[0], name.split(".", _DEEPEST), value)
    key = next((value for name, value in pairs if name == "writeKey"), "")
    return replace(body, envelope=Envelope(write_key=key)) if key else body


def _put(payload: dict[str, Any], path: list[str], value: str) -> None:
    for part in path[:-1]:
        inner = payload.get(part)
        if not isinstance(inner, dict):
            inner = payload[part] = {}
        payload = inner
    payload[path[-1]] = value


def _decoded(text: str) -> bytes:
    """Decode base64 in either alphabet; what is none is read as it is, and so refused."""
    plain = text.replace("-", "+").replace("_", "/").replace(" ", "+")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
        return text.encode()
