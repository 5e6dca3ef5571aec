"""Somebody becomes part of another while a mail is due, and the evaluator is ahead of its log."""

from __future__ import annotations

import pytest
from hairspring.contracts.flow.v1 import run_pb2
from hairspring.contracts.message.v1 import message_pb2
from hairspring.embedded.mail import MailSink
from hairspring.runtime.clock import now_ms
from hairspring.services.delivery import sender
from hairspring.services.delivery.messages import BEHIND, OTHER_RUN
from hairspring.services.delivery.runs import COMPLETED, SEGMENT_LEFT

from tests.integration.delivery.conftest import PLAIN_MAIL, Delivery, flow, send
from tests.integration.delivery.peers import Peers
from tests.support.waiting import eventually

SEGMENT = "cart-abandoners"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that wait for the log are looked at again soon."""
    monkeypatch.setattr(sender, "BEHIND_MS", 50)


async def _wait_behind_the_log(delivery: Delivery, peers: Peers) -> int:
    """Have a mail be due whose evaluator says that she is in from an older entry; tells which."""
    entered = now_ms()
    peers.define(1, flow({"wait": 50}, send()), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com", "name": "Ada"}
    await peers.enter("ada", entered)
    peers.entered["ada", SEGMENT] = entered - 1_000

    async def asked_twice() -> bool:
        found = await delivery.messages(status=message_pb2.MESSAGE_STATUS_PENDING)
        return [one.reason for one in found] == [BEHIND] and peers.checks > 1

    await eventually(asked_twice, timeout=30)
    return entered - 1_000


async def test_whose_membership_counts_from_an_older_entry_gets_her_mail(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """A mail waits until the log has told of the merge, and goes out then."""
    older = await _wait_behind_the_log(delivery, peers)
    assert not mail_sink.messages

    await peers.merge("ada", "device", {SEGMENT: older})

    await eventually(lambda: mail_sink.messages, timeout=30)
    [run] = await eventually(lambda: delivery.runs(status=run_pb2.RUN_STATUS_ENDED), timeout=30)
    assert run.reason == "completed"


async def test_who_left_and_is_in_by_the_entry_of_another_gets_no_mail(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """Where the log tells that she had left before, the run ends by that."""
    older = await _wait_behind_the_log(delivery, peers)

    await peers.leave("ada", now_ms())
    await peers.enter("ada", older, sets_off_flows=False)

    [run] = await eventually(lambda: delivery.runs(status=run_pb2.RUN_STATUS_ENDED), timeout=30)
    assert run.reason == SEGMENT_LEFT
    assert not mail_sink.messages


async def test_of_two_runs_of_one_flow_her_own_goes_on(
    delivery: Delivery, peers: Peers, mail_sink: MailSink
) -> None:
    """Where an id with a run becomes part of somebody with one, she gets one mail, by her own."""
    entered = now_ms()
    peers.define(1, flow({"wait": 1_500}, send()), PLAIN_MAIL)
    peers.traits["ada"] = {"email": "ada@example.com", "name": "Ada"}
    await peers.enter("device", entered)
    await peers.enter("ada", entered + 300)
    await peers.merge("ada", "device", {SEGMENT: entered})

    async def both_ended() -> dict[str, str]:
        runs = await delivery.runs(status=run_pb2.RUN_STATUS_ENDED)
        return {run.profile_id: run.reason for run in runs} if len(runs) == 2 else {}

    reasons = await eventually(both_ended, timeout=30)
    assert reasons == {"device": OTHER_RUN, "ada": COMPLETED}
    assert [mail.recipients for mail in mail_sink.messages] == [("ada@example.com",)]
