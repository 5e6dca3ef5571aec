"""What putting a catalog in force would change."""

from dataclasses import dataclass
from enum import StrEnum

from hairspring.definitions.catalog import Catalog, Definition
from hairspring.definitions.kinds import Kind


class ChangeType(StrEnum):
    """What happens to a definition."""

    ADDED = "added"  #: It is new.
    CHANGED = "changed"  #: It replaces an older form.
    UNCHANGED = "unchanged"  #: It means what it meant, however it is written now.
    REMOVED = "removed"  #: It is gone.


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to one definition."""

    kind: Kind
    name: str
    type: ChangeType


def changes(old: Catalog, new: Catalog) -> list[Change]:
    """Compares two catalogs by the canonical forms; by kind and name."""
    before, after = _by_key(old), _by_key(new)
    order = list(Kind)
    keys = sorted({*before, *after}, key=lambda key: (order.index(key[0]), key[1]))
    return [
        Change(kind=kind, name=name, type=_type(before.get((kind, name)), after.get((kind, name))))
        for kind, name in keys
    ]


def _type(before: Definition | None, after: Definition | None) -> ChangeType:
    if before is None:
        return ChangeType.ADDED
    if after is None:
        return ChangeType.REMOVED
    return ChangeType.UNCHANGED if before.body == after.body else ChangeType.CHANGED


def _by_key(catalog: Catalog) -> dict[tuple[Kind, str], Definition]:
    return {(definition.kind, definition.name): definition for definition in catalog.all()}
