"""Expressions: a text in CEL goes in, a predicate over events or traits comes out."""

from hairspring.expressions.paths import Path, compile_path, parse_path
from hairspring.expressions.predicates import compile_traits, compile_where
from hairspring.expressions.problems import BadExpression, Flaw
from hairspring.expressions.unset import unset_traits

__all__ = [
    "BadExpression",
    "Flaw",
    "Path",
    "compile_path",
    "compile_traits",
    "compile_where",
    "parse_path",
    "unset_traits",
]
