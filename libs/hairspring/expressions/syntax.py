"""The tree of an expression, as the library has parsed and checked it.

The library shows a tree only in its serialized form, a `cel.expr.CheckedExpr`; it is read here
into nodes that say what the rest of the package needs. Macros are written out in it.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Scalar = bool | int | float | str | bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A value in the text; `kind` is null, bool, int, uint, double, string or bytes."""

    kind: str
    value: Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A variable, such as `properties`, `event.name`, or one that a macro makes."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    """`operand.field`, or `has(operand.field)` where it is `tested`."""

    operand: "Node"
    field: str
    tested: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function or an operator, such as `_==_` and `_[_]`; a method's target comes first."""

    function: str
    arguments: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A list in the text."""

    elements: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """A map in the text: keys and values, one after the other."""

    elements: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """A macro such as `exists`: `source` is gone through, and `each` is judged for every item."""

    names: tuple[str, ...]
    source: "Node"
    start: "Node"
    each: "tuple[Node, ...]"


Node = Constant | Name | Select | Call | Listed | Mapped | Fold


def tree(serialized: bytes) -> Node:
    """The tree in a serialized expression.

    Raises:
        ValueError: If there is something in it that CEL had not when this was written.
    """
    checked = _Message(_Message(serialized).bytes(2))
    return _node(checked.bytes(4))


def parts(node: Node) -> "tuple[Node, ...]":
    """The nodes right below a node, in the order of the text."""
    match node:
        case Select():
            return (node.operand,)
        case Call():
            return node.arguments
        case Listed() | Mapped():
            return node.elements
        case Fold():
            return (node.source, node.start, *node.each)
        case Constant() | Name():
            return ()


def place(node: Node) -> tuple[str, tuple[str | int, ...]] | None:
    """The variable and the steps from it, where a node does nothing but lead to a value."""
    match node:
        case Name(name=name):
            return name, ()
        case Select(tested=False, operand=of, field=str() as key):
            pass
        case Call(function="_[_]", arguments=(of, Constant(kind="string" | "int", value=key))):
            if not isinstance(key, str | int):
                return None
        case _:
            return None
    found = place(of)
    return (found[0], (*found[1], key)) if found else None


def _node(data: bytes) -> Node:
    expression = _Message(data)
    for number, read in _READERS.items():
        if expression.has(number):
            return read(_Message(expression.bytes(number)))
    raise ValueError("an expression of an unknown kind")


def _constant(message: "_Message") -> Node:
    for number, (kind, read) in _KINDS.items():
        if message.has(number):
            return Constant(kind=kind, value=read(message, number))
    raise ValueError("a constant of an unknown kind")


def _select(message: "_Message") -> Node:
    return Select(operand=_node(message.bytes(1)), field=message.text(2), tested=message.has(3))


def _call(message: "_Message") -> Node:
    target = (message.bytes(1),) if message.has(1) else ()
    arguments = (*target, *message.every(3))
    return Call(function=message.text(2), arguments=tuple(_node(data) for data in arguments))


def _listed(message: "_Message") -> Node:
    return Listed(elements=tuple(_node(data) for data in message.every(1)))


def _mapped(message: "_Message") -> Node:
    entries = [_Message(data) for data in message.every(2)]
    return Mapped(elements=tuple(_node(it.bytes(number)) for it in entries for number in (3, 4)))


def _fold(message: "_Message") -> Node:
    return Fold(
        names=tuple(message.text(number) for number in (1, 8, 3) if message.has(number)),
        source=_node(message.bytes(2)),
        start=_node(message.bytes(4)),
        each=tuple(_node(message.bytes(number)) for number in (5, 6, 7)),
    )


class _Message:
    """A message of protocol buffers, by the numbers of its fields."""

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[int | bytes]] = {}
        for number, value in _entries(data):
            self._fields.setdefault(number, []).append(value)

    def has(self, number: int) -> bool:
        return number in self._fields

    def every(self, number: int) -> list[bytes]:
        return [value for value in self._fields.get(number, ()) if isinstance(value, bytes)]

    def bytes(self, number: int) -> bytes:
        """What is not there is empty, as ever in protocol buffers."""
        return (self.every(number) or [b""])[-1]

    def text(self, number: int) -> str:
        return self.bytes(number).decode()

    def flag(self, number: int) -> bool:
        return self.unsigned(number) != 0

    def unsigned(self, number: int) -> int:
        value = self._fields.get(number, [0])[-1]
        return value if isinstance(value, int) else 0

    def signed(self, number: int) -> int:
        value = self.unsigned(number)
        return value - 2**64 if value >= 2**63 else value

    def double(self, number: int) -> float:
        return float(struct.unpack("<d", self.bytes(number))[0])

    def nothing(self, number: int) -> None:
        return None


def _entries(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, form = tag >> 3, tag & 7
        if form == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if form == 2:
            length, at = _varint(data, at)
        elif form in (1, 5):
            length = 8 if form == 1 else 4
        else:
            raise ValueError("a field of an unknown form")
        yield number, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


#: By the numbers of `cel.expr.Expr`.
_READERS: dict[int, Callable[[_Message], Node]] = {
    3: _constant,
    4: lambda message: Name(name=message.text(1)),
    5: _select,
    6: _call,
    7: _listed,
    8: _mapped,
    9: _fold,
}
#: By the numbers of `cel.expr.Constant`.
_KINDS: dict[int, tuple[str, Callable[[_Message, int], Scalar]]] = {
    1: ("null", _Message.nothing),
    2: ("bool", _Message.flag),
    3: ("int", _Message.signed),
    4: ("uint", _Message.unsigned),
    5: ("double", _Message.double),
    6: ("string", _Message.text),
    7: ("bytes", _Message.bytes),
}
