"""Departing: profiles that are deleted by records of a turn, and what is left of the turn then.

Of a deleted profile nothing is judged that stands before its deletion: that is being erased.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hairspring.engine.records import Deleted
from hairspring.services.rule_evaluator.work import EventRecord, Turn, key_of
from hairspring.store.port import Key, SegmentStore
from hairspring.wire.times import to_ms


@dataclass(slots=True, kw_only=True)
class Departing:
    """The deletions of a profile, each with the segments that it was in before it, as was told."""

    deletions: list[tuple[Deleted, Mapping[str, int]]] = field(default_factory=list)
    position: int = 0  #: Of the last of them.


async def departing_of(turn: Turn, store: SegmentStore) -> dict[Key, Departing]:
    """Find who is deleted by a turn; nobody, in nearly all of them."""
    found: dict[Key, Departing] = {}
    for record in turn.deletions:
        key = key_of(record)
        # Nothing is judged between two deletions, so nobody is in anything before the second.
        standing = {} if key in found else await store.standing(key)
        one = found.setdefault(key, Departing())
        deletion_id = record.profile_deleted.deletion_id
        deletion = Deleted(deletion_id=deletion_id, at=to_ms(record.accept_time))
        one.deletions.append((deletion, standing))
        one.position = record.position
    return found


def left_of(
    records: Sequence[EventRecord], departing: Mapping[Key, Departing]
) -> list[EventRecord]:
    """Answer the records without deletions and without what stands before them of a profile."""
    return [
        record
        for record in records
        for gone in [departing.get(key_of(record))]
        if gone is None or record.position > gone.position
    ]
