"""Comparisons: `>= 3` of a count, `>= 99.5` or `== "gold"` of an aggregate."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from hairspring.definitions.fields import Field, described, storable
from hairspring.definitions.yaml_nodes import Items, Node, Scalar
from hairspring.engine.conditions.comparison import OPERATORS, Comparison, Threshold

#: The highest number that a count is compared with: so many events are remembered to decide it.
HIGHEST = 10_000

Body = dict[str, Any]

_OPPOSITES = {">=": "<", "<": ">=", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}

_TURNED = re.compile(r"=([<>])\s*([0-9.]{1,30})")
_IN_WORDS = re.compile(r"(at least|at most|exactly|over|under) +([0-9]{1,12})", re.IGNORECASE)
_OR_MORE = re.compile(r"([0-9]{1,12}) *(?:\+|or more)")
_WORDS = {"at least": ">=", "at most": "<=", "exactly": "==", "over": ">", "under": "<"}
_DECORATED = re.compile(r"[<>=! ]{0,4}[$€£]? ?[0-9][0-9., '_]{0,30} ?(?:[$€£%]|[A-Za-z]{3})?")
_PLAIN = re.compile(r"[<>=! ]*[0-9.]+")
_WORD = re.compile(r"(==|!=)? *([\w-]{1,60})")

_WRITTEN = re.compile(r"(>=|>|==|!=|<=|<|=)?\s*(-?[0-9]{1,12})")


def parse(text: str) -> Comparison:
    """The comparison of a canonical form such as `>= 3`."""
    sign, number = text.split()
    return Comparison(operator=sign, number=int(number))


def opposite(text: str) -> str:
    """The comparison that holds where this one does not, both in canonical form."""
    comparison = parse(text)
    if comparison == Comparison(operator="==", number=0):
        return ">= 1"
    return str(Comparison(operator=_OPPOSITES[comparison.operator], number=comparison.number))


def read(field: Field) -> str | None:
    """The canonical form of a comparison that can both hold and not hold for some count."""
    node = field.node
    match = _WRITTEN.fullmatch(node.value.strip()) if isinstance(node, Scalar) else None
    if match is None:
        field.refuse(
            f"`times` is a comparison such as '>= 3', or a whole number for exactly so often, "
            f"not {described(node)}{_hint(node)}"
        )
        return None
    sign, digits = match[1] or "==", match[2]
    if sign not in OPERATORS:
        field.refuse(f"a comparison is one of {' '.join(OPERATORS)}; write '== {digits}'")
        return None
    if len(digits) > 1 and digits.startswith("0"):
        field.refuse("write the number without leading zeros, which YAML takes for octal")
        return None
    comparison = Comparison(operator=sign, number=int(digits))
    flaw = _impossible(comparison)
    if flaw is not None:
        field.refuse(flaw)
        return None
    return str(comparison)


_LIMIT = re.compile(
    r"(?P<sign>>=|>|==|!=|<=|<|=)?\s*"
    r"(?:(?P<number>-?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,3})?)"
    r"|(?P<text>\"(?:[^\"\\]|\\.)*\"|'[^']*'))",
    re.DOTALL,
)


def read_limit(field: Field, *, texts: bool, count: bool) -> Body | None:
    """The canonical form of what an aggregate is compared with.

    `texts` says that a text will do as well, `count` that it is a count that is compared.
    """
    node = field.node
    match = _LIMIT.fullmatch(node.value.strip()) if isinstance(node, Scalar) else None
    if match is None:
        more = ", or with a text in quotes, such as '== \"gold\"'" if texts else ""
        field.refuse(
            f"`is` is a comparison with a number, such as '>= 99.5'{more}, "
            f"not {described(node)}{_hint(node, texts=texts)}"
        )
        return None
    sign, text = match["sign"] or "==", match["text"]
    if sign not in OPERATORS:
        field.refuse(f"a comparison is one of {' '.join(OPERATORS)}; write '==' for '='")
        return None
    if text is not None:
        if texts:
            return _text_limit(field, sign, text)
        field.refuse(
            "only `first` and `last` compare with a text; the others give numbers, so write one, "
            "such as '>= 100'"
        )
        return None
    number = float(match["number"])
    if not math.isfinite(number):
        field.refuse("the number is beyond what a double can hold; write one below 1e308")
        return None
    flaw = _impossible_distinct(sign, number) if count else None
    if flaw is not None:
        field.refuse(flaw)
        return None
    return {"operator": sign, "value": number}


def build_limit(body: Mapping[str, Any]) -> Threshold:
    """The engine's comparison of a canonical form."""
    value = body["value"]
    return Threshold(
        operator=body["operator"], value=value if isinstance(value, str) else float(value)
    )


def _text_limit(field: Field, sign: str, text: str) -> Body | None:
    try:
        value = json.loads(text) if text[0] == '"' else text[1:-1]
    except ValueError:
        field.refuse('write the text as in JSON, such as "gold"')
        return None
    if not storable(value):
        field.refuse("the text has a character that is no text")
        return None
    return {"operator": sign, "value": value}


def _hint(node: Node, *, texts: bool = False) -> str:
    """What to write for the commonest mistakes."""
    if isinstance(node, Items):
        return "; for a range, put two conditions under `all`"
    if not isinstance(node, Scalar):
        return ""
    written = node.value.strip()
    if match := _TURNED.fullmatch(written):
        return f"; write '{match[1]}= {match[2]}'"
    if match := _IN_WORDS.fullmatch(written):
        return f"; write '{_WORDS[match[1].lower()]} {match[2]}'"
    if match := _OR_MORE.fullmatch(written):
        return f"; write '>= {match[1]}'"
    if _DECORATED.fullmatch(written) and not _PLAIN.fullmatch(written):
        return "; write the number alone, without a currency or separators"
    if texts and (match := _WORD.fullmatch(written)):
        return f"; write '{match[1] or '=='} \"{match[2]}\"', with both pairs of quotes"
    return ""


def _impossible_distinct(sign: str, number: float) -> str | None:
    if not number.is_integer():
        return "`count_distinct` is compared with a whole number, such as '>= 3'"
    return _impossible(Comparison(operator=sign, number=int(number)))


def _impossible(comparison: Comparison) -> str | None:
    sign, number = comparison.operator, comparison.number
    if number > HIGHEST:
        return f"write at most {HIGHEST:,}: no more events than that are remembered to be counted"
    always, never = f"'{comparison}' always holds", f"'{comparison}' can never hold"
    if number < 0:
        verdict = always if sign in (">=", ">", "!=") else never
        return f"{verdict}: a count is never below 0"
    if number == 0 and sign in (">=", "<"):
        verdict = always if sign == ">=" else never
        return f"{verdict}: a count is never below 0"
    return None
