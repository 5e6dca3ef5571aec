"""Reads the body of a request: what it says once for all of its calls, and the calls. Pure."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from hairspring.runtime.errors import InvalidInput
from hairspring.services.ingest.collecting.splitting import split
from hairspring.wire.json import BadJson, load

_GZIP = b"\x1f\x8b"


class BadBody(InvalidInput):
    """The body can never be taken as it is. `code` says why in a word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TooLarge(BadBody):
    """The body is larger than is read at all."""

    def __init__(self, most: int) -> None:
        super().__init__("too_large", f"the body is larger than {most} bytes; send less at once")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What a request says once for all of its calls."""

    context: Mapping[str, Any] = field(default_factory=dict)
    integrations: Mapping[str, Any] = field(default_factory=dict)
    sent_at: object = None
    write_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A call of a batch that is no JSON, why, and what it says."""

    problem: str
    text: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A request: the envelope, and each call as it was read."""

    envelope: Envelope
    payloads: list[Any]


def unpacked(data: bytes, most: int) -> bytes:
    """Answer a body as it is, or unpacked where it is gzip and no header said so.

    Raises TooLarge for what unpacks to more than `most` bytes, BadBody for damaged gzip.
    """
    if not data.startswith(_GZIP):
        return data
    packed = zlib.decompressobj(wbits=31)
    try:
        plain = packed.decompress(data, most + 1)
    except zlib.error as error:
        raise BadBody("invalid_gzip", f"the body cannot be unpacked: {error}") from None
    if len(plain) > most:
        raise TooLarge(most)
    if not packed.eof:
        raise BadBody("invalid_gzip", "the body cannot be unpacked: it ends too early")
    return plain


def read_single(data: bytes) -> Body:
    """Read the body of a single call. Raises BadBody."""
    payload = _object(_read(data))
    return Body(envelope=Envelope(write_key=_text(payload.get("writeKey"))), payloads=[payload])


def read_batch(data: bytes, *, most: int = 2_500) -> Body:
    """Read the body of a batch; a call that is no JSON is Damaged. Raises BadBody for the rest.

    A body that is no JSON as a whole is read call by call, if it has at most so many.
    """
    try:
        whole = _object(orjson.loads(data))
        payloads = whole.get("batch")
    except orjson.JSONDecodeError:
        whole, payloads = _apart(data, most)
    if not isinstance(payloads, list):
        raise BadBody("no_batch", 'there is no list "batch" in the body')
    envelope = Envelope(
        context=_mapping(whole.get("context")),
        integrations=_mapping(whole.get("integrations")),
        sent_at=whole.get("sentAt"),
        write_key=_text(whole.get("writeKey")) or _key_inside(payloads),
    )
    return Body(envelope=envelope, payloads=payloads)


def _apart(data: bytes, most: int) -> tuple[dict[str, Any], object]:
    """Read a batch call by call."""
    parts = split(data)
    if parts is None:
        whole = _object(_read(data))
        return whole, whole.get("batch")
    envelope, calls = parts
    if len(calls) > most:
        raise BadBody("too_large", f"{len(calls)} calls in one batch; at most {most} are taken")
    return _object(_read(envelope)), [_read_call(call) for call in calls]


def _read_call(data: bytes) -> object:
    try:
        return load(data, what="the call")
    except BadJson as error:
        return Damaged(problem=str(error), text=data)


def _read(data: bytes) -> object:
    try:
        return load(data, what="the body")
    except BadJson as error:
        raise BadBody("invalid_json", str(error)) from None


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadBody("invalid_json", "the body must be a JSON object")
    return value


def _key_inside(payloads: list[Any]) -> str:
    """Answer the write key of the first call, which some senders write there."""
    first = payloads[0] if payloads else None
    return _text(first.get("writeKey")) if isinstance(first, dict) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
