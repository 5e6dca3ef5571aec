"""Ownership of shards: taken, handed over, and proved by the epoch before every effect."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

LEASE_MS = 6_000


class Fenced(Exception):
    """Somebody else owns some of the shards now: nothing may be done in their name any more."""

    def __init__(self, shards: Collection[int]) -> None:
        super().__init__(f"not the owner any more of some of the shards {sorted(shards)}")
        self.shards = frozenset(shards)


class ShardCountChanged(Exception):
    """The database was installed with another number of shards."""

    def __init__(self, wanted: int, installed: int) -> None:
        super().__init__(
            f"this database was installed with {installed} shards, which cannot change; "
            f"set HAIRSPRING_SHARDS to {installed}, not {wanted}"
        )
        self.wanted, self.installed = wanted, installed


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A shard that is owned under an epoch, and how it stood when it was acquired.

    It is read and committed up to `position`; what follows is judged under `plan_version`.
    """

    shard: int
    epoch: int
    position: int
    plan_version: int


class Ownership(ABC):
    """What one replica owns of the shards, which all that are present share evenly.

    It is present from its first `acquire` to its `release`. `lost` is set once the replica has
    learnt that others have taken what it owned; a later `acquire` that gives shards clears it.
    `unbalanced` is set once `acquire` would change what is owned, since a replica came or went;
    end what is being done then, and acquire, which clears it.
    """

    def __init__(self, replica_id: str) -> None:
        self.replica_id = replica_id
        self.lost = asyncio.Event()
        self.unbalanced = asyncio.Event()

    @abstractmethod
    async def acquire(self) -> dict[int, Owned]:
        """Come to an even share, and answer all that is owned then.

        What is owned beyond the share is given up, after effects that have begun have ended; up to
        it, shards are taken that are free or whose owner is gone. The epoch of a shard that is
        taken has been raised before its state is read, so no effect of the former owner can come
        after. Shares differ by at most one once every replica has acquired.
        """

    @abstractmethod
    async def stand_by(self) -> dict[int, Owned]:
        """Wait until there is something to own, and acquire it."""

    @abstractmethod
    async def release(self) -> None:
        """Hand over everything at once, after effects that have begun have ended, and be absent."""

    @abstractmethod
    async def fence(
        self,
        connection: Any,
        shards: Mapping[int, Owned],
        position: int,
        *,
        plan_version: int | None = None,
    ) -> None:
        """Prove ownership as the first statement of an effect's transaction.

        The shards stay locked until its end, their positions move on to `position` (never back),
        and their plan version becomes `plan_version` if given. Raises Fenced, and then nothing of
        the transaction may be committed, unless every one is owned under its epoch.
        """


def new_replica_id() -> str:
    """Make a name for this run of this process, never used before."""
    return f"{socket.gethostname()[:30]}-{os.getpid()}-{secrets.token_hex(4)}"
