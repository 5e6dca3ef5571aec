"""Problems: what is wrong in a manifest, and where."""

from collections.abc import Sequence
from dataclasses import dataclass

#: The most problems that are told at once.
MOST_PROBLEMS = 500
_LONGEST_QUOTE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong in a manifest; line and column count from 1, line 0 is the whole file."""

    manifest_path: str
    line: int
    column: int
    field_path: str  #: Such as `enter.all[0].abandoned.after`; empty for a whole definition.
    description: str

    def __str__(self) -> str:
        place = (
            f"{self.manifest_path}:{self.line}:{self.column}" if self.line else self.manifest_path
        )
        field = f"{self.field_path}: " if self.field_path else ""
        return f"{place}: {field}{self.description}"


class BadDefinitions(ValueError):
    """Manifests that cannot be put in force, with every problem in them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = _bounded(list(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def _bounded(problems: list[Problem]) -> list[Problem]:
    left_out = len(problems) - MOST_PROBLEMS
    if left_out <= 0:
        return problems
    rest = Problem(
        manifest_path=problems[MOST_PROBLEMS].manifest_path,
        line=0,
        column=0,
        field_path="",
        description=f"and {left_out:,} more problems",
    )
    return [*problems[:MOST_PROBLEMS], rest]


def quoted(text: str) -> str:
    """A text from outside as a description shows it: short, without control characters."""
    short = text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"
    return "'" + "".join(letter if letter.isprintable() else "�" for letter in short) + "'"


def listed(words: Sequence[str], last: str = "or") -> str:
    """Words as a list for people: `a, b or c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
