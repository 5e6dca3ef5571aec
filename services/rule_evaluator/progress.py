"""Tells ingest how far all shards have come: its retention drops nothing they have to read."""

import asyncio

import grpc
from hairspring.database.pool import DRIVER_ERRORS, DatabaseUnavailable
from hairspring.ownership.reading import ShardReader
from hairspring.runtime.logging import get_logger
from hairspring.services.rule_evaluator.adapters.event_log import EventLog

SUBSCRIBER = "rule-evaluator"
EVERY_SECONDS = 60.0
FIRST_SECONDS = 1.0


async def keep_reporting(shards: ShardReader, events: EventLog) -> None:
    """Report the position of the shard that is furthest behind, without end.

    Every replica reports the same of all shards, so it does not matter which of them does.
    """
    pause = FIRST_SECONDS
    while True:
        await asyncio.sleep(pause)
        pause = EVERY_SECONDS
        try:
            standing = await shards.all()
            if standing:
                await events.report(SUBSCRIBER, min(one.position for one in standing))
        except (grpc.aio.AioRpcError, *DRIVER_ERRORS, DatabaseUnavailable) as error:
            get_logger().warning("progress_not_reported", error=type(error).__name__)
