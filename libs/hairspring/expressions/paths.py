"""Paths, such as `properties.cart_id`: where in an event a value stands."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

from hairspring.engine.events import Event
from hairspring.expressions.problems import BadExpression, Flaw

#: The most characters that a path may have.
LONGEST_PATH = 500

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_INDEX = re.compile(r"\[(0|[1-9][0-9]{0,8})\]", re.ASCII)
_QUOTED = re.compile(r"""\[("(?:[^"\\\x00-\x1f]|\\.)*"|'(?:[^'\\\x00-\x1f]|\\.)*')\]""")
_OBJECT = (dict, Mapping)  # a dict, nearly always, which is told faster
_ROOTS = "a path begins with properties or context, or is event.name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A place in an event; `str()` gives the one text that all spellings of it have in common.

    A step is a key, or the index of an item in a list, from 0. `event.name` has no steps.
    """

    root: str
    steps: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return self.root + "".join(map(written, self.steps))


@lru_cache(maxsize=4_096)
def parse_path(text: str) -> Path:
    """Reads a path.

    Raises:
        BadExpression: If it is none; the column counts its characters, from 1.
    """
    if len(text) > LONGEST_PATH:
        raise _bad(f"a path has at most {LONGEST_PATH} characters, this one has {len(text):,}", 0)
    at, end = len(text) - len(text.lstrip()), len(text.rstrip())
    if at >= end:
        raise _bad(f"the path is empty; {_ROOTS}", 0)
    if text[at:end] == "event.name":
        return Path(root="event.name")
    root = _IDENTIFIER.match(text, at, end)
    if root is None or root[0] not in ("properties", "context"):
        raise _bad(_ROOTS, at)
    return Path(root=root[0], steps=_steps(text, root.end(), end))


@lru_cache(maxsize=4_096)
def compile_path(text: str) -> Callable[[Event], object]:
    """Compiles a path to a function that never raises; one function for equal texts.

    It gives the JSON value, and None when there is none, or what it leads through is no mapping
    or list.

    Raises:
        BadExpression: As `parse_path`.
    """
    path = parse_path(text)
    if path.root == "event.name":
        return attrgetter("name")
    of_context = path.root == "context"
    match path.steps:
        case (str(key),):
            return _context_value(key) if of_context else _property(key)
        case (str(key), str(inner)) if not of_context:
            return _inner_property(key, inner)
    return _value(attrgetter(path.root), path.steps)


def _property(key: str) -> Callable[[Event], object]:
    def value(event: Event) -> object:
        return event.properties.get(key)

    return value


def _context_value(key: str) -> Callable[[Event], object]:
    def value(event: Event) -> object:
        return event.context.get(key)

    return value


def _inner_property(key: str, inner: str) -> Callable[[Event], object]:
    def value(event: Event) -> object:
        outer = event.properties.get(key)
        return outer.get(inner) if isinstance(outer, _OBJECT) else None

    return value


def _value(
    root: Callable[[Event], object], steps: tuple[str | int, ...]
) -> Callable[[Event], object]:
    def value(event: Event) -> object:
        found = root(event)
        for step in steps:
            if isinstance(step, str):
                if not isinstance(found, _OBJECT):
                    return None
                found = found.get(step)
            else:
                if not isinstance(found, list | tuple) or step >= len(found):
                    return None
                found = found[step]
        return found

    return value


def _steps(text: str, at: int, end: int) -> tuple[str | int, ...]:
    if at == end:
        raise _bad(f"a path names something in {text.strip()}, such as {text.strip()}.name", at)
    steps: list[str | int] = []
    while at < end:
        if text[at] == ".":
            found = _IDENTIFIER.match(text, at + 1, end)
            if found is None:
                raise _bad('a name follows the point; others are written ["in quotes"]', at + 1)
            steps.append(found[0])
        elif found := _INDEX.match(text, at, end):
            steps.append(int(found[1]))
        elif found := _QUOTED.match(text, at, end):
            steps.append(_unquoted(found[1], at + 1))
        elif text[at] == "[":
            raise _bad('in [ ] stands a "key" in quotes, or the index of an item, from 0', at + 1)
        else:
            raise _bad('a path goes on with .name, ["a key"] or [0]', at)
        at = found.end()
    return tuple(steps)


def _unquoted(quoted: str, at: int) -> str:
    body = quoted[1:-1]
    if quoted[0] == "'":
        body = re.sub(r"""\\'|"|\\.""", lambda it: _AS_IN_JSON.get(it[0], it[0]), body)
    try:
        key = str(json.loads(f'"{body}"'))
        key.encode()
    except ValueError:
        raise _bad("the key in quotes is written as in JSON", at) from None
    return key


_AS_IN_JSON = {"\\'": "'", '"': '\\"'}


def written(step: str | int) -> str:
    """A step as it follows what it leads from, such as `.name`, `["a key"]` and `[0]`."""
    if isinstance(step, int):
        return f"[{step}]"
    if _IDENTIFIER.fullmatch(step):
        return f".{step}"
    return f"[{json.dumps(step, ensure_ascii=False)}]"


def _bad(message: str, at: int) -> BadExpression:
    return BadExpression(Flaw(message=message, line=1, column=at + 1))
