"""Flows: from YAML to their canonical form."""

from collections.abc import Mapping

from hairspring.definitions.conditions import read_name
from hairspring.definitions.fields import Field
from hairspring.definitions.kinds import Kind
from hairspring.definitions.patterns import Body
from hairspring.definitions.problems import listed, quoted
from hairspring.definitions.yaml_nodes import Entries

KEYS = ("description", "trigger", "reentry", "steps")
REQUIRED = ("trigger", "steps")
MOST_STEPS = 100
CHANNELS = ("email",)

_STEPS = ("wait", "send")


def read(entries: Mapping[str, Field]) -> Body:
    """The canonical form of what a flow has besides name and description."""
    body: Body = {"trigger": None, "reentry": None, "steps": []}
    if "trigger" in entries:
        body["trigger"] = _trigger(entries["trigger"])
    if "reentry" in entries:
        found = entries["reentry"].entries("`reentry`", ("cooldown",), required=("cooldown",))
        if "cooldown" in found:
            body["reentry"] = {"cooldown": found["cooldown"].duration("`cooldown`")}
    if "steps" in entries:
        steps = entries["steps"].items("`steps`")
        if len(steps) > MOST_STEPS:
            entries["steps"].refuse(f"a flow has at most {MOST_STEPS} steps")
        body["steps"] = [_step(step) for step in steps[:MOST_STEPS]]
    return body


def read_channel(field: Field) -> str | None:
    """The name of a channel."""
    channel = field.text("`channel`", longest=60)
    if channel is not None and channel not in CHANNELS:
        field.refuse(f"{quoted(channel)} is no channel; there is {listed(CHANNELS, 'and')}")
        return None
    return channel


def _trigger(field: Field) -> Body:
    found = field.entries("`trigger`", ("entered",), required=("entered",))
    name = None
    if "entered" in found:
        name = read_name(found["entered"], Kind.SEGMENT, "the name of a segment")
    return {"entered": name}


def _step(field: Field) -> Body | None:
    node = field.node
    if isinstance(node, Entries) and len(node.entries) != 1:
        field.refuse(f"a step has exactly one of {listed(_STEPS)}")
        return None
    found = field.entries("a step", _STEPS)
    if "wait" in found:
        return {"wait": found["wait"].duration("`wait`")}
    if "send" in found:
        return {"send": _send(found["send"])}
    return None


def _send(field: Field) -> Body:
    found = field.entries("`send`", ("template", "channel"), required=("template",))
    body: Body = {"template": None, "channel": CHANNELS[0]}
    if "template" in found:
        body["template"] = read_name(found["template"], Kind.TEMPLATE, "the name of a template")
    if "channel" in found:
        body["channel"] = read_channel(found["channel"])
    return body
