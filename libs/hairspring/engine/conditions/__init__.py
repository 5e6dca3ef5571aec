"""The conditions of the rule language: a file each, and all of one shape."""

from hairspring.engine.conditions.abandoned import Abandoned
from hairspring.engine.conditions.base import Condition, Finding
from hairspring.engine.conditions.comparison import Comparison
from hairspring.engine.conditions.logic import All, Any, Not
from hairspring.engine.conditions.member import InSegment
from hairspring.engine.conditions.performed import Performed

__all__ = [
    "Abandoned",
    "All",
    "Any",
    "Comparison",
    "Condition",
    "Finding",
    "InSegment",
    "Not",
    "Performed",
]
