"""Templates: from YAML to their canonical form, with their Liquid checked."""

from collections.abc import Mapping
from typing import Any

from liquid import Environment
from liquid.exceptions import LiquidError

from hairspring.definitions.fields import Field
from hairspring.definitions.flows import CHANNELS, read_channel
from hairspring.definitions.patterns import Body
from hairspring.definitions.problems import quoted

KEYS = ("description", "channel", "subject", "html", "text")
REQUIRED = ("subject", "html")
LONGEST_SUBJECT = 1_000
LONGEST_PART = 200_000
#: Filters that rendering adds to those of Liquid.
OWN_FILTERS = frozenset({"money"})

_ENVIRONMENT = Environment()
_PARTIALS = ("include", "render")


def read(entries: Mapping[str, Field]) -> Body:
    """The canonical form of what a template has besides name and description."""
    body: Body = {"channel": CHANNELS[0], "subject": None, "html": None, "text": ""}
    if "channel" in entries:
        body["channel"] = read_channel(entries["channel"])
    if "subject" in entries:
        body["subject"] = _subject(entries["subject"])
    if "html" in entries:
        body["html"] = _liquid(entries["html"], "`html`", LONGEST_PART)
    if "text" in entries:
        body["text"] = _liquid(entries["text"], "`text`", LONGEST_PART)
    return body


def _subject(field: Field) -> str | None:
    text = _liquid(field, "`subject`", LONGEST_SUBJECT)
    if text is None:
        return None
    if "\n" in text.strip() or "\r" in text.strip():
        field.refuse("`subject` is one line")
        return None
    return text.strip()


def _liquid(field: Field, what: str, longest: int) -> str | None:
    text = field.text(what, longest=longest)
    if text is None:
        return None
    try:
        template = _ENVIRONMENT.from_string(text)
        analysis = template.analyze(include_partials=False)
    except LiquidError as error:
        line, column = _place(text, error.token)
        field.refuse_inside(line, column, f"this is not Liquid: {error.message}")
        return None
    except (RecursionError, ValueError, TypeError, ArithmeticError, LookupError):
        field.refuse("this is not Liquid that can be read; it may be nested too deeply")
        return None
    for name, spans in analysis.filters.items():
        if name not in _ENVIRONMENT.filters and name not in OWN_FILTERS:
            line, column = _at(text, spans[0].index)
            field.refuse_inside(line, column, f"there is no filter {quoted(name)}")
    for name, spans in analysis.tags.items():
        if name in _PARTIALS:
            line, column = _at(text, spans[0].index)
            field.refuse_inside(line, column, "a template cannot include another one")
    return text


def _place(text: str, token: Any) -> tuple[int, int]:
    return _at(text, token.start_index) if token is not None else (1, 1)


def _at(text: str, index: int) -> tuple[int, int]:
    """Line and column, from 1, of an index in a text."""
    index = max(0, min(index, len(text)))
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)
