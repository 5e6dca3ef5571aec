"""Conditions on what somebody did: `performed`, `abandoned`, `sequence` and `inactive`."""

from collections.abc import Mapping
from typing import Any

from hairspring.definitions import comparisons, durations, hints, patterns
from hairspring.definitions.fields import Field, described
from hairspring.definitions.patterns import Body
from hairspring.definitions.problems import listed
from hairspring.definitions.yaml_nodes import Entries, Items, Scalar, ScalarKind
from hairspring.engine import conditions as engine
from hairspring.engine.conditions.comparison import AT_LEAST_ONCE

MOST_STEPS = 20

#: What else a condition needs besides an event, for the answer to a bare event name.
_NEEDED = {"abandoned": ("unless", "after"), "inactive": ("for",), "aggregate": ("of", "fn", "is")}


def read_performed(field: Field) -> Body | None:
    """The canonical form of `performed`."""
    keys = (*patterns.KEYS, *patterns.BY, "times", "within", "since")
    if not is_pattern_mapping(field, keys):
        return None
    before = len(field.report.problems)
    entries = field.entries("`performed`", keys, required=("event",))
    body = patterns.read(entries, by=True)
    body |= {"times": str(AT_LEAST_ONCE)} | read_choice(entries)
    if "times" in entries:
        body["times"] = comparisons.read(entries["times"])
    if len(field.report.problems) > before:
        return body
    holds_at_zero = comparisons.parse(body["times"]).holds(0)
    if body["by"] is not None and holds_at_zero:
        entries["times"].refuse(
            f"with `by`, '{body['times']}' would hold for every group that nobody ever named; "
            f"write '{comparisons.opposite(body['times'])}', and put `not` around the condition"
        )
    elif body["since"] is not None and patterns.covers(body["since"], body):
        entries["since"].refuse(
            "every event that is counted is also one to count anew from, so the count is always 0, "
            f"and '{body['times']}' {'always' if holds_at_zero else 'never'} holds; name another "
            "event in `since`"
        )
    return body


def read_choice(entries: Mapping[str, Field]) -> Body:
    """The canonical form of `within` and `since`, which choose the events that count."""
    body: Body = {"within": None, "since": None}
    if "within" in entries:
        body["within"] = entries["within"].duration("`within`")
    if "since" in entries:
        body["since"] = patterns.read_cut(entries["since"], "since", by="by" in entries)
    return body


def read_abandoned(field: Field) -> Body | None:
    """The canonical form of `abandoned`."""
    keys = (*patterns.KEYS, *patterns.BY, "unless", "after", "restart")
    if not is_pattern_mapping(field, keys):
        return None
    before = len(field.report.problems)
    entries = field.entries("`abandoned`", keys, required=("event", "unless", "after"))
    body = patterns.read(entries, by=True)
    body |= {"unless": None, "after": None, "restart": True}
    if "unless" in entries:
        body["unless"] = patterns.read_cut(entries["unless"], "unless", by="by" in entries)
    if "after" in entries:
        body["after"] = entries["after"].duration("`after`")
    if "restart" in entries:
        body["restart"] = entries["restart"].flag("`restart`")
    sound = len(field.report.problems) == before
    if sound and patterns.covers(body["unless"], body):
        entries["unless"].refuse(
            "this can never hold: every event that starts it also ends it at once; name another "
            "event in `unless`"
        )
    return body


def read_sequence(field: Field) -> Body:
    """The canonical form of `sequence`."""
    keys = ("steps", "within", "recent", *patterns.BY)
    if isinstance(field.node, Items):
        field.refuse("write the list under `steps`: `sequence: {steps: [...]}`")
        return {}
    entries = field.entries("`sequence`", keys, required=("steps",))
    body: Body = {"steps": [], "within": None, "recent": None, "by": patterns.read_by(entries)}
    if "steps" in entries:
        steps = entries["steps"].items("`steps`")
        if len(steps) == 1:
            entries["steps"].refuse("a sequence has two steps or more; for one, write `performed`")
        elif len(steps) > MOST_STEPS:
            entries["steps"].refuse(f"a sequence has at most {MOST_STEPS} steps")
        body["steps"] = [patterns.read_step(step) for step in steps[:MOST_STEPS]]
    for key in ("within", "recent"):
        if key in entries:
            body[key] = entries[key].duration(f"`{key}`")
    return body


def read_inactive(field: Field) -> Body | None:
    """The canonical form of `inactive`."""
    keys = (*patterns.KEYS, "for")
    if not is_pattern_mapping(field, keys):
        return None
    entries = field.entries("`inactive`", keys, required=("event", "for"))
    wait = entries["for"].duration("`for`") if "for" in entries else None
    return patterns.read(entries) | {"for": wait}


def is_pattern_mapping(field: Field, keys: tuple[str, ...]) -> bool:
    """Whether it is one; a bare event name is a mistake so near that the answer says it all."""
    node, keyword = field.node, field.path.rsplit(".", 1)[-1]
    if isinstance(node, Scalar) and node.kind is not ScalarKind.NULL:
        event = "NAME" if durations.is_one(node.value) else node.value[:60]
        rest = "".join(f", {hints.EXAMPLES[key]}" for key in _NEEDED.get(keyword, ()))
        field.refuse(f"write `{keyword}: {{event: {event}{rest}}}`")
        return False
    if not isinstance(node, Entries):
        known = listed(keys, "and")
        field.refuse(f"`{keyword}` is a mapping with {known}, not {described(node)}")
        return False
    return True


def build_performed(body: Mapping[str, Any]) -> engine.Condition:
    """The engine's `performed`."""
    since = body["since"]
    return engine.Performed(
        pattern=patterns.build(body),
        times=comparisons.parse(body["times"]),
        within=body["within"],
        since=patterns.build(since) if since is not None else None,
    )


def build_abandoned(body: Mapping[str, Any]) -> engine.Condition:
    """The engine's `abandoned`."""
    return engine.Abandoned(
        pattern=patterns.build(body),
        unless=patterns.build(body["unless"]),
        after=body["after"],
        restart=body["restart"],
    )


def build_sequence(body: Mapping[str, Any]) -> engine.Condition:
    """The engine's `sequence`."""
    by = {"by": body["by"]}
    return engine.Sequence(
        steps=tuple(patterns.build(step | by) for step in body["steps"]),
        within=body["within"],
        recent=body["recent"],
    )


def build_inactive(body: Mapping[str, Any]) -> engine.Condition:
    """The engine's `inactive`."""
    return engine.Inactive(pattern=patterns.build(body), wait=body["for"])
