"""What delivery tells of its runs and messages."""

from __future__ import annotations

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hairspring.contracts.flow.v1 import flow_service_pb2, flow_service_pb2_grpc, run_pb2
from hairspring.contracts.message.v1 import (
    message_pb2,
    message_service_pb2,
    message_service_pb2_grpc,
)
from hairspring.embedded.mail import MailSink
from hairspring.runtime.client import open_channel
from hairspring.runtime.clock import now_ms

from tests.integration.delivery.conftest import PLAIN_MAIL, Delivery, flow, send
from tests.integration.delivery.peers import Peers
from tests.support.waiting import eventually


async def test_pages_hold_every_message_once_the_latest_first(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """Seven messages come in pages of three, ordered by when they were due."""
    now = now_ms()
    peers.define(1, flow(send()), PLAIN_MAIL)
    for number in range(7):
        peers.traits[f"p{number}"] = {"email": f"p{number}@example.com"} if number else {}
        await peers.enter(f"p{number}", now - 1_000 + number)

    async def ended() -> bool:
        return len(await delivery.runs(status=run_pb2.RUN_STATUS_ENDED)) == 7

    await eventually(ended)
    async with open_channel(delivery.address) as channel:
        messages = message_service_pb2_grpc.MessageServiceStub(channel)
        flows = flow_service_pb2_grpc.FlowServiceStub(channel)
        listed, runs, sizes, token = [], [], [], ""
        while True:
            page = await messages.ListMessages(
                message_service_pb2.ListMessagesRequest(page_size=3, page_token=token), timeout=5
            )
            listed += [message.profile_id for message in page.messages]
            sizes.append(len(page.messages))
            token = page.next_page_token
            if not token:
                break
        while True:
            answer = await flows.ListRuns(
                flow_service_pb2.ListRunsRequest(page_size=3, page_token=token), timeout=5
            )
            runs += [run.profile_id for run in answer.runs]
            token = answer.next_page_token
            if not token:
                break
        counts = await messages.CountMessages(message_service_pb2.CountMessagesRequest(), timeout=5)
    assert [f"p{number}" for number in range(6, -1, -1)] == listed == runs
    assert sizes == [3, 3, 1]
    assert {count.status: count.messages for count in counts.counts} == {
        message_pb2.MESSAGE_STATUS_SENT: 6,
        message_pb2.MESSAGE_STATUS_SKIPPED: 1,
    }


@pytest.mark.parametrize(
    "request_",
    [
        message_service_pb2.ListMessagesRequest(workspace_id="The other"),
        message_service_pb2.ListMessagesRequest(page_size=-1),
        message_service_pb2.ListMessagesRequest(page_size=10_001),
        message_service_pb2.ListMessagesRequest(page_token="nonsense"),
        message_service_pb2.ListMessagesRequest(page_token="WyJ4Il0="),
    ],
)
async def test_a_bad_request_is_refused(
    delivery: Delivery, request_: message_service_pb2.ListMessagesRequest
) -> None:
    """What can never be answered is an invalid argument."""
    async with open_channel(delivery.address) as channel:
        stub = message_service_pb2_grpc.MessageServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stub.ListMessages(request_, timeout=5)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_it_tells_its_health(delivery: Delivery) -> None:
    """Both services are served."""
    async with open_channel(delivery.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", "hairspring.message.v1.MessageService", "hairspring.flow.v1.FlowService"):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
