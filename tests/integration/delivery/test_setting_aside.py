"""What makes delivery's code raise does not stop the rest of it."""

from __future__ import annotations

from typing import Any

import pytest
from hairspring.contracts.message.v1 import message_pb2
from hairspring.embedded.mail import MailSink
from hairspring.runtime.clock import now_ms
from hairspring.services.delivery import follower, ringing, sender
from prometheus_client import REGISTRY

from tests.integration.delivery.conftest import PLAIN_MAIL, Delivery, flow, send
from tests.integration.delivery.peers import Peers
from tests.support.waiting import eventually


def _counted(what: str) -> float:
    return REGISTRY.get_sample_value("hairspring_delivery_set_aside_total", {"what": what}) or 0


async def _enter(peers: Peers, *profiles: str) -> None:
    for profile in profiles:
        peers.traits[profile] = {"email": f"{profile}@example.com", "name": profile}
        await peers.enter(profile, now_ms())


async def test_a_record_that_raises_is_passed_by(
    delivery: Delivery, peers: Peers, mail_sink: MailSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those before and behind it are taken in, and it is counted."""
    before, fold = _counted("record"), follower.fold

    def spoiled(book: Any, changes: Any, flows_of: Any) -> Any:
        if any(change.entry.profile == "bea" for change in changes):
            raise OverflowError("too large")
        return fold(book, changes, flows_of)

    monkeypatch.setattr(follower, "fold", spoiled)
    peers.define(1, flow(send()), PLAIN_MAIL)
    await _enter(peers, "ada", "bea", "cleo")

    await eventually(lambda: len(mail_sink.messages) == 2, timeout=30)

    assert {mail.recipients for mail in mail_sink.messages} == {
        ("ada@example.com",),
        ("cleo@example.com",),
    }
    assert not await delivery.runs(profile_id="bea")
    assert _counted("record") == before + 1


async def test_a_run_that_raises_waits_until_the_code_is_mended(
    delivery: Delivery, peers: Peers, mail_sink: MailSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other runs go out meanwhile, and it does later."""
    before, look = _counted("run"), sender.look

    def spoiled(run: Any, *args: Any) -> Any:
        if run.profile == "bea":
            raise OverflowError("too large")
        return look(run, *args)

    monkeypatch.setattr(sender, "look", spoiled)
    monkeypatch.setattr(ringing, "FAILED_PAUSE_MS", 200)
    peers.define(1, flow(send()), PLAIN_MAIL)
    await _enter(peers, "ada", "bea", "cleo")
    await eventually(lambda: len(mail_sink.messages) == 2, timeout=30)
    await eventually(lambda: _counted("run") > before, timeout=30)

    monkeypatch.undo()

    async def sent() -> bool:
        found = await delivery.messages(profile_id="bea")
        return [one.status for one in found] == [message_pb2.MESSAGE_STATUS_SENT]

    await eventually(sent, timeout=60)
    assert len(mail_sink.messages) == 3
