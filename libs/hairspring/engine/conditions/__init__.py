"""The conditions of the rule language, all of one shape."""

from hairspring.engine.conditions.abandoned import Abandoned
from hairspring.engine.conditions.aggregate import Aggregate, Function
from hairspring.engine.conditions.base import Condition, Finding, Reading
from hairspring.engine.conditions.comparison import Comparison, Threshold
from hairspring.engine.conditions.grouped import Grouped
from hairspring.engine.conditions.inactive import Inactive
from hairspring.engine.conditions.logic import All, Any, Not
from hairspring.engine.conditions.member import InSegment
from hairspring.engine.conditions.performed import Performed
from hairspring.engine.conditions.sequence import Sequence
from hairspring.engine.conditions.traits import Anniversary, Date, Traits

__all__ = [
    "Abandoned",
    "Aggregate",
    "All",
    "Anniversary",
    "Any",
    "Comparison",
    "Condition",
    "Date",
    "Finding",
    "Function",
    "Grouped",
    "InSegment",
    "Inactive",
    "Not",
    "Performed",
    "Reading",
    "Sequence",
    "Threshold",
    "Traits",
]
