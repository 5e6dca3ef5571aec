"""What `up` tells."""

from __future__ import annotations

import pytest
from hairspring.cli.narration import Narrator
from hairspring.contracts.transition.v1 import transition_pb2 as pb


def test_nothing_that_was_sent_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters in the id of a profile are shown as such."""
    record = pb.Record(profile_id="a\x1b[2Jda")
    record.transition.segment = "buyers"
    record.transition.change = pb.CHANGE_ENTERED
    record.transition.cause.event.name = "Order\rCompleted"
    Narrator().hear_records([record])
    said = capsys.readouterr().out
    assert "a�[2Jda" in said
    assert not {"\x1b", "\r"} & set(said)
