"""What a regular expression may cost at most, in steps as in `budget`.

The library compiles a pattern anew for each match, and matches in time proportional to the text
times the size of what it has compiled, which counted repetitions such as `a{0,1000}` blow up.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

_COUNTED = re.compile(r"\{(\d+)(?:,(\d*))?\}", re.ASCII)
_ESCAPE = re.compile(r"\\(?:[pP](?:\{[^}]*\}|.)|x\{[^}]*\}|.)", re.DOTALL)
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^]\\])*+\]", re.DOTALL)
_WIDE = 300  # what a class of Unicode takes
_NARROW = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RegexCost:
    """Steps to compile a pattern, and to match each character of a text."""

    compiling: float
    each_character: float


@lru_cache(maxsize=4_096)
def regex_cost(pattern: str) -> RegexCost:
    """An upper bound, roughly; of a pattern that is none as well, since it is looked at too."""
    size, repeats = _size(pattern)
    compiling = 200 + 25 * len(pattern) + 60 * size + repeats
    return RegexCost(compiling=compiling, each_character=1 + size / 2)


def _size(pattern: str) -> tuple[float, float]:
    """The number of instructions, and the sum of the squares of the counts of repetitions."""
    groups: list[float] = []  # the size of each open group, up to where an inner one begins
    size = last = repeats = 0.0
    at = 0
    while at < len(pattern):
        step, letter = 1, pattern[at]
        if counted := _COUNTED.match(pattern, at):
            count = float(max(counted[1], counted[2] or "", key=lambda it: float(it or 0)))
            size += last * max(count - 1, 0)
            last *= max(count, 1)
            repeats += last * count
            step = len(counted[0])
        elif letter == "(":
            groups.append(size)
            size = last = 0.0
        elif letter == ")" and groups:
            last = size + 2
            size = groups.pop() + last
        elif letter in "*+?|":
            size += 1
        else:
            found = _ESCAPE.match(pattern, at) or _CLASS.match(pattern, at)
            step = len(found[0]) if found else 1
            last = _width(pattern[at : at + step])
            size += last
        at += step
    return sum(groups, size), repeats


def _width(atom: str) -> float:
    if not atom.isascii() or re.search(r"\\[pP]", atom):
        return _WIDE
    return _NARROW * (2 if atom[:2] == "[^" else 1) + len(atom) - 1
