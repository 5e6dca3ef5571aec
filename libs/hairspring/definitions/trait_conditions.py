"""Conditions on traits: `profile`, `date` and `anniversary`."""

from collections.abc import Mapping
from functools import cache, partial
from typing import Any
from zoneinfo import available_timezones

from hairspring.definitions.durations import UNITS
from hairspring.definitions.fields import Field
from hairspring.definitions.patterns import Body
from hairspring.definitions.problems import quoted
from hairspring.definitions.yaml_nodes import Entries, Scalar, ScalarKind
from hairspring.engine import calendar
from hairspring.engine import conditions as engine
from hairspring.expressions import BadExpression, compile_traits, unset_traits
from hairspring.expressions.cel import LONGEST

LONGEST_TRAIT = 255
_YEAR = 365 * UNITS["d"]
_SPAN = ("trait", "from", "until")


def read_profile(field: Field) -> str | None:
    """The canonical form of `profile`."""
    text = field.expression("`profile`", longest=LONGEST, example='traits.plan == "gold"')
    if text is None:
        return None
    try:
        compile_traits(text)
    except BadExpression as error:
        for flaw in error.flaws:
            field.refuse_inside(flaw.line, flaw.column, flaw.message)
        return None
    return text.strip()


def read_date(field: Field) -> Body:
    """The canonical form of `date`."""
    if _is_bare(field):
        return {}
    return _span(field.entries("`date`", _SPAN, required=_SPAN))


def read_anniversary(field: Field) -> Body:
    """The canonical form of `anniversary`."""
    if _is_bare(field):
        return {}
    entries = field.entries("`anniversary`", (*_SPAN, "timezone"), required=_SPAN)
    body = _span(entries)
    far = [key for key in ("from", "until") if body[key] is not None and abs(body[key]) > _YEAR]
    for key in far:
        entries[key].refuse(f"`{key}` is at most 365d from an anniversary, there is one each year")
    begin, end = body["from"], body["until"]
    if not far and begin is not None and end is not None and end - begin > _YEAR:
        entries["until"].refuse(
            "this always holds: from `from` to `until` it is more than a year; write a shorter time"
        )
    body |= {"timezone": "UTC", "timezone_trait": None}
    if "timezone" in entries:
        body |= _timezone(entries["timezone"])
    return body


def _is_bare(field: Field) -> bool:
    """Whether it is the bare name of a trait; the answer says how to go on."""
    node, keyword = field.node, field.path.rsplit(".", 1)[-1]
    if not isinstance(node, Scalar) or node.kind is ScalarKind.NULL:
        return False
    name = node.value[:60].removeprefix("traits.")
    field.refuse(f"write `{keyword}: {{trait: {name}, from: 0s, until: 1d}}`")
    return True


def _span(entries: Mapping[str, Field]) -> Body:
    body: Body = {"trait": None, "from": None, "until": None}
    if "trait" in entries:
        body["trait"] = _trait(entries["trait"])
    for key in ("from", "until"):
        if key in entries:
            body[key] = entries[key].duration(f"`{key}`", signed=True)
    begin, end = body["from"], body["until"]
    if begin is not None and end is not None and begin >= end:
        entries["until"].refuse(
            "this can never hold: `until` must be later than `from`; the three days before are "
            "`from: -3d, until: 0s`"
        )
    return body


def _trait(field: Field) -> str | None:
    node = field.node
    if isinstance(node, Scalar) and node.kind is ScalarKind.TIMESTAMP:
        field.refuse("`trait` is the name of a trait that has a date, such as trial_ends")
        return None
    text = field.text("`trait`", longest=LONGEST_TRAIT)
    if text is not None and text.startswith("traits."):
        field.refuse(f"write the name of the trait alone: {quoted(text.removeprefix('traits.'))}")
        return None
    return text


def _timezone(field: Field) -> Body:
    if isinstance(field.node, Entries):
        entries = field.entries("`timezone`", ("trait",), required=("trait",))
        return {"timezone_trait": _trait(entries["trait"]) if "trait" in entries else None}
    name = field.text("`timezone`", longest=64)
    if name is not None and name.startswith("traits."):
        field.refuse(f"write {{trait: {name.removeprefix('traits.')}}}")
    elif name is not None and not calendar.is_zone(name):
        near = _cities().get(name.lower().replace(" ", "_"), "one such as Europe/Berlin")
        field.refuse(
            f"there is no time zone {quoted(name)}; write {near}, or {{trait: NAME}} for the zone "
            "that a trait names"
        )
    return {"timezone": name}


@cache
def _cities() -> Mapping[str, str]:
    """The zones by their cities, in lower case."""
    return {zone.rsplit("/", 1)[-1].lower(): zone for zone in sorted(available_timezones())}


def build_profile(text: str) -> engine.Condition:
    """The engine's `profile`."""
    unset = partial(unset_traits, text)
    return engine.Traits(text=text, predicate=compile_traits(text), unset=unset)


def build_date(body: Mapping[str, Any]) -> engine.Condition:
    """The engine's `date`."""
    return engine.Date(trait=body["trait"], begin=body["from"], end=body["until"])


def build_anniversary(body: Mapping[str, Any]) -> engine.Condition:
    """The engine's `anniversary`."""
    return engine.Anniversary(
        trait=body["trait"],
        begin=body["from"],
        end=body["until"],
        timezone=body["timezone"],
        timezone_trait=body["timezone_trait"],
    )
