"""Histories: what is recorded of profiles that are to be folded anew."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import grpc
from hairspring.engine.events import Event, too_old
from hairspring.engine.past import judged
from hairspring.engine.simulate import Joined
from hairspring.runtime.logging import get_logger
from hairspring.services.rule_evaluator.adapters.event_log import EventLog, EventRecord
from hairspring.store.port import Key, Rebuild, Stored
from hairspring.wire.inputs import to_engine, to_entries
from hairspring.wire.times import to_ms

PAUSE = 1.0

#: Of each rebuild, the events to fold: of one that is begun anew further on, there are more.
Found = dict[Rebuild, list[Event]]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointHistory:
    """What is folded where another profile became part of one: what joined, and all events."""

    joined: Joined
    events: Sequence[Event]


class Histories:
    """Reads histories from ingest; while it is away, waits for it. `horizon` in milliseconds."""

    def __init__(self, events: EventLog, horizon: int | None) -> None:
        self._events = events
        self._horizon = horizon
        self._log = get_logger()

    async def read(self, todo: Sequence[Rebuild], stored: Mapping[Key, Stored]) -> Found:
        """Reads the history of each rebuild, without imports that had not finished by then."""
        groups: dict[tuple[str, int], list[Rebuild]] = {}
        for rebuild in todo:
            groups.setdefault((rebuild.key.workspace, rebuild.position or 0), []).append(rebuild)
        found: Found = {}
        read = await asyncio.gather(
            *(
                self._read(workspace, [rebuild.key.profile for rebuild in rebuilds], position)
                for (workspace, position), rebuilds in groups.items()
            )
        )
        for ((_, position), rebuilds), records in zip(groups.items(), read, strict=True):
            for rebuild in rebuilds:
                unfinished = {
                    other.cause
                    for other in stored[rebuild.key].rebuilds
                    if other.position is None or other.position > position
                }
                found[rebuild] = [
                    event
                    for record in records[rebuild.key.profile]
                    if record.event.import_id not in unfinished
                    for event in [to_engine(record)]
                    if record.event.import_id or not too_old(event, self._horizon)
                ]
                await asyncio.sleep(0)  # long histories take a while, in which others may go on
        return found

    async def joint(self, records: Sequence[EventRecord]) -> dict[int, JointHistory]:
        """Reads the histories for records that say that profiles were merged, by their positions.

        They are those of the log up to each record, whenever they are read.
        """
        by_workspace: dict[str, list[EventRecord]] = {}
        for record in records:
            by_workspace.setdefault(record.workspace_id, []).append(record)
        found: dict[int, JointHistory] = {}
        for workspace, merged in by_workspace.items():
            profiles = list(dict.fromkeys(record.profile_id for record in merged))
            last = max(record.position for record in merged)
            lives = await self._until_read(partial(self._events.lives, workspace, profiles, last))
            for record in merged:
                life = [one for one in lives[record.profile_id] if one.position <= record.position]
                entries = to_entries(life)
                joined = next(
                    (one for one in reversed(entries) if isinstance(one, Joined)),
                    # It is being erased, since the profile was deleted later on.
                    Joined(record.merged.from_profile_id, to_ms(record.accept_time)),
                )
                events = judged(entries, self._horizon)
                found[record.position] = JointHistory(joined=joined, events=events)
        return found

    async def _read(
        self, workspace: str, profiles: Sequence[str], position: int
    ) -> dict[str, list[EventRecord]]:
        return await self._until_read(partial(self._events.history, workspace, profiles, position))

    async def _until_read(
        self, read: Callable[[], Awaitable[dict[str, list[EventRecord]]]]
    ) -> dict[str, list[EventRecord]]:
        while True:
            try:
                return await read()
            except grpc.aio.AioRpcError as error:
                self._log.warning("history_not_read", code=error.code().name)
            await asyncio.sleep(PAUSE)
