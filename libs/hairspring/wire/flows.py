"""Flows and templates as values, read from the canonical JSON bodies of DefinitionService."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

EMAIL = "email"


class UnreadableDefinition(ValueError):
    """A definition's body is not what this version of Hairspring understands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A step that lets `for_ms` milliseconds pass."""

    for_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """A step that sends a message made from a template."""

    template: str
    channel: str = EMAIL


Step: TypeAlias = Wait | Send


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What happens, step by step, after somebody has entered the trigger's segment.

    `cooldown_ms` is the least time between two starts for one profile; None for no such limit.
    """

    name: str
    entered: str
    cooldown_ms: int | None = None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What a message is made from, in Liquid. `text` is empty where it is made from the HTML."""

    name: str
    channel: str = EMAIL
    subject: str
    html: str
    text: str = ""


def flow_from_json(body: bytes) -> Flow:
    """Read the canonical body of a flow. Raises UnreadableDefinition."""
    fields = _mapping(_loaded(body), "the flow")
    name = _text(fields, "name")
    trigger = _mapping(fields.get("trigger"), f"the trigger of {name}")
    reentry = fields.get("reentry")
    cooldown = None if reentry is None else _mapping(reentry, "reentry").get("cooldown")
    steps = fields.get("steps")
    if not isinstance(steps, list):
        raise UnreadableDefinition(f"the flow {name} has no list of steps")
    return Flow(
        name=name,
        entered=_text(trigger, "entered"),
        cooldown_ms=None if cooldown is None else _milliseconds(cooldown),
        steps=tuple(_step(step) for step in steps),
    )


def template_from_json(body: bytes) -> Template:
    """Read the canonical body of a template. Raises UnreadableDefinition."""
    fields = _mapping(_loaded(body), "the template")
    return Template(
        name=_text(fields, "name"),
        channel=_text(fields, "channel", EMAIL),
        subject=_text(fields, "subject"),
        html=_text(fields, "html", ""),
        text=_text(fields, "text", ""),
    )


def _step(body: object) -> Step:
    fields = _mapping(body, "a step")
    if set(fields) == {"wait"}:
        return Wait(for_ms=_milliseconds(fields["wait"]))
    if set(fields) == {"send"}:
        send = _mapping(fields["send"], "a send step")
        return Send(template=_text(send, "template"), channel=_text(send, "channel", EMAIL))
    raise UnreadableDefinition(f"a step is either wait or send, not {sorted(fields)}")


def _loaded(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError as error:
        raise UnreadableDefinition(f"the body is no JSON: {error}") from error


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UnreadableDefinition(f"{what} is no mapping")
    return value


def _text(fields: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = fields.get(key)
    if value is None:
        value = default
    if not isinstance(value, str):
        raise UnreadableDefinition(f"{key} is no text")
    return value


def _milliseconds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UnreadableDefinition(f"a duration is a whole number of milliseconds, not {value!r}")
    return value
