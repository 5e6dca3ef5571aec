"""Makes the event of the contract out of one call of an SDK, or says why not. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from hairspring.contracts.event.v1 import event_pb2
from hairspring.runtime.errors import InvalidInput
from hairspring.services.ingest.collecting.bodies import Damaged, Envelope
from hairspring.services.ingest.collecting.identity import NoIdentity, check_identity, text_of
from hairspring.services.ingest.collecting.kinds import Kind, kind_of
from hairspring.services.ingest.collecting.timing import Times, time_of
from hairspring.services.ingest.judging import check_id
from hairspring.wire.events import PROFILE_ALIASED
from hairspring.wire.times import DAY_MS, set_ms

VIEWS = {Kind.PAGE: "Page Viewed", Kind.SCREEN: "Screen Viewed"}
GROUP_JOINED = "Group Joined"

OURS = ("Hairspring", "Segment.io", "RudderStack")
"""The names under `integrations` by which a sender means us."""


_TYPES = {
    Kind.IDENTIFY: event_pb2.EVENT_TYPE_IDENTIFY,
    Kind.ALIAS: event_pb2.EVENT_TYPE_ALIAS,
}
"""All others are events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A call that can never be taken as it is: why, in a word and in a sentence."""

    code: str
    problem: str
    message_id: str = ""


class _No(Exception):
    """Carries a reason from where it is found to the one place that answers it."""

    def __init__(self, code: str, problem: str) -> None:
        super().__init__(problem)
        self.code, self.problem = code, problem


def normalise(
    payload: object,
    *,
    kind: Kind | None,
    envelope: Envelope,
    received_at: int,
    farthest: int = 7 * DAY_MS,
) -> event_pb2.Event | Refused:
    """Make an event of a call; without a `kind` the payload says which it is.

    `received_at` is in ms since the epoch, UTC; clocks that differ by more than `farthest` (ms) are
    not corrected.
    """
    if not isinstance(payload, dict):
        problem = payload.problem if isinstance(payload, Damaged) else "a call is a JSON object"
        return Refused(code="invalid_json", problem=problem)
    try:
        return _event(
            payload,
            _kind(payload) if kind is None else kind,
            envelope,
            time_of(payload, sent_at=envelope.sent_at, received_at=received_at, farthest=farthest),
        )
    except _No as no:
        code, problem = no.code, no.problem
    except NoIdentity as error:
        code, problem = "no_user_anon_id", error.message
    except InvalidInput as error:
        code = "bad_id" if "field" in error.metadata else "too_deep"
        problem = error.message
    return Refused(code=code, problem=problem, message_id=message_id_of(payload))


def message_id_of(payload: Mapping[str, Any]) -> str:
    """Answer the message id of a payload, for telling of it; empty where it has none."""
    said = payload.get("messageId")
    return said[:255] if isinstance(said, str) else ""


def dumped(value: object) -> bytes:
    """Write what was read as JSON. Raises InvalidInput where it is nested too deeply to write."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise InvalidInput(f"it cannot be written again: {error}") from None


def _kind(payload: Mapping[str, Any]) -> Kind:
    said = payload.get("type")
    kind = kind_of(said)
    if kind is None:
        kinds = ", ".join(kind.value for kind in Kind)
        raise _No("unknown_type", f"type must be one of {kinds}, not {str(said)[:40]!r}")
    return kind


def _event(
    payload: Mapping[str, Any], kind: Kind, envelope: Envelope, times: Times
) -> event_pb2.Event:
    if not _meant_for_us(payload.get("integrations"), envelope.integrations):
        raise _No("not_for_us", "its integrations say that it is not to be processed")
    known = text_of("userId", payload.get("userId"))
    anonymous = text_of("anonymousId", payload.get("anonymousId"))
    check_identity(known, anonymous)
    context = _context(payload, envelope)
    name, properties = _content(kind, payload, context)
    event = event_pb2.Event(
        message_id=text_of("messageId", payload.get("messageId")),
        profile_id=known,
        anonymous_id=anonymous,
        name=name,
        type=_TYPES.get(kind, event_pb2.EVENT_TYPE_TRACK),
        properties_json=dumped(properties) if properties else b"{}",
        context_json=dumped(context) if context else b"",
    )
    if kind is Kind.ALIAS:
        event.previous_id = properties["previous_id"]
    _set_times(event, times)
    return event


def _content(
    kind: Kind, payload: Mapping[str, Any], context: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]]:
    """Find the name of the event and its properties; an identify has no name, but traits."""
    if kind is Kind.TRACK:
        return _name(payload.get("event")), _object(payload, "properties")
    if kind is Kind.IDENTIFY:
        return "", {**_object(context, "traits"), **_object(payload, "traits")}
    if kind is Kind.GROUP:
        return GROUP_JOINED, _group(payload)
    if kind is Kind.ALIAS:
        return PROFILE_ALIASED, _alias(payload)
    return VIEWS[kind], _view(payload)


def _name(said: object) -> str:
    if not isinstance(said, str) or not said.strip():
        raise _No("no_event_name", "event must be a text that says what happened")
    return said


def _view(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Find the properties of a page or screen, with its name and category among them."""
    said = {
        "name": payload.get("name") or payload.get("event"),
        "category": payload.get("category"),
    }
    told = {key: value for key, value in said.items() if isinstance(value, str) and value}
    return {**told, **_object(payload, "properties")}


def _group(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    group = text_of("groupId", payload.get("groupId"))
    if not group:
        raise _No("no_group_id", "groupId says which group was joined; it is missing")
    return {"group_id": group, "traits": _object(payload, "traits")}


def _alias(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Find which id is the same person's as the one that the call belongs to."""
    known = text_of("userId", payload.get("userId"))
    previous = text_of("previousId", payload.get("previousId"))
    previous = previous or text_of("anonymousId", payload.get("anonymousId"))
    if not known or not previous:
        raise _No("no_alias", "an alias call needs userId, and previousId or anonymousId")
    check_id("previousId", previous)
    return {"previous_id": previous}


def _context(payload: Mapping[str, Any], envelope: Envelope) -> Mapping[str, Any]:
    own = _object(payload, "context")
    return {**envelope.context, **own} if envelope.context else own


def _meant_for_us(own: object, shared: Mapping[str, Any]) -> bool:
    """Tell whether the integrations of a call, else those of its envelope, let us have it."""
    if not own and not shared:
        return True
    said = {**shared, **own} if isinstance(own, dict) else shared
    for name in OURS:
        if name in said:
            return said[name] is not False
    return said.get("All", said.get("all")) is not False


def _object(holder: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = holder.get(key)
    if isinstance(value, dict):
        return value
    if value not in (None, [], ""):  # PHP writes an empty object as an empty list.
        raise _No("not_an_object", f"{key} must be an object")
    return {}


def _set_times(event: event_pb2.Event, times: Times) -> None:
    set_ms(event.occur_time, times.at)
    timing = event.timing
    timing.rule = times.rule
    set_ms(timing.receive_time, times.received_at)
    if times.original is not None:
        set_ms(timing.original_time, times.original)
    if times.sent_at is not None:
        set_ms(timing.send_time, times.sent_at)
