"""No await of delivery loses a cancellation, wherever it comes."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hairspring.services.delivery.app import build
from hairspring.services.delivery.config import DeliverySettings

from tests.integration.delivery.conftest import PLAIN_MAIL, flow, send
from tests.integration.delivery.peers import Peers
from tests.support.striking import strike
from tests.support.waiting import eventually

STEP = 1 if os.environ.get("HAIRSPRING_CHAOS") == "full" else 60


@pytest.mark.parametrize("waking", [False, True], ids=["while it waits", "as it wakes"])
async def test_every_task_ends_when_it_is_cancelled_once(
    settings: DeliverySettings, peers: Peers, mail_sink: Any, waking: bool
) -> None:
    """Each of its tasks, at each of its suspensions, and then all of the rest."""
    peers.define(1, flow(send()), PLAIN_MAIL)

    async def serve() -> None:
        async with build(settings) as app:
            await app.replica.run()

    async def sent() -> None:
        before = len(mail_sink.messages)
        for n in range(2):
            profile = f"p-{waking}-{at}-{n}"
            peers.traits[profile] = {"name": "Ada", "email": f"{profile}@example.com"}
            await peers.enter(profile, 1_700_000_000_000)
        await eventually(lambda: len(mail_sink.messages) >= before + 2, timeout=30)

    at, more = 1, True
    while more:
        striker = await strike(at, waking=waking, start=serve, settled=sent)
        more = striker.reached
        print(at, striker.seen, striker.where)
        at += STEP
    assert at > 2 * STEP
