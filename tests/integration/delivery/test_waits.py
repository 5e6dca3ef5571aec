"""Waits that are far off are kept in Postgres alone until it is nearly time."""

from __future__ import annotations

from hairspring.contracts.message.v1 import message_pb2
from hairspring.runtime.clock import now_ms
from hairspring.services.delivery.config import DeliverySettings
from hairspring.services.delivery.waits import NAMESPACE
from hairspring.timers.redis import RedisDelayQueue

from tests.integration.delivery.conftest import PLAIN_MAIL, flow, run_delivery, send
from tests.integration.delivery.peers import SHARDS, Peers
from tests.support.waiting import eventually

SENT = message_pb2.MESSAGE_STATUS_SENT


async def test_a_long_wait_is_paged_in(settings: DeliverySettings, peers: Peers) -> None:
    """A wait beyond the horizon is not in Redis, and its mail goes out when it is over."""
    settings = settings.model_copy(update={"timers_ahead_hours": 500 / 3_600_000})
    peers.define(1, flow({"wait": 1_500}, send()), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com"}
    async with (
        run_delivery(settings) as delivery,
        RedisDelayQueue.open(settings.redis_url, NAMESPACE) as queue,
    ):
        await eventually(lambda: _is_filled(queue))
        entered = now_ms()
        await peers.enter("ada", entered)
        await eventually(lambda: delivery.runs())
        assert await queue.pending(range(SHARDS)) == 0
        [message] = await eventually(lambda: delivery.messages(status=SENT))
        assert message.send_time.ToMilliseconds() >= entered + 1_500


async def _is_filled(queue: RedisDelayQueue) -> bool:
    """Tell whether a take-over under the epoch that is there finds every shard whole."""
    return (await queue.take(dict.fromkeys(range(SHARDS), 1))).ok
