"""The port of delivery's tables: its runs and messages, written by the owner of their shard."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

from hairspring.services.delivery.departing import Departed, Departure, Noted
from hairspring.services.delivery.following import Key
from hairspring.services.delivery.messages import Message
from hairspring.services.delivery.runs import Run
from hairspring.services.delivery.waits import Wake

Connection: TypeAlias = Any
"""What a transaction is written by: a connection of asyncpg, or a transaction in memory."""

Place: TypeAlias = tuple[int, str, str]
"""Where a profile's rows are: shard, workspace, profile."""


class DeliveryStore(ABC):
    """Reads and writes runs and messages. Reads see what is committed.

    What writes takes the connection of a transaction whose first statement was the fence.
    """

    @abstractmethod
    def begin(self) -> AbstractAsyncContextManager[Connection]:
        """Open a transaction: it is committed whole at the end of the block, or not at all."""

    @abstractmethod
    async def active_of(self, places: Sequence[Place]) -> list[Run]:
        """Read the runs of these profiles that go on."""

    @abstractmethod
    async def last_starts(self, places: Sequence[Place]) -> dict[tuple[Key, str], int]:
        """Read when each flow was last started by these profiles, ms UTC.

        What was started by those that became part of them counts as well.
        """

    @abstractmethod
    async def lineage(self, place: Place) -> list[Place]:
        """List a profile and all those that became part of it, itself first."""

    @abstractmethod
    async def runs_of(self, wakes: Sequence[Wake]) -> list[Run]:
        """Read the runs that these wake-ups are for, whatever their status."""

    @abstractmethod
    async def messages_of(self, wakes: Sequence[Wake]) -> list[Message]:
        """Read every message of these runs."""

    @abstractmethod
    async def sending_in(self, shards: Sequence[int]) -> list[Message]:
        """Read the messages of these shards that somebody was handing over."""

    @abstractmethod
    async def waking(
        self, shard: int, after: tuple[int, str], before: int, limit: int
    ) -> list[tuple[Wake, int]]:
        """List the runs of a shard to be looked at before a time (ms, UTC), the earliest first.

        Page on with the `wake_at` and the run id of the last one as `after`.
        """

    @abstractmethod
    async def overdue(self, shards: Sequence[int], before: int, limit: int) -> list[Wake]:
        """List the runs of these shards that should have been looked at by `before` (ms, UTC)."""

    @abstractmethod
    async def depart(self, connection: Connection, departure: Departure) -> Departed:
        """Delete the runs and messages of a profile by entries before its deletion, and note it.

        What became part of it stands for itself from then on.
        """

    @abstractmethod
    async def departed(self, workspace: str, deletion_ids: Sequence[str]) -> list[Noted]:
        """Read what is noted of those of these deletions that delivery has come to."""

    @abstractmethod
    async def save_runs(self, connection: Connection, runs: Sequence[Run]) -> None:
        """Write runs as they are now."""

    @abstractmethod
    async def save_messages(self, connection: Connection, messages: Sequence[Message]) -> None:
        """Write messages as they are now."""

    @abstractmethod
    async def save_formers(
        self, connection: Connection, formers: Sequence[tuple[Place, Place]]
    ) -> None:
        """Note which profiles became part of which: each profile with its former one."""

    @abstractmethod
    async def skip_pending(self, connection: Connection, runs: Sequence[Run]) -> list[Message]:
        """Skip what waits to be sent in those of these runs that have ended; answers what was.

        A message that is being handed over stays as it is.
        """
