"""Liquid, checked before anything renders it.

The parser's effort can grow with the square of a tag's length, so the tags are measured first, in
one pass, and what goes beyond the bounds is never handed to it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from liquid import Environment
from liquid.exceptions import LiquidError

from hairspring.definitions.problems import quoted

LONGEST_TAG = 1_000
MOST_TAGS = 2_000
MOST_RAW = 50
LONGEST_SPACE = 100
#: Filters that rendering adds to those of Liquid.
OWN_FILTERS = frozenset({"money"})

_ENVIRONMENT = Environment()
_PARTIALS = ("include", "render")
_OPENING = re.compile(r"\{\{|\{%")
_SPACE = re.compile(rf"\s{{{LONGEST_SPACE + 1}}}")
_RAW = re.compile(r"\{%-?\s*(raw|doc)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """One thing that is wrong with a template; line and column count from 1."""

    message: str
    line: int
    column: int


def flaws_in(text: str) -> list[Flaw]:
    """Everything that is wrong with a template; nothing where it can be rendered."""
    found = list(_beyond_bounds(text))
    if found:
        return found[:1]
    try:
        analysis = _ENVIRONMENT.from_string(text).analyze(include_partials=False)
    except LiquidError as error:
        index = error.token.start_index if error.token is not None else 0
        return [_flaw(text, index, f"this is not Liquid: {error.message}")]
    except Exception:  # whatever a parser of texts from outside may raise
        return [_flaw(text, 0, "this is not Liquid that can be read; it may be nested too deeply")]
    for name, spans in analysis.filters.items():
        if name not in _ENVIRONMENT.filters and name not in OWN_FILTERS:
            found.append(_flaw(text, spans[0].index, f"there is no filter {quoted(name)}"))
    for name, spans in analysis.tags.items():
        if name in _PARTIALS:
            found.append(_flaw(text, spans[0].index, "a template cannot include another one"))
    return found


def _beyond_bounds(text: str) -> Iterator[Flaw]:
    if len(_RAW.findall(text)) > MOST_RAW:
        yield _flaw(text, 0, f"a template has at most {MOST_RAW} of raw and doc")
    position = count = 0
    while (opening := _OPENING.search(text, position)) is not None:
        start, sign = opening.start(), opening[0]
        count += 1
        if count > MOST_TAGS:
            yield _flaw(text, start, f"a template has at most {MOST_TAGS:,} tags and outputs")
            return
        closing = "}}" if sign == "{{" else "%}"
        end = text.find(closing, start + 2, start + LONGEST_TAG)
        if end < 0:
            yield _flaw(
                text, start, f"no {closing} within {LONGEST_TAG:,} characters closes this {sign}"
            )
            return
        if _SPACE.search(text, start, end):
            yield _flaw(text, start, f"a tag has at most {LONGEST_SPACE} blanks in a row")
        position = end + 2


def _flaw(text: str, index: int, message: str) -> Flaw:
    index = max(0, min(index, len(text)))
    line, column = text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)
    return Flaw(message=message, line=line, column=column)
