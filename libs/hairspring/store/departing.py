"""Where the records of a deletion stand in the evaluator's log, and what went with it."""

from collections.abc import Mapping, Sequence

from hairspring.log.deletions import Deletion
from hairspring.log.port import Appended, Entry
from hairspring.store.port import Departure


def noted_deletion(
    one: Departure,
    records: Sequence[Entry],
    appended: Sequence[Appended],
    erased: Mapping[str, int],
) -> Deletion:
    """Note where the records of a deletion were appended, and what went with it."""
    told = {id(entry) for entry in one.told}
    positions = [
        place.position for entry, place in zip(records, appended, strict=True) if id(entry) in told
    ]
    return Deletion(
        workspace=one.key.workspace,
        deletion_id=one.deletion_id,
        places=[(one.key.shard, one.key.profile)],
        first_position=positions[0],
        position=positions[-1],
        deleted_at=one.at,
        erased=erased,
    )
