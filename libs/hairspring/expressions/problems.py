"""What can be wrong with an expression, in words for the person who wrote it."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """One thing that is wrong; line and column count characters of the expression, from 1."""

    message: str
    line: int
    column: int


class BadExpression(ValueError):
    """An expression that does not compile; has one flaw at least, in the order of the text."""

    def __init__(self, *flaws: Flaw) -> None:
        first = flaws[0]
        self.flaws = flaws
        self.message, self.line, self.column = first.message, first.line, first.column
        super().__init__(f"line {first.line}, column {first.column}: {first.message}")


_ERROR = re.compile(r"^(?:[A-Z_]+: )?ERROR: <input>:(-?\d+):(-?\d+): (.*)$", re.MULTILINE)
_STATUS = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]\s*$")
_CONTAINER = re.compile(r" \(in container '[^']*'\)")
_OVERLOAD = re.compile(r"^found no matching overload for '([^']+)' applied to '\(?(.*?)\)?'$")
_UNDECLARED = re.compile(r"^undeclared reference to '([^']*)'")
_EXPECTING = re.compile(r" expecting .*$", re.DOTALL)
_TYPES = (("google.protobuf.Timestamp", "timestamp"), ("google.protobuf.Duration", "duration"))

_HINTS = (
    (re.compile(r"input 'and'", re.IGNORECASE), "CEL writes `&&` for and"),
    (re.compile(r"input 'or'", re.IGNORECASE), "CEL writes `||` for or"),
    (re.compile(r"recognition error at: '=[^=]"), "CEL compares with `==`"),
    (re.compile(r"recognition error at: '[\"']"), "this text has no closing quote"),
    (re.compile(r"input ','"), "a decimal is written with a point, and a list in [ ]"),
)


def flaws_in(report: str, known: str) -> tuple[Flaw, ...]:
    """Reads the compiler's report; at least one flaw, whatever the report looks like.

    `known` says, in words, what the expression may speak of.
    """
    found = [
        Flaw(message=_in_words(text, known), line=max(int(line), 1), column=max(int(column), 1))
        for line, column, text in _ERROR.findall(report)
        if "<<nil>>" not in text
    ]
    if found:
        return tuple(found)
    return (Flaw(message=_in_words(report, known), line=1, column=1),)


def _in_words(text: str, known: str) -> str:
    text = _CONTAINER.sub("", _STATUS.sub("", text)).strip()
    for theirs, ours in _TYPES:
        text = text.replace(theirs, ours)
    if match := _OVERLOAD.match(text):
        return f"{_operation(match[1])} does not take ({match[2]})"
    if match := _UNDECLARED.match(text):
        root = "properties" if "properties" in known else "traits"
        hint = f"; write {root}.{match[1]}" if match[1].isidentifier() else ""
        return f"{match[1]!r} is not known here; there {known}{hint}"
    if text.startswith(("Expression recursion limit", "Exceeded max recursion depth")):
        return "the expression is nested too deeply"
    if text.startswith("Syntax error: mismatched input '<EOF>'"):
        return "the expression ends too early"
    for sign, hint in _HINTS:
        if sign.search(text):
            return hint
    return _EXPECTING.sub("", text)


def _operation(name: str) -> str:
    """`_==_` reads `==`, and a function stays as it is."""
    return f"`{name.strip('_@')}`" if name.strip("_@") else f"`{name}`"
