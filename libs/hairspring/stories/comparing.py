"""Comparing: what was expected against what came, line by line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hairspring.stories import times
from hairspring.stories.outcomes import BY_TIME, BY_TRAITS, Outcome, OutcomeType
from hairspring.stories.story import Expectation


class Sign(StrEnum):
    """What a line says."""

    BOTH = " "  #: Expected, and it came.
    MISSING = "-"  #: Expected, and it did not come.
    UNEXPECTED = "+"  #: It came, and nobody expected it.


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the comparison; `at` in milliseconds, UTC."""

    sign: Sign
    at: int
    profile: str
    type: OutcomeType
    segment: str
    note: str = ""  #: What else is expected, or came: a cause, a reason, late.

    def written(self, starts: int) -> str:
        """The line for people, with times as in the story."""
        told = f"{times.write(self.at, starts)}  {self.profile}  {self.type}  {self.segment}"
        return f"{told}  ({self.note})" if self.note else told


def compare(expected: Sequence[Expectation], found: Iterable[Outcome]) -> list[Line]:
    """Pairs what was expected with what came; lines by time, profile and segment.

    What is held and dropped is compared only where the story expects any of it.
    """
    quiet = {OutcomeType.HELD, OutcomeType.DROPPED} - {one.type for one in expected}
    left = [one for one in found if one.type not in quiet]
    lines: list[Line] = []
    # Those who ask for more choose first, so that they are not left with what does not suit.
    for expectation in sorted(expected, key=_asked, reverse=True):
        match = next((one for one in left if _suits(expectation, one)), None)
        if match is not None:
            left.remove(match)
        lines.append(_expected(expectation, Sign.MISSING if match is None else Sign.BOTH))
    lines += map(_came, left)
    order = list(Sign)
    return sorted(
        lines, key=lambda line: (line.at, line.profile, line.segment, order.index(line.sign))
    )


def _asked(expectation: Expectation) -> int:
    asked = (expectation.cause, expectation.reason, expectation.groups)
    return sum(one is not None for one in asked)


def _suits(expectation: Expectation, outcome: Outcome) -> bool:
    same = all(
        getattr(expectation, name) == getattr(outcome, name)
        for name in ("at", "profile", "type", "segment", "late")
    )
    return same and all(
        getattr(expectation, name) in (None, getattr(outcome, name))
        for name in ("cause", "reason", "groups")
    )


def _expected(one: Expectation, sign: Sign) -> Line:
    note = _note(one.late, one.cause, one.reason, one.groups)
    return _line(one, sign, note)


def _came(one: Outcome) -> Line:
    note = _note(one.late, one.cause or None, one.reason or None, one.groups or None)
    return _line(one, Sign.UNEXPECTED, note)


def _line(one: Expectation | Outcome, sign: Sign, note: str) -> Line:
    return Line(
        sign=sign, at=one.at, profile=one.profile, type=one.type, segment=one.segment, note=note
    )


def _note(late: bool, cause: str | None, reason: str | None, groups: tuple[str, ...] | None) -> str:
    notes = []
    if cause is not None:
        said = {BY_TIME: "time passed", BY_TRAITS: "traits"}
        notes.append(said.get(cause, f"by {cause}"))
    if reason is not None:
        notes.append(f"because of {reason}")
    if groups is not None:
        notes.append("groups " + ", ".join(groups))
    return ", ".join([*notes, "late"] if late else notes)
