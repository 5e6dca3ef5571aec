"""Fields: reading a definition piece by piece, and keeping a note of all that is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from hairspring.definitions import durations, hints, places
from hairspring.definitions.kinds import Kind
from hairspring.definitions.problems import Problem, listed, quoted
from hairspring.definitions.yaml_nodes import Entries, Items, Mark, Node, Scalar, ScalarKind


@dataclass(slots=True, kw_only=True)
class Report:
    """What reading one document comes to: its problems, and the names that it refers to."""

    manifest_path: str
    text: str  #: The whole file, without a byte order mark.
    problems: list[Problem] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)

    def add(self, line: int, column: int, path: str, description: str) -> None:
        """Notes a problem at a line and column of the file, from 1."""
        self.problems.append(
            Problem(
                manifest_path=self.manifest_path,
                line=line,
                column=column,
                field_path=path,
                description=description,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A name that a definition refers to, and where it does."""

    kind: Kind
    name: str
    field: Field


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A node of a definition with its path.

    Every reading answers None (or nothing) where it fails, after it has noted why.
    """

    path: str
    node: Node
    report: Report

    def refuse(self, description: str) -> None:
        """Notes that this is wrong."""
        self._note(self.node.start, self.path, description)

    def refuse_inside(self, line: int, column: int, description: str) -> None:
        """Notes that something is wrong at a line and column, from 1, of this text."""
        if isinstance(self.node, Scalar):
            line, column = places.inside(self.report.text, self.node, line, column)
            self.report.add(line, column, self.path, description)
        else:
            self.refuse(description)

    def refer(self, kind: Kind, name: str | None) -> None:
        """Notes that the definition refers to another one here."""
        if name is not None:
            self.report.references.append(Reference(kind=kind, name=name, field=self))

    def entries(
        self,
        what: str,
        known: Sequence[str],
        *,
        required: Collection[str] = (),
        elsewhere: Mapping[str, str] | None = None,
    ) -> dict[str, Field]:
        """The values of a mapping by key; those of unknown keys are left out.

        `elsewhere` says of keys that belong to another place what to write instead.
        """
        node = self.node
        if not isinstance(node, Entries):
            self.refuse(f"{what} is a mapping with {listed(known, 'and')}, not {described(node)}")
            return {}
        found: dict[str, Field] = {}
        for key, value in node.entries:
            name, path = key.value, self._under(key.value)
            if name in found:
                self._note(key.start, path, f"{quoted(name)} is there twice")
            elif elsewhere is not None and name in elsewhere:
                self._note(key.start, path, elsewhere[name])
            elif name not in known:
                self._note(key.start, path, _unknown(key, known))
            else:
                found[name] = Field(path=path, node=value, report=self.report)
        present = {key.value for key, _ in node.entries}
        for name in required:
            if name not in present:
                self.refuse(f"{what} needs {hints.needed(name)}")
        return found

    def items(self, what: str) -> list[Field]:
        """The elements of a list that is not empty."""
        if not isinstance(self.node, Items):
            self.refuse(f"{what} is a list, not {described(self.node)}")
            return []
        if not self.node.items:
            self.refuse(f"{what} is empty")
        return [
            Field(path=f"{self.path}[{index}]", node=node, report=self.report)
            for index, node in enumerate(self.node.items)
        ]

    def text(self, what: str, *, longest: int, empty: bool = False) -> str | None:
        """A text of at most `longest` characters."""
        node = self.node
        if not isinstance(node, Scalar) or node.kind is ScalarKind.NULL:
            self.refuse(f"{what} is a text, not {described(node)}")
        elif node.kind is not ScalarKind.TEXT:
            self.refuse(
                f"{what} is a text, and YAML reads {quoted(node.value)} as {node.kind.value}; "
                "put it in quotes"
            )
        elif not empty and not node.value.strip():
            self.refuse(f"{what} is empty")
        elif len(node.value) > longest:
            self.refuse(f"{what} has at most {longest:,} characters, not {len(node.value):,}")
        elif not storable(node.value):
            self.refuse(f"{what} has a character that is no text")
        else:
            return node.value
        return None

    def expression(self, what: str, *, longest: int, example: str) -> str | None:
        """A text of at most `longest` characters that is an expression such as `example`."""
        node = self.node
        if isinstance(node, Scalar) and node.kind is ScalarKind.TEXT:
            return self.text(what, longest=longest)
        self.refuse(f"{what} is an expression such as {example}, not {described(node)}")
        return None

    def flag(self, what: str) -> bool | None:
        """True or false."""
        node = self.node
        if isinstance(node, Scalar) and node.kind is ScalarKind.BOOL:
            return node.value.lower() in ("true", "yes", "on")
        self.refuse(f"{what} is true or false, not {described(node)}")
        return None

    def duration(self, what: str, *, signed: bool = False) -> int | None:
        """A duration of more than zero, in milliseconds; `signed` ones may be zero or less."""
        if not isinstance(self.node, Scalar) or self.node.kind is ScalarKind.NULL:
            self.refuse(f"{what} is a duration such as 1h30m, not {described(self.node)}")
            return None
        try:
            parse = durations.parse_signed if signed else durations.parse
            return parse(self.node.value)
        except durations.BadDuration as error:
            self.refuse(str(error))
            return None

    def _under(self, key: str) -> str:
        shown = key if len(key) <= 60 and key.isprintable() else quoted(key)
        return f"{self.path}.{shown}" if self.path else shown

    def _note(self, mark: Mark, path: str, description: str) -> None:
        self.report.add(mark.line, mark.column, path, description)


def storable(text: str) -> bool:
    """Whether a text has a UTF-8 form and no NUL."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def described(node: Node) -> str:
    """What somebody wrote, in words."""
    if isinstance(node, Items):
        return "a list"
    if isinstance(node, Entries):
        return "a mapping"
    if node.kind is ScalarKind.NULL:
        return "nothing"
    return f"the text {quoted(node.value)}" if node.kind is ScalarKind.TEXT else quoted(node.value)


def _unknown(key: Scalar, known: Sequence[str]) -> str:
    name = key.value
    if name == "<<":
        return "merge keys (<<) are not taken; repeat what is meant"
    if key.kind is ScalarKind.BOOL:
        return f"YAML reads the key {quoted(name)} as true or false; it is not known here"
    return f"{quoted(name)} is not known here; {hints.unknown(name, known)}"
