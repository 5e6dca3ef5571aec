"""Deletions as their receipts: how far each service is, and what it erased."""

from collections.abc import Mapping

from hairspring.contracts.privacy.v1 import privacy_pb2
from hairspring.wire.times import set_ms


def part(
    service: str, erased: Mapping[str, int] | None, done_at: int | None
) -> privacy_pb2.DeletionPart:
    """Write how far a service is: None for one that has not come to it; `done_at` in ms, UTC."""
    told = privacy_pb2.DeletionPart(service=service)
    if erased is None:
        told.state = privacy_pb2.DELETION_STATE_WAITING
        return told
    told.state = privacy_pb2.DELETION_STATE_ERASING
    for kind, count in erased.items():
        if count:
            told.erased.add(kind=kind, count=count)
    if done_at is not None:
        told.state = privacy_pb2.DELETION_STATE_DONE
        set_ms(told.done_time, done_at)
    return told
