"""Comparisons of a count: `>= 3`, or a bare number for `==`."""

import re

from hairspring.definitions.fields import Field, described
from hairspring.definitions.yaml_nodes import Scalar
from hairspring.engine.conditions.comparison import OPERATORS, Comparison

HIGHEST = 1_000_000_000

_WRITTEN = re.compile(r"(>=|>|==|!=|<=|<|=)?\s*(-?[0-9]{1,12})")


def parse(text: str) -> Comparison:
    """The comparison of a canonical form such as `>= 3`."""
    sign, number = text.split()
    return Comparison(operator=sign, number=int(number))


def read(field: Field) -> str | None:
    """The canonical form of a comparison that can both hold and not hold for some count."""
    node = field.node
    match = _WRITTEN.fullmatch(node.value.strip()) if isinstance(node, Scalar) else None
    if match is None:
        field.refuse(
            f"`times` is a comparison with a whole number, such as '>= 3', or a whole number, "
            f"not {described(node)}"
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


def _impossible(comparison: Comparison) -> str | None:
    sign, number = comparison.operator, comparison.number
    if number > HIGHEST:
        return f"the number is at most {HIGHEST:,}"
    always, never = f"'{comparison}' always holds", f"'{comparison}' can never hold"
    if number < 0:
        verdict = always if sign in (">=", ">", "!=") else never
        return f"{verdict}: a count is never below 0"
    if number == 0 and sign in (">=", "<"):
        verdict = always if sign == ">=" else never
        return f"{verdict}: a count is never below 0"
    return None
