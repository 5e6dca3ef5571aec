"""The use case of recording events: judge each, append what is sound, tell what became of each."""

from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import NamedTuple

from hairspring.contracts.event.v1 import event_pb2
from hairspring.log.port import Entry
from hairspring.services.ingest import judging
from hairspring.services.ingest.appending import Outcome as Appended
from hairspring.services.ingest.appending import Swallowed, Unstorable
from hairspring.services.ingest.imports import Imports
from hairspring.services.ingest.judging import Refused, Sound
from hairspring.services.ingest.metrics import count_events
from hairspring.wire.times import iso


class Status(Enum):
    """How one event ended."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    REFUSED = "refused"
    DELETED = "deleted"


class Result(NamedTuple):
    """What became of one event. `accepted_at` is in ms since the epoch, UTC."""

    status: Status
    message_id: str
    position: int = 0
    accepted_at: int = 0
    problem: str = ""


Submit = Callable[[Sequence[Entry]], Awaitable[list[Appended]]]
"""Appends entries of one caller, together with those of others. See GroupCommit.submit."""


class Recording:
    """Records events, live or under an import; each is accepted or refused on its own."""

    def __init__(
        self, submit: Submit, imports: Imports, *, shards: int, new_id: Callable[[], str]
    ) -> None:
        self._submit = submit
        self._imports = imports
        self._shards = shards
        self._new_id = new_id

    async def record(self, workspace: str, events: Sequence[event_pb2.Event]) -> list[Result]:
        """Record live events. Raises Unavailable or Exhausted when nothing can be promised."""
        judged = [
            judging.judge(event, workspace=workspace, shards=self._shards, new_id=self._new_id)
            for event in events
        ]
        return await self._append(judged, self._submit)

    async def import_events(
        self, workspace: str, import_id: str, events: Sequence[event_pb2.Event]
    ) -> list[Result]:
        """Record history under an import. Raises InvalidInput, and Conflict once it is finished."""
        judging.check_import_id(import_id)
        judged = [
            judging.judge_imported(
                event, workspace=workspace, shards=self._shards, import_id=import_id
            )
            for event in events
        ]

        async def append(entries: Sequence[Entry]) -> list[Appended]:
            return await self._imports.append(workspace, import_id, entries)

        return await self._append(judged, append)

    async def _append(self, judged: Sequence[Sound | Refused], append: Submit) -> list[Result]:
        """Append what is sound, and tell the results in the order of the request."""
        outcomes = iter(await append([one.entry for one in judged if isinstance(one, Sound)]))
        results = [
            _refused(one) if isinstance(one, Refused) else _result(one, next(outcomes))
            for one in judged
        ]
        count_events([result.status for result in results])
        return results


def _refused(refused: Refused) -> Result:
    return Result(status=Status.REFUSED, message_id=refused.message_id, problem=refused.problem)


def _result(sound: Sound, outcome: Appended) -> Result:
    if isinstance(outcome, Unstorable):
        return Result(status=Status.REFUSED, message_id=sound.message_id, problem=outcome.problem)
    if isinstance(outcome, Swallowed):
        problem = f"its profile was deleted at {iso(outcome.deleted_at)}, after this happened"
        return Result(status=Status.DELETED, message_id=sound.message_id, problem=problem)
    if outcome.repeated:
        return Result(status=Status.REPEATED, message_id=sound.message_id)
    return Result(
        status=Status.ACCEPTED,
        message_id=sound.message_id,
        position=outcome.position,
        accepted_at=outcome.accepted_at,
    )
