"""YAML as nodes with places: what PyYAML's events say, within bounds.

Only what definitions need: scalars, lists and mappings with text keys. Anchors and aliases work,
but what they stand for counts each time, so that a small file cannot become a large one. Tags
and directives are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

import yaml

LARGEST_BYTES = 1_000_000
MOST_NODES = 50_000
DEEPEST = 60

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ufeff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_RESOLVER = yaml.resolver.Resolver()


class BadYaml(ValueError):
    """A text that is no YAML, or more of it than is taken. Line and column from 1; 0: no place."""

    def __init__(self, description: str, line: int = 0, column: int = 0) -> None:
        self.description, self.line, self.column = description, line, column
        super().__init__(description)


class ScalarKind(Enum):
    """What YAML takes a scalar for."""

    TEXT = "text"
    BOOL = "true or false"
    INT = "a whole number"
    FLOAT = "a number"
    NULL = "nothing"
    TIMESTAMP = "a date"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place in a text; line and column from 1, index from 0, all in characters."""

    line: int
    column: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A single value, as it was written, and what YAML takes it for."""

    value: str
    kind: ScalarKind
    start: Mark
    end: int  #: The index behind it.


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    start: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """A mapping, in the order written; keys may repeat."""

    entries: tuple[tuple[Scalar, Node], ...]
    start: Mark


Node: TypeAlias = Scalar | Items | Entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a file, and its own text."""

    root: Node
    text: str


_KINDS = {
    f"tag:yaml.org,2002:{name}": kind
    for name, kind in {
        "bool": ScalarKind.BOOL,
        "int": ScalarKind.INT,
        "float": ScalarKind.FLOAT,
        "null": ScalarKind.NULL,
        "timestamp": ScalarKind.TIMESTAMP,
    }.items()
}


def documents(text: str) -> list[Document]:
    """Reads every document that is not empty.

    Raises:
        BadYaml: If the text is no YAML, has tags or directives, or goes beyond the bounds.
    """
    _check_characters(text)
    text = text.removeprefix("\ufeff")
    try:
        return _Composer(text).composed()
    except BadYaml:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        last = text.count("\n") + 1
        line = min(mark.line + 1, last) if mark is not None else 0
        column = mark.column + 1 if mark is not None else 0
        raise BadYaml(_in_words(error), line, column) from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise BadYaml(f"this is not YAML: {str(error)[:200]}") from None


def _check_characters(text: str) -> None:
    if len(text) > LARGEST_BYTES or len(text.encode("utf-8", "replace")) > LARGEST_BYTES:
        raise BadYaml(f"a file of definitions has at most {LARGEST_BYTES:,} bytes")
    if match := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, match.start()) + 1
        column = match.start() - text.rfind("\n", 0, match.start())
        code = f"U+{ord(match[0]):04X}"
        raise BadYaml(f"the character {code} is not allowed in YAML", line, column)


def _in_words(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "it cannot be read"
    if "cannot start any token" in problem:
        problem += " (a tab, or a text that needs quotes)"
    context = f" ({error.context})" if error.context else ""
    return f"this is not YAML: {problem}{context}"


@dataclass(slots=True)
class _Open:
    """A list or a mapping whose end has not come yet."""

    is_mapping: bool
    start: Mark
    anchor: str | None
    nodes: list[Node]
    size: int = 1
    height: int = 1


class _Composer:
    """Builds nodes from events, without recursion."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._count = 0
        self._root: Node | None = None

    def composed(self) -> list[Document]:
        found: list[tuple[Node | None, int]] = []
        starts: list[int] = []
        for event in yaml.parse(self._text, Loader=_LOADER):
            match event:
                case yaml.DocumentStartEvent():
                    self._anchors, self._root = {}, None
                    starts.append(_end(event) if event.explicit else 0)
                    if event.version or event.tags:
                        raise _bad(event, "directives (%YAML, %TAG) are not taken")
                    if found:
                        found[-1] = (found[-1][0], min(found[-1][1], _mark(event).index))
                case yaml.DocumentEndEvent():
                    end = _mark(event).index if event.explicit else len(self._text)
                    found.append((self._root, end))
                case yaml.NodeEvent():
                    self._node(event)
                case yaml.CollectionEndEvent():
                    self._close()
        return [
            Document(root=root, text=self._text[start:end].strip("\r\n") + "\n")
            for (root, end), start in zip(found, starts, strict=True)
            if root is not None and not _empty(root)
        ]

    def _node(self, event: yaml.NodeEvent) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise _bad(event, f"tags such as {tag[:60]} are not taken")
        if isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.ScalarEvent):
            self._add(_mark(event), _scalar(event), 1, 1, event.anchor)
        else:
            if len(self._open) >= DEEPEST:
                raise _bad(event, f"definitions are nested at most {DEEPEST} deep")
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            self._open.append(_Open(is_mapping, _mark(event), event.anchor, []))

    def _alias(self, event: yaml.AliasEvent) -> None:
        name = event.anchor or ""
        known = self._anchors.get(name)
        if known is None:
            raise _bad(event, f"there is no finished anchor &{name[:60]} before this")
        self._add(_mark(event), *known, None)

    def _add(self, mark: Mark, node: Node, size: int, height: int, anchor: str | None) -> None:
        self._count += size
        if self._count > MOST_NODES:
            raise _refused(mark, f"a file of definitions has at most {MOST_NODES:,} values")
        if len(self._open) + height > DEEPEST + 1:
            raise _refused(mark, f"definitions are nested at most {DEEPEST} deep")
        if anchor is not None:
            self._anchors[anchor] = (node, size, height)
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        if parent.is_mapping and len(parent.nodes) % 2 == 0 and not isinstance(node, Scalar):
            raise _refused(mark, "a key must be a text")
        parent.nodes.append(node)
        parent.size += size
        parent.height = max(parent.height, height + 1)

    def _close(self) -> None:
        done = self._open.pop()
        node: Node
        if done.is_mapping:
            pairs = zip(done.nodes[::2], done.nodes[1::2], strict=True)
            entries = tuple((key, value) for key, value in pairs if isinstance(key, Scalar))
            node = Entries(entries=entries, start=done.start)
        else:
            node = Items(items=tuple(done.nodes), start=done.start)
        self._count -= done.size - 1
        self._add(done.start, node, done.size, done.height, done.anchor)


def _scalar(event: yaml.ScalarEvent) -> Scalar:
    kind = ScalarKind.TEXT
    if event.implicit[0]:
        tag = _RESOLVER.resolve(  # type: ignore[no-untyped-call]
            yaml.ScalarNode, event.value, (True, False)
        )
        kind = _KINDS.get(str(tag), ScalarKind.TEXT)
    return Scalar(value=event.value, kind=kind, start=_mark(event), end=_end(event))


def _empty(root: Node) -> bool:
    return isinstance(root, Scalar) and root.kind is ScalarKind.NULL


def _mark(event: yaml.Event) -> Mark:
    mark = event.start_mark
    if mark is None:
        return Mark(line=0, column=0, index=0)
    return Mark(line=mark.line + 1, column=mark.column + 1, index=mark.index)


def _end(event: yaml.Event) -> int:
    return event.end_mark.index if event.end_mark is not None else 0


def _bad(event: yaml.Event, description: str) -> BadYaml:
    return _refused(_mark(event), description)


def _refused(mark: Mark, description: str) -> BadYaml:
    return BadYaml(description, mark.line, mark.column)
