"""Expressions: a text in CEL goes in, a predicate over events comes out."""

from hairspring.expressions.cel import compile_where
from hairspring.expressions.problems import BadExpression, Flaw

__all__ = ["BadExpression", "Flaw", "compile_where"]
