"""What an expression over traits reads and does not find, so that an explanation can say it."""

from collections.abc import Iterator, Mapping
from functools import lru_cache

from hairspring.expressions.cel import compiled_traits
from hairspring.expressions.paths import written
from hairspring.expressions.syntax import Fold, Node, parts, place

_Steps = tuple[str | int, ...]


def unset_traits(text: str, traits: Mapping[str, object]) -> tuple[str, ...]:
    """The paths, such as `traits.plan`, that an expression reads and that are not set.

    Each comes once, in the order of the text. What is only tested with `has()` is left out, and
    so is what stands under a key that is worked out.

    Raises:
        BadExpression: As `compile_traits`.
    """
    return tuple(_path(steps) for steps in _reads(text) if not _is_set(traits, steps))


@lru_cache(maxsize=4_096)
def _reads(text: str) -> tuple[_Steps, ...]:
    return tuple(dict.fromkeys(_reads_below(compiled_traits(text).tree, frozenset())))


def _reads_below(node: Node, hidden: frozenset[str]) -> Iterator[_Steps]:
    """The paths read below a node, where a macro's variables may hide the name `traits`."""
    found = place(node)
    if found and found[0] == "traits" and found[0] not in hidden:
        if found[1]:
            yield found[1]
    elif isinstance(node, Fold):
        yield from _reads_below(node.source, hidden)
        for part in (node.start, *node.each):
            yield from _reads_below(part, hidden | {*node.names})
    else:
        for part in parts(node):
            yield from _reads_below(part, hidden)


def _is_set(value: object, steps: _Steps) -> bool:
    for step in steps:
        match value:
            case Mapping() if isinstance(step, str) and step in value:
                value = value[step]
            case list() | tuple() if isinstance(step, int) and 0 <= step < len(value):
                value = value[step]
            case _:
                return False
    return True


def _path(steps: _Steps) -> str:
    return "traits" + "".join(map(written, steps))
