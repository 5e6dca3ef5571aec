"""Deletions as their receipts: how far each service is, and what it erased.

Each id that stood for a profile has a record of its own in the logs, under the deletion's id with a
number; a receipt tells of all of them together.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hairspring.contracts.privacy.v1 import privacy_pb2
from hairspring.wire.times import set_ms

_NUMBERED = re.compile(r".*\+[0-9]+", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What a service erased of one id, by kind, and when it was done (ms, UTC); None before."""

    counts: Mapping[str, int]
    done_at: int | None


def numbered(deletion_id: str, place: int) -> str:
    """Name the deletion of one of the ids that stand for a profile; the first is that asked for."""
    return f"{deletion_id}+{place}" if place else deletion_id


def names(deletion_id: str, count: int) -> list[str]:
    """Name the deletions of so many ids."""
    return [numbered(deletion_id, place) for place in range(count)]


def is_numbered(deletion_id: str) -> bool:
    """Tell whether an id looks like that of one of several."""
    return _NUMBERED.fullmatch(deletion_id) is not None


def part(service: str, found: Sequence[Erased], count: int) -> privacy_pb2.DeletionPart:
    """Write how far a service is with the deletion of `count` ids, by those that it came to."""
    told = privacy_pb2.DeletionPart(service=service)
    if not found:
        told.state = privacy_pb2.DELETION_STATE_WAITING
        return told
    totals: Counter[str] = Counter()
    for one in found:
        totals.update(one.counts)
    for kind, erased in totals.items():
        if erased:
            told.erased.add(kind=kind, count=erased)
    done = [one.done_at for one in found if one.done_at is not None]
    if len(done) < count:
        told.state = privacy_pb2.DELETION_STATE_ERASING
        return told
    told.state = privacy_pb2.DELETION_STATE_DONE
    set_ms(told.done_time, max(done))
    return told
