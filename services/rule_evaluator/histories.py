"""Histories: what is recorded of profiles that are to be folded anew."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import grpc
from hairspring.engine.events import Event, too_old
from hairspring.engine.past import judged
from hairspring.engine.simulate import Joined
from hairspring.ownership.port import Owned
from hairspring.runtime.logging import get_logger
from hairspring.services.rule_evaluator.adapters.event_log import EventLog, EventRecord
from hairspring.services.rule_evaluator.work import History, key_of
from hairspring.store.port import FILL, Key, Rebuild, Stored
from hairspring.wire.inputs import to_engine, to_entries
from hairspring.wire.times import to_ms

PAUSE = 1.0

#: The history of each rebuild: of one that is begun anew further on, there is more.
Found = dict[Rebuild, History]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointHistory:
    """What is folded where another profile became part of one: what joined, and all events."""

    joined: Joined
    events: Sequence[Event]


class Histories:
    """Reads histories from ingest; while it is away, waits for it. `horizon` in milliseconds.

    `owned` are the shards, with the positions up to which they had been evaluated at first.
    """

    def __init__(
        self, events: EventLog, horizon: int | None, owned: Mapping[int, Owned] | None = None
    ) -> None:
        self._events = events
        self._horizon = horizon
        self._owned = owned or {}
        self._reached = 0
        self._ahead: dict[Key, list[EventRecord]] = {}
        self._log = get_logger()

    def evaluated(self, records: Sequence[EventRecord], position: int) -> None:
        """Notes that everything up to a position was evaluated; `records` are the last of it."""
        self._reached = position
        if self._ahead:
            for record in records:
                if (later := self._ahead.get(key_of(record))) is not None:
                    later.append(record)

    async def read_ahead(self, todo: Sequence[Rebuild], stored: Mapping[Key, Stored]) -> Found:
        """Reads as `read` does, for turns to come, which ask for it by `at_hand`."""
        self._ahead = {rebuild.key: [] for rebuild in todo if rebuild.cause == FILL}
        return await self.read(todo, stored)

    def let_go(self) -> None:
        """Forgets what was read ahead."""
        self._ahead = {}

    def at_hand(self, todo: Sequence[Rebuild], ahead: Mapping[Rebuild, History]) -> Found:
        """Histories that were read ahead, with what came since."""
        return {one: self._completed(one, ahead[one]) for one in todo if one in ahead}

    def _completed(self, rebuild: Rebuild, history: History) -> History:
        came = self._ahead.get(rebuild.key)
        if rebuild.cause != FILL or not came:
            return history
        later = [to_engine(one) for one in came if _is_live(one) and one.position > history.through]
        return replace(history, later=[*history.later, *later])

    async def read(self, todo: Sequence[Rebuild], stored: Mapping[Key, Stored]) -> Found:
        """Reads the history of each rebuild, without imports that had not finished by then."""
        groups: dict[tuple[str, int], list[Rebuild]] = {}
        for rebuild in todo:
            group = rebuild.key.workspace, self._through(rebuild)
            groups.setdefault(group, []).append(rebuild)
        found: Found = {}
        read = await asyncio.gather(
            *(
                self._read(workspace, [rebuild.key.profile for rebuild in rebuilds], position)
                for (workspace, position), rebuilds in groups.items()
            )
        )
        for ((_, through), rebuilds), records in zip(groups.items(), read, strict=True):
            for rebuild in rebuilds:
                history, waiting = records[rebuild.key.profile], stored[rebuild.key].rebuilds
                found[rebuild] = self._history(rebuild, history, waiting, through)
                await asyncio.sleep(0)  # long histories take a while, in which others may go on
        return found

    def _through(self, rebuild: Rebuild) -> int:
        """Up to where the history is read: of what is filled, as far as events were judged."""
        position = rebuild.position or 0
        if rebuild.cause != FILL:
            return position
        owned = self._owned.get(rebuild.key.shard)
        return max(position, self._reached, owned.position if owned is not None else 0)

    def _history(
        self,
        rebuild: Rebuild,
        records: Sequence[EventRecord],
        waiting: Sequence[Rebuild],
        through: int,
    ) -> History:
        position = rebuild.position or 0
        unfinished = {
            other.cause for other in waiting if other.position is None or other.position > position
        }
        events = [
            event
            for record in records
            if record.position <= position and record.event.import_id not in unfinished
            for event in [to_engine(record)]
            if record.event.import_id or not too_old(event, self._horizon)
        ]
        later = [to_engine(one) for one in records if one.position > position and _is_live(one)]
        return History(events=events, later=later, through=through)

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


def _is_live(record: EventRecord) -> bool:
    return record.WhichOneof("body") == "event" and not record.event.import_id
