"""The use case of deleting a profile: one record in the log, from which all the rest follows."""

from collections.abc import Callable

import asyncpg
from hairspring.log.deletions import STEP, Deletion, Deletions
from hairspring.log.port import Entry, Log
from hairspring.log.shards import shard_of
from hairspring.runtime.errors import AlreadyExists
from hairspring.runtime.logging import get_logger
from hairspring.services.ingest.adapters.rejects import RejectTable
from hairspring.services.ingest.gone import Gone
from hairspring.services.ingest.judging import check_id
from hairspring.wire.events import deleted_payload


class Deleting:
    """Deletes profiles in ingest's tables."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        log: Log,
        deletions: Deletions,
        gone: Gone,
        *,
        shards: int,
        new_id: Callable[[], str],
        rejects: RejectTable | None = None,
    ) -> None:
        self._pool = pool
        self._log = log
        self._deletions = deletions
        self._gone = gone
        self._shards = shards
        self._new_id = new_id
        self._rejects = rejects

    async def delete(self, workspace: str, profile: str, deletion_id: str) -> Deletion:
        """Delete a profile, and answer once that is committed; what is left to erase follows.

        The same under the same id, which is made where it is empty. Raises InvalidInput, and
        AlreadyExists where that id names the deletion of somebody else.
        """
        check_id("profile_id", profile)
        if deletion_id:
            check_id("deletion_id", deletion_id)
        else:
            deletion_id = self._new_id()
        if (done := await self._deletions.get(workspace, deletion_id)) is not None:
            return _the_same(done, profile)
        try:
            await self._delete(workspace, profile, deletion_id)
        except asyncpg.UniqueViolationError:  # Somebody asked for the same just now.
            pass
        else:
            get_logger().info("profile_deleted", workspace=workspace, deletion_id=deletion_id)
        self._deletions.notice()
        made = await self._deletions.get(workspace, deletion_id)
        assert made is not None, "a deletion that was committed can be read"
        return _the_same(made, profile)

    async def _delete(self, workspace: str, profile: str, deletion_id: str) -> None:
        """Erase the first of what there is and append the record, in one transaction.

        The lane is locked by the append, so what takes longest comes before it.
        """
        places = [(shard_of(workspace, profile, self._shards), profile)]
        ids = [name for _, name in places]
        entry = Entry(
            shard=places[0][0],
            workspace=workspace,
            profile=profile,
            payload=deleted_payload(deletion_id),
        )
        async with self._pool.acquire() as connection, connection.transaction():
            if self._rejects is not None:
                await self._rejects.erase_in(connection, workspace, ids)
            erased = await self._log.erase_in(
                connection,
                workspace,
                places,
                before=2**62,
                keep=await self._deletions.kept_in(connection, workspace, ids),
                limit=STEP,
            )
            [appended] = await self._log.append_in(connection, [entry])
            number = await self._log.count_deletion(connection)
            await self._gone.note_in(
                connection, workspace, ids, deleted_at=appended.accepted_at, number=number
            )
            deletion = Deletion(
                workspace=workspace,
                deletion_id=deletion_id,
                places=places,
                first_position=appended.position,
                position=appended.position,
                deleted_at=appended.accepted_at,
                records=erased,
            )
            await self._deletions.note_in(connection, deletion)


def _the_same(deletion: Deletion, profile: str) -> Deletion:
    if deletion.profile not in ("", profile):
        raise AlreadyExists(
            f"the deletion {deletion.deletion_id!r} is of another profile: give this one an id of "
            "its own",
            deletion_id=deletion.deletion_id,
        )
    return deletion
