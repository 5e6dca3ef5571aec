"""What happens to the timers when their server forgets, dies, freezes or runs out of room."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest
from hairspring.embedded.valkey import ValkeyServer
from hairspring.timers import QueueLost, QueueUnavailable, Timer
from hairspring.timers.redis import RedisDelayQueue
from redis.asyncio import Redis
from redis.crc import key_slot

from tests.support.waiting import eventually

LEASE = 30_000
EPOCHS = {0: 1, 1: 1}
NAMESPACE = "hairspring:trial"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A plain client, to break things with."""
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[RedisDelayQueue]:
    """A queue on the server's clock whose two shards are whole."""
    async with RedisDelayQueue.open(
        redis_url, NAMESPACE, timeout_ms=300, verify_every_ms=0
    ) as queue:
        for shard in EPOCHS:
            await queue.begin(shard, epoch=1, generation="first")
            await queue.complete(shard, epoch=1, generation="first")
        yield queue


async def schedule(queue: RedisDelayQueue, *due_at: int) -> None:
    timers = [Timer(shard=i % 2, member=f"p{i}", due_at=at) for i, at in enumerate(due_at)]
    assert (await queue.schedule(timers, epochs=EPOCHS)).ok


async def test_now_is_the_servers(queue: RedisDelayQueue, redis: Redis) -> None:
    """A worker's clock does not matter: the server's decides what is due."""
    seconds, micros = await redis.time()
    server = seconds * 1_000 + micros // 1_000
    await schedule(queue, server - 5, server + 60_000)
    claims = await queue.claim([0, 1], 10, LEASE, epochs=EPOCHS)
    assert [one.member for one in claims.claimed] == ["p0"]
    assert server <= claims.now < server + 5_000
    assert claims.claimed[0].lease_until == claims.now + LEASE


async def test_scripts_that_the_server_forgot(queue: RedisDelayQueue, redis: Redis) -> None:
    """A server that lost its script cache is told the scripts again."""
    await redis.script_flush()
    await schedule(queue, now_ms() - 2, now_ms() - 1)
    await redis.script_flush()
    claims = await queue.claim([0, 1], 10, LEASE, epochs=EPOCHS)
    await redis.script_flush()
    assert await queue.ack(claims.claimed) == 2


async def test_one_script_serves_many_shards(queue: RedisDelayQueue, redis: Redis) -> None:
    """What goes to all shards is one call, and what the caller may not do in one stops no other."""
    await schedule(queue, now_ms() + 60_000)
    await queue.claim([0], 0, LEASE, epochs=EPOCHS)  # now the server knows both scripts
    assert (await queue.take({0: 1, 1: 2})).ok
    await redis.config_resetstat()
    timers = [Timer(shard=shard, member="ada", due_at=1) for shard in (0, 1, 0)]
    assert (await queue.schedule(timers, epochs=EPOCHS)).fenced == {1}
    claims = await queue.claim([0, 1], 10, LEASE, epochs=EPOCHS)
    assert ([one.shard for one in claims.claimed], claims.fenced) == ([0], {1})
    assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] == 2


async def test_expired_leases_come_back_a_bounded_number_a_call(
    queue: RedisDelayQueue, redis: Redis
) -> None:
    """One script call ends 500 of them at most, of however many shards; later ones the rest."""
    epochs = dict.fromkeys(range(8), 1)
    for shard in epochs.keys() - EPOCHS.keys():
        await queue.begin(shard, epoch=1, generation="first")
        await queue.complete(shard, epoch=1, generation="first")
    timers = [Timer(shard=shard, member=f"p{i}", due_at=1) for shard in epochs for i in range(80)]
    await queue.schedule(timers, epochs=epochs)
    held = (await queue.claim([*epochs], 640, 1, epochs=epochs)).claimed
    assert len(held) == 640
    await eventually(lambda: _is_over(redis, max(one.lease_until for one in held)))

    claimed = (await queue.claim([*epochs], 8, LEASE, epochs=epochs)).claimed

    leased = [await redis.zcard(f"{{{NAMESPACE}:{shard}}}:leased") - 1 for shard in epochs]
    assert sum(leased) - len(claimed) == 640 - 500
    await queue.claim([*epochs], 8, LEASE, epochs=epochs)
    leased = [await redis.zcard(f"{{{NAMESPACE}:{shard}}}:leased") - 1 for shard in epochs]
    assert sum(leased) <= 16


async def _is_over(redis: Redis, moment: int) -> bool:
    seconds, micros = await redis.time()
    return seconds * 1_000 + micros // 1_000 > moment


async def test_every_key_has_the_shards_hash_tag(queue: RedisDelayQueue, redis: Redis) -> None:
    """All keys of a shard share one hash tag, so that they are one slot of a cluster."""
    await schedule(queue, now_ms(), now_ms())
    await queue.claim([0, 1], 10, LEASE, epochs=EPOCHS)
    keys = await redis.keys("*")
    expected = {
        f"{{{NAMESPACE}:{shard}}}:{name}"
        for shard in (0, 1)
        for name in ("mark", "due", "leased", "tokens")
    }
    assert set(keys) == expected
    assert len({key_slot(key.encode()) for key in keys if ":0}" in key}) == 1


@pytest.mark.parametrize("key", ["mark", "due", "leased"])
async def test_one_lost_key_is_noticed(queue: RedisDelayQueue, redis: Redis, key: str) -> None:
    """If the server evicts a single set of a shard, that shard is lost, and no other."""
    await schedule(queue, now_ms() + 60_000, now_ms() + 60_000)
    await redis.delete(f"{{{NAMESPACE}:0}}:{key}")
    assert (await queue.claim([0, 1], 10, LEASE, epochs=EPOCHS)).lost == {0}
    assert (await queue.take({0: 2, 1: 2})).lost == {0}


async def test_a_lost_set_is_not_made_again_by_those_who_held_leases(
    queue: RedisDelayQueue, redis: Redis
) -> None:
    """Acknowledging and releasing after the set was evicted does not hide that it was."""
    await schedule(queue, *[now_ms()] * 4)
    claims = await queue.claim([0, 1], 10, LEASE, epochs=EPOCHS)
    await redis.delete(f"{{{NAMESPACE}:0}}:due", f"{{{NAMESPACE}:1}}:leased")
    assert await queue.release(claims.claimed[:2]) == 2
    await queue.ack(claims.claimed[2:])
    assert (await queue.claim([0, 1], 10, LEASE, epochs=EPOCHS)).lost == {0, 1}


async def test_lost_tokens_only_ring_again(queue: RedisDelayQueue, redis: Redis) -> None:
    """Without the tokens, leases cannot be acknowledged, so what they held rings again."""
    await schedule(queue, now_ms())
    claims = await queue.claim([0], 10, 50, epochs=EPOCHS)
    await redis.delete(f"{{{NAMESPACE}:0}}:tokens")
    assert await queue.ack(claims.claimed) == 0
    deadline = time.monotonic() + 5
    again = await queue.claim([0], 10, LEASE, epochs=EPOCHS)
    while not again.claimed and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
        again = await queue.claim([0], 10, LEASE, epochs=EPOCHS)
    assert [one.member for one in again.claimed] == ["p0"]


async def test_restart_is_noticed(queue: RedisDelayQueue, valkey_server: ValkeyServer) -> None:
    """A server that was killed and came back empty says so for every shard."""
    await schedule(queue, now_ms(), now_ms())
    await valkey_server.kill()
    with pytest.raises(QueueUnavailable):
        await queue.claim([0, 1], 10, LEASE, epochs=EPOCHS)
    with pytest.raises(QueueUnavailable):
        await queue.ping()
    await valkey_server.start()
    assert (await queue.claim([0, 1], 10, LEASE, epochs=EPOCHS)).lost == {0, 1}
    await queue.begin(0, epoch=1, generation="second")
    await schedule(queue, now_ms())
    assert len((await queue.claim([0], 10, LEASE, epochs=EPOCHS)).claimed) == 1


async def test_another_server_with_old_data_is_noticed(
    queue: RedisDelayQueue, redis: Redis
) -> None:
    """A replica that took over, or a restart from disk, may lack the last writes: lost."""
    await redis.hset(f"{{{NAMESPACE}:0}}:mark", "server", "0123456789abcdef")
    assert (await queue.claim([0, 1], 10, LEASE, epochs=EPOCHS)).lost == {0}
    assert (await queue.take({0: 2, 1: 2})).lost == {0}
    with pytest.raises(QueueLost):
        await queue.complete(0, epoch=1, generation="first")


async def test_frozen_server_is_unavailable_in_time(
    queue: RedisDelayQueue, valkey_server: ValkeyServer
) -> None:
    """A server that hangs is given up after the timeout, and serves again when it wakes."""
    os.kill(valkey_server.pid, signal.SIGSTOP)
    try:
        start = time.monotonic()
        with pytest.raises(QueueUnavailable):
            await queue.claim([0, 1], 10, LEASE, epochs=EPOCHS)
        assert time.monotonic() - start < 2
    finally:
        os.kill(valkey_server.pid, signal.SIGCONT)
    assert not (await queue.claim([0, 1], 10, LEASE, epochs=EPOCHS)).lost


async def test_schedule_that_was_not_told_makes_the_shard_lost(
    queue: RedisDelayQueue, valkey_server: ValkeyServer
) -> None:
    """After a schedule without an answer, that shard is rebuilt though the server kept its data."""
    os.kill(valkey_server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(QueueUnavailable):
            await queue.schedule([Timer(shard=1, member="ada", due_at=now_ms())], epochs=EPOCHS)
    finally:
        os.kill(valkey_server.pid, signal.SIGCONT)
    assert (await queue.claim([0, 1], 10, LEASE, epochs=EPOCHS)).lost == {1}
    await queue.begin(1, epoch=1, generation="second")
    await queue.complete(1, epoch=1, generation="second")
    assert not (await queue.claim([0, 1], 10, LEASE, epochs=EPOCHS)).lost


async def test_full_memory_loses_nothing(queue: RedisDelayQueue, redis: Redis) -> None:
    """Without room for leases, a claim fails as a whole, and what was due stays due."""
    await schedule(queue, *[now_ms()] * 100)
    await redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(QueueUnavailable):
            await queue.claim([0, 1], 100, LEASE, epochs=EPOCHS)
    finally:
        await redis.config_set("maxmemory", "0")
    assert await queue.pending([0, 1]) == 100
    assert len((await queue.claim([0, 1], 100, LEASE, epochs=EPOCHS)).claimed) == 100


async def test_concurrent_claims_share_nothing(queue: RedisDelayQueue, redis_url: str) -> None:
    """However many claim at once, each timer goes to one of them, and to one."""
    await schedule(queue, *[now_ms()] * 3_000)
    async with RedisDelayQueue.open(redis_url, NAMESPACE) as other:
        answers = await asyncio.gather(
            *(q.claim([0, 1], 200, LEASE, epochs=EPOCHS) for q in (queue, other) * 10)
        )
    rung = [one.member for claims in answers for one in claims.claimed]
    assert len(rung) == 3_000
    assert len(set(rung)) == 3_000


async def test_namespaces_are_apart(queue: RedisDelayQueue, redis_url: str) -> None:
    """Two queues of one server do not see each other's timers."""
    await schedule(queue, now_ms())
    async with RedisDelayQueue.open(redis_url, "hairspring:other") as other:
        await other.begin(0, epoch=1, generation="first")
        assert (await other.claim([0], 10, LEASE, epochs=EPOCHS)).claimed == []
        assert await queue.pending([0]) == 1
