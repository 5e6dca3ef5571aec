"""Predicates: an expression as something that says true or false, and never raises."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from hairspring.engine.events import Predicate, TraitPredicate
from hairspring.expressions.budget import MOST_STEPS, Extent, steps
from hairspring.expressions.cel import Compiled, compiled_traits, compiled_where
from hairspring.expressions.extents import extent_at, size_of
from hairspring.expressions.fast import ROOTS, translated
from hairspring.expressions.problems import BadExpression, Flaw
from hairspring.expressions.syntax import Call, Constant, Name, Node, parts

#: Up to this size of values, in values and characters, budgets are looked at beforehand.
_LARGE = 1_000_000


@lru_cache(maxsize=4_096)
def compile_where(text: str) -> Predicate:
    """Compiles an expression over an event; one predicate for equal texts.

    Raises:
        BadExpression: If it is no CEL, speaks of something unknown, cannot give a boolean, or
            would run too long.
    """
    return _predicate(compiled_where(text))


@lru_cache(maxsize=4_096)
def compile_traits(text: str) -> TraitPredicate:
    """Compiles an expression over `traits`, a mapping of JSON values that may change meanwhile.

    Raises:
        BadExpression: As `compile_where`.
    """
    return _predicate(compiled_traits(text))


def _predicate(compiled: Compiled) -> Callable[[Any], bool]:
    judge, ask_library = translated(compiled.tree), _within_budget(compiled)
    if judge is None:
        return ask_library

    def holds(subject: Any) -> bool:
        try:
            return judge(subject) is True
        except Exception:  # a value that JSON cannot hold
            return ask_library(subject)

    return holds


def _within_budget(compiled: Compiled) -> Callable[[Any], bool]:
    """The library's judgement, where it comes within the budget; beyond, nothing holds."""
    tree, ask_library = compiled.tree, compiled.holds
    nodes = _nodes(tree)
    if any(_makes_pattern(node) for node in nodes):
        raise _bad("matches() takes a pattern in quotes, not one that is worked out")
    largest = _largest(tree)
    if largest >= _LARGE:
        return ask_library
    names = sorted({node.name for node in nodes if isinstance(node, Name)} & ROOTS.keys())
    roots = {name: ROOTS[name] for name in names}

    def holds(subject: Any) -> bool:
        values = {name: get(subject) for name, get in roots.items()}
        if sum(map(size_of, values.values())) > largest:
            taken = steps(tree, lambda name, path: extent_at(values.get(name), path))
            if taken > MOST_STEPS:
                return False
        return ask_library(subject)

    return holds


def _largest(tree: Node) -> int:
    """The size of values up to which an expression comes within its budget, whatever they are."""

    def fits(size: int) -> bool:
        return steps(tree, lambda _name, _path: Extent(*(size,) * 5)) <= MOST_STEPS

    if not fits(1):
        raise _bad("the expression would run too long, whatever it is asked about")
    low, high = 1, _LARGE
    if fits(high):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _makes_pattern(node: Node) -> bool:
    return (
        isinstance(node, Call)
        and node.function == "matches"
        and not isinstance(node.arguments[-1], Constant)
    )


def _nodes(tree: Node) -> list[Node]:
    found = [tree]
    for node in found:  # it grows meanwhile
        found.extend(parts(node))
    return found


def _bad(message: str) -> BadExpression:
    return BadExpression(Flaw(message=message, line=1, column=1))
