"""The use case of deleting a profile: one record in the log, from which all the rest follows."""

from collections.abc import Callable

import asyncpg
from hairspring.log.deletions import STEP, Deletion, Deletions
from hairspring.log.links import MOST_IDS
from hairspring.log.port import Entry, Log
from hairspring.log.shards import shard_of
from hairspring.runtime.errors import AlreadyExists, InvalidInput
from hairspring.runtime.logging import get_logger
from hairspring.services.ingest.adapters.rejects import RejectTable
from hairspring.services.ingest.gone import Gone
from hairspring.services.ingest.judging import check_id
from hairspring.wire.deletions import is_numbered, names, numbered
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
        rejects: RejectTable,
    ) -> None:
        self._pool = pool
        self._log = log
        self._deletions = deletions
        self._gone = gone
        self._shards = shards
        self._new_id = new_id
        self._rejects = rejects

    async def delete(self, workspace: str, profile: str, deletion_id: str) -> list[Deletion]:
        """Delete a profile, and answer once that is committed; what is left to erase follows.

        Answers the deletion of each of its ids, the same under the same id, which is made where it
        is empty. Raises InvalidInput, and AlreadyExists where that names one of somebody else.
        """
        check_id("profile_id", profile)
        if deletion_id:
            check_id("deletion_id", deletion_id)
            if is_numbered(deletion_id):
                raise InvalidInput(
                    f"deletion_id {deletion_id!r} ends with a plus and a number, as those do that"
                    " are made here: choose another",
                    field="deletion_id",
                )
        else:
            deletion_id = self._new_id()
        if done := await self._the_same(workspace, deletion_id, profile):
            return done
        try:
            await self._delete(workspace, profile, deletion_id)
        except asyncpg.UniqueViolationError:  # Somebody asked for the same just now.
            pass
        else:
            get_logger().info("profile_deleted", workspace=workspace, deletion_id=deletion_id)
        self._deletions.notice()
        return await self._the_same(workspace, deletion_id, profile)

    async def _delete(self, workspace: str, profile: str, deletion_id: str) -> None:
        """Erase some of what there is and append the record, in one transaction.

        All ids that stand for the profile go with it, each by a record and a deletion of its own,
        and stand for nobody from then on. The lane is locked once the deletion is counted, so what
        takes longest comes before it.
        """
        places = await self._places(workspace, profile)
        ids = [name for _, name in places]
        async with self._pool.acquire() as connection, connection.transaction():
            rejects = await self._rejects.erase_in(connection, workspace, ids)
            erased = await self._log.erase_in(
                connection,
                workspace,
                places,
                before=2**62,
                keep=await self._deletions.kept_in(connection, workspace, ids),
                limit=STEP,
            )
            number = await self._log.count_deletion(connection)
            places = await self._places(workspace, profile)  # as they stay from here on
            if late := [name for _, name in places if name not in ids]:
                rejects += await self._rejects.erase_in(connection, workspace, late)
            await self._log.unlink_in(connection, workspace, places)
            entries = [
                Entry(
                    shard=shard,
                    workspace=workspace,
                    profile=name,
                    payload=deleted_payload(numbered(deletion_id, place)),
                )
                for place, (shard, name) in enumerate(places)
            ]
            appended = await self._log.append_in(connection, entries)
            await self._gone.note_in(
                connection,
                workspace,
                [name for _, name in places],
                deleted_at=appended[0].accepted_at,
                number=number,
            )
            for place, one in enumerate(appended):
                deletion = Deletion(
                    workspace=workspace,
                    deletion_id=numbered(deletion_id, place),
                    places=places[place : place + 1],
                    first_position=one.position,
                    position=one.position,
                    deleted_at=one.accepted_at,
                    erased={} if place else {"rejects": rejects},
                    records=0 if place else erased,
                )
                await self._deletions.note_in(connection, deletion)

    async def of(self, workspace: str, deletion_id: str) -> list[Deletion]:
        """Read a deletion: that of the id which the profile went by, then of the other ids."""
        return await self._deletions.all_of(workspace, names(deletion_id, MOST_IDS))

    async def _the_same(self, workspace: str, deletion_id: str, profile: str) -> list[Deletion]:
        """Check that a deletion is of this profile, by whichever of the ids that stood for it."""
        found = await self.of(workspace, deletion_id)
        if found and not any(one.profile in ("", profile) for one in found):
            raise AlreadyExists(
                f"the deletion {deletion_id!r} is of another profile: give this one an id of its"
                " own",
                deletion_id=deletion_id,
            )
        return found

    async def _places(self, workspace: str, profile: str) -> list[tuple[int, str]]:
        """Find where the records of a profile stand, whichever of its ids it is named by.

        The id that it goes by comes first.
        """
        shard = shard_of(workspace, profile, self._shards)
        linked = (await self._log.resolve(workspace, [profile], [shard])).get(profile)
        if linked is not None:
            profile = linked.profile
            shard = shard_of(workspace, profile, self._shards)
        lineage = await self._log.lineage(workspace, [profile], [shard], 2**62)
        return lineage[profile]
