"""Values: what YAML says of a property or a trait, as JSON would have it."""

import math
import re
from typing import Any

from hairspring.definitions.fields import Field, storable
from hairspring.definitions.problems import quoted
from hairspring.definitions.yaml_nodes import Entries, Items, Scalar, ScalarKind

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


def mapping(field: Field, what: str) -> dict[str, Any]:
    """A mapping of any values; what has no form in JSON is noted."""
    if not isinstance(field.node, Entries):
        field.refuse(f"{what} is a mapping such as {{price: 39}}")
        return {}
    found = value(field)
    return found if isinstance(found, dict) else {}


def value(field: Field) -> Any:
    """Any value; what has no form in JSON is noted."""
    match field.node:
        case Scalar() as node:
            return _scalar(field, node)
        case Items() as node:
            parts = enumerate(node.items)
            return [value(_part(field, f"[{index}]", part)) for index, part in parts]
        case Entries() as node:
            return _entries(field, node)


def _entries(field: Field, node: Entries) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, part in node.entries:
        if key.value in found or key.value == "<<" or not storable(key.value):
            what = "is there twice" if key.value in found else "cannot be a key here"
            _part(field, "", key).refuse(f"{quoted(key.value)} {what}")
        found[key.value] = value(_part(field, f".{key.value[:60]}", part))
    return found


def _part(field: Field, place: str, node: Any) -> Field:
    return Field(path=field.path + place, node=node, report=field.report)


def _scalar(field: Field, node: Scalar) -> Any:
    text = node.value
    match node.kind:
        case ScalarKind.NULL:
            return None
        case ScalarKind.BOOL:
            if text.lower() in ("true", "false"):
                return text.lower() == "true"
            field.refuse(f"YAML reads {quoted(text)} as true or false: write which, or put quotes")
            return None
        case ScalarKind.INT | ScalarKind.FLOAT:
            return _number(field, text)
        case ScalarKind.TEXT if _NUMBER.fullmatch(text) and _plain(field, node):
            return _number(field, text)  # such as 1e3, which YAML 1.1 takes for a text
    if not storable(text):
        field.refuse("this has a character that is no text")
        return None
    return text


def _plain(field: Field, node: Scalar) -> bool:
    """Whether a scalar stands without quotes."""
    return field.report.text[node.start.index : node.end] == node.value


def _number(field: Field, text: str) -> int | float | None:
    if _WHOLE.fullmatch(text) and -(2**63) <= int(text) < 2**63:
        return int(text)
    if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    field.refuse(f"write {quoted(text)} as a plain number, or in quotes if it is a text")
    return None
