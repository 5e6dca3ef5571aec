"""Predicates: an expression as something that says true or false, and never raises."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from hairspring.engine.events import Predicate, TraitPredicate
from hairspring.expressions.cel import Compiled, compiled_traits, compiled_where
from hairspring.expressions.fast import translated


@lru_cache(maxsize=4_096)
def compile_where(text: str) -> Predicate:
    """Compiles an expression over an event; one predicate for equal texts.

    Raises:
        BadExpression: If it is no CEL, speaks of something unknown, or cannot give a boolean.
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
    judge, ask_library = translated(compiled.tree), compiled.holds
    if judge is None:
        return ask_library

    def holds(subject: Any) -> bool:
        try:
            return judge(subject) is True
        except Exception:  # a value that JSON cannot hold
            return ask_library(subject)

    return holds
