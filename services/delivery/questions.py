"""What is asked of the rule evaluator just before a send, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hairspring.services.delivery.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Is this profile in this segment?"""

    workspace: str
    profile: str
    segment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Whether she is, since when (ms, UTC), and her traits.

    `incomplete` says that something of her could not be evaluated, so that nobody knows.
    """

    member: bool
    incomplete: bool = False
    entered_at: int | None = None
    profile: str = ""  #: Whose answer it is, where the profile became part of another one.
    traits: Mapping[str, Any] = field(default_factory=dict)


def question_of(run: Run) -> Question:
    """Ask whether the profile of a run is in the segment that set it off."""
    return Question(workspace=run.workspace, profile=run.profile, segment=run.segment)


def in_order(question: Question) -> tuple[str, str, str]:
    """Sort questions by what they ask, the same way every time."""
    return (question.workspace, question.profile, question.segment)
