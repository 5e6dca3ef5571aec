"""The delay queue on Redis or Valkey: sorted sets, moved by server-side functions."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec

from hairspring.timers import batches, scripts
from hairspring.timers.port import (
    EXPIRED_PER_CLAIM,
    LONGEST_LEASE_MS,
    SERVED,
    Claimed,
    Claims,
    DelayQueue,
    Fenced,
    Outcome,
    QueueLost,
    Timer,
)
from hairspring.timers.scripts import Script
from hairspring.timers.transport import Call, Transport

LOST, FENCED = -1, -2
DUE_AT = attrgetter("due_at")
SHARD = attrgetter("shard")
UNPACK = msgspec.msgpack.Decoder(list[int]).decode
UNPACK_CLAIMS = msgspec.msgpack.Decoder(list[tuple[int, int, int, list[str]]]).decode
TAKE_WEIGHT = batches.BATCH // 10
"""How many leases a shard that is taken over may have to give back, for the length of a call."""


def new_token() -> str:
    """Draw a token that no other claim has."""
    return secrets.token_hex(8)


class RedisDelayQueue(DelayQueue):
    """Keeps each shard in four keys with one hash tag, `{namespace:shard}`.

    The clock is the server's unless one is handed in. Once in `verify_every_ms` a claim also
    checks that the server is still the one that the shard was rebuilt or taken on.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        clock: Callable[[], int] | None = None,
        tokens: Callable[[], str] = new_token,
        verify_every_ms: int = 1_000,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._tokens = tokens
        self._verify_every = verify_every_ms / 1000
        self._verify_at: dict[int, float] = {}
        self._untold: set[int] = set()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        namespace: str,
        *,
        timeout_ms: int = 1_000,
        connections: int = 16,
        clock: Callable[[], int] | None = None,
        verify_every_ms: int = 1_000,
    ) -> AsyncIterator[RedisDelayQueue]:
        """Give a queue on connections of its own; it connects when first used."""
        async with Transport.open(
            url, namespace, timeout_ms=timeout_ms, connections=connections
        ) as transport:
            yield cls(transport, clock=clock, verify_every_ms=verify_every_ms)

    async def schedule(
        self, timers: Sequence[Timer], *, epochs: Mapping[int, int], earliest: bool = False
    ) -> Outcome:
        """Set the due times of these members, as told."""
        rows = batches.by_shard(timers, SHARD, lambda timer: (timer.due_at, timer.member))
        mode = "LT" if earliest else ""
        calls: list[Call] = [
            Call(
                shard=shard,
                given=(epochs[shard], [*chain.from_iterable(chunk)]),
                weight=len(chunk),
            )
            for shard, group in rows.items()
            for chunk in batches.chunks(group)
        ]
        try:
            return await self._change(scripts.SCHEDULE, calls, mode)
        except BaseException:
            self._untold.update(rows)
            raise

    async def cancel(
        self, members: Sequence[tuple[int, str]], *, epochs: Mapping[int, int]
    ) -> Outcome:
        """Remove these (shard, member) pairs, whether due or leased."""
        batches.check_members(members)
        rows = batches.by_shard(members, lambda pair: pair[0], lambda pair: pair[1])
        calls: list[Call] = [
            Call(shard=shard, given=(epochs[shard], chunk), weight=len(chunk))
            for shard, group in rows.items()
            for chunk in batches.chunks(group)
        ]
        return await self._change(scripts.CANCEL, calls)

    async def claim(
        self, shards: Sequence[int], limit: int, lease_ms: int, *, epochs: Mapping[int, int]
    ) -> Claims:
        """Lease what is due in these shards for `lease_ms`, at most `limit` in all."""
        batches.check_lease(lease_ms)
        token = self._tokens()
        verify = self._due_for_verifying(shards)
        now = "" if self._clock is None else self._clock()
        shared = (lease_ms, token, now, EXPIRED_PER_CLAIM, LONGEST_LEASE_MS)
        calls: list[Call] = [
            Call(shard=shard, given=(epochs[shard], share, shard in verify), weight=share + 1)
            for shard, share in zip(shards, batches.shares(limit, len(shards)), strict=True)
        ]
        answers = await self._transport.run(scripts.CLAIM, calls, *shared)
        replies = [reply for answer in answers for reply in UNPACK_CLAIMS(answer)]
        at = time.monotonic() + self._verify_every
        self._verify_at.update(dict.fromkeys(verify, at))
        return self._read_claims(shards, replies, token, lease_ms)

    async def ack(self, claimed: Sequence[Claimed]) -> int:
        """Drop these leases; answers how many were still held."""
        rows = batches.by_shard(claimed, SHARD, lambda one: (one.member, one.token))
        return await self._count(scripts.ACK, rows)

    async def release(self, claimed: Sequence[Claimed], *, due_at: int | None = None) -> int:
        """Make these due again, at `due_at` or as they were."""
        rows = batches.by_shard(
            claimed,
            SHARD,
            lambda one: (one.member, one.token, one.due_at if due_at is None else due_at),
        )
        return await self._count(scripts.RELEASE, rows)

    async def next_due(self, shards: Sequence[int]) -> int | None:
        """Answer the earliest due time or lease end in these shards."""
        keys = [key for shard in shards for key in self._transport.keys(shard)[1:3]]
        replies = await self._transport.pipe([("ZRANGE", key, 0, 0, "WITHSCORES") for key in keys])
        heads = [float(reply[0][1]) for reply in replies if reply]
        head = min(heads, default=float("inf"))
        return None if head == float("inf") else int(head)

    async def pending(self, shards: Sequence[int]) -> int:
        """Count the members of these shards, due or leased."""
        commands: list[tuple[Any, ...]] = []
        for shard in shards:
            _, due, leased, _ = self._transport.keys(shard)
            commands += [("ZCARD", due), ("ZCARD", leased), ("ZINTERCARD", 2, due, leased)]
        counts: list[int] = [max(0, count - 1) for count in await self._transport.pipe(commands)]
        return sum(counts[0::3]) + sum(counts[1::3]) - sum(counts[2::3])

    async def take(self, epochs: Mapping[int, int]) -> Outcome:
        """Take these shards over under these epochs."""
        calls = [
            Call(shard=shard, given=(epoch, batches.BATCH), weight=TAKE_WEIGHT)
            for shard, epoch in epochs.items()
        ]
        return await self._change(scripts.TAKE, calls)

    async def begin(self, shard: int, *, epoch: int, generation: str) -> None:
        """Empty a shard to rebuild it; raises Fenced for an older epoch."""
        self._untold.discard(shard)
        call = Call(shard=shard, given=(epoch, generation), weight=1)
        _raise_refusal(await self._change(scripts.BEGIN, [call]))

    async def complete(self, shard: int, *, epoch: int, generation: str) -> None:
        """Mark a rebuilt shard as whole; raises Fenced or QueueLost."""
        if shard in self._untold:
            raise QueueLost(frozenset([shard]))
        call = Call(shard=shard, given=(epoch, generation), weight=1)
        _raise_refusal(await self._change(scripts.COMPLETE, [call]))

    async def ping(self) -> None:
        """Return if the server answers; raises QueueUnavailable."""
        await self._transport.ping()

    async def _change(self, script: Script, calls: Sequence[Call], *shared: str) -> Outcome:
        """Run a script that answers how it went, and gather the refusals."""
        lost, fenced = set[int](), set[int]()
        for call, code in zip(calls, await self._codes(script, calls, *shared), strict=True):
            if code == LOST:
                lost.add(call.shard)
            elif code == FENCED:
                fenced.add(call.shard)
        if not lost and not fenced:
            return SERVED
        return Outcome(lost=frozenset(lost), fenced=frozenset(fenced))

    async def _count(self, script: Script, rows: Mapping[int, Sequence[tuple[Any, ...]]]) -> int:
        """Run a script on rows by shard that answers how many it reached."""
        calls = [
            Call(shard=shard, given=([*chain.from_iterable(chunk)],), weight=len(chunk))
            for shard, group in rows.items()
            for chunk in batches.chunks(group)
        ]
        return sum(await self._codes(script, calls))

    async def _codes(self, script: Script, calls: Sequence[Call], *shared: str) -> list[int]:
        """Run a script that answers a number for each call."""
        answers = await self._transport.run(script, calls, *shared)
        return [code for answer in answers for code in UNPACK(answer)]

    def _due_for_verifying(self, shards: Sequence[int]) -> set[int]:
        """Choose the shards whose server was not checked for a while."""
        now, at = time.monotonic(), self._verify_at
        return {shard for shard in shards if at.get(shard, 0.0) <= now}

    def _read_claims(
        self,
        shards: Sequence[int],
        replies: Sequence[tuple[int, int, int, list[str]]],
        token: str,
        lease_ms: int,
    ) -> Claims:
        """Read the answers of one claim; shards that missed a schedule count as lost."""
        claimed: list[Claimed] = []
        lost, fenced, next_due = set[int](), set[int](), dict[int, int]()
        for shard, (code, now, head, found) in zip(shards, replies, strict=True):
            if code == FENCED:
                fenced.add(shard)
            elif code == LOST or shard in self._untold:
                lost.add(shard)
            if head >= 0:
                next_due[shard] = head
            lease_until = now + lease_ms
            claimed += [
                Claimed(
                    shard=shard,
                    member=found[i],
                    due_at=int(found[i + 1]),
                    token=token,
                    lease_until=lease_until,
                )
                for i in range(0, len(found), 2)
            ]
        claimed.sort(key=DUE_AT)
        return Claims(
            now=max((reply[1] for reply in replies), default=0),
            claimed=claimed,
            next_due=next_due,
            lost=frozenset(lost),
            fenced=frozenset(fenced),
        )


def _raise_refusal(outcome: Outcome) -> None:
    """Raise Fenced or QueueLost for a call that was refused."""
    if outcome.fenced:
        raise Fenced(outcome.fenced)
    if outcome.lost:
        raise QueueLost(outcome.lost)
