"""What the evaluator has recorded, read from its log."""

from collections.abc import AsyncIterator

from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.log.port import Log, Record
from hairspring.store.port import Key
from hairspring.wire.transitions import read_record

READ_AT_ONCE = 2_000


def recorded(record: Record) -> transition_pb2.Record:
    """Reads a record of the evaluator's log."""
    return read_record(
        record.payload,
        position=record.position,
        shard=record.shard,
        workspace=record.workspace,
        profile=record.profile,
        accepted_at=record.accepted_at,
    )


async def all_recorded(log: Log, key: Key) -> AsyncIterator[transition_pb2.Record]:
    """Reads all that was recorded of a profile, in log order."""
    after = 0
    while True:
        page = await log.history(
            key.workspace, [key.profile], [key.shard], after=after, limit=READ_AT_ONCE
        )
        for record in page:
            yield recorded(record)
        if len(page) < READ_AT_ONCE:
            return
        after = page[-1].position
