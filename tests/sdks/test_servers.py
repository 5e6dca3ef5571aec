"""The SDKs for servers, as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hairspring.contracts.event.v1 import event_pb2

from tests.sdks.installed import SENDERS, program
from tests.sdks.sending import Collecting, killed_in_the_middle


def check(records: list[event_pb2.EventRecord]) -> None:
    """Traits and a page came too, under the known id, and the clocks were compared."""
    kinds = [record.event.type for record in records]
    assert kinds.count(event_pb2.EVENT_TYPE_IDENTIFY) == 1
    traits = next(one for one in records if one.event.type == event_pb2.EVENT_TYPE_IDENTIFY)
    assert b'"name":"Ada"' in traits.event.properties_json
    assert sum(record.event.name == "Page Viewed" for record in records) == 1
    assert {record.profile_id for record in records} == {"ada"}
    rules = {record.event.timing.rule for record in records}
    assert rules <= {event_pb2.TIME_RULE_CORRECTED, event_pb2.TIME_RULE_AS_TOLD}


@pytest.mark.parametrize("sender", ["segment_python.py", "rudder_python.py"])
async def test_python(python: Path, collecting: Collecting, sender: str) -> None:
    """Everything is delivered once, though the collector was killed in the middle."""
    check(await killed_in_the_middle(collecting, str(python), str(SENDERS / sender)))


async def test_segment_node(modules: Path, collecting: Collecting) -> None:
    """Everything is delivered once, though the collector was killed in the middle."""
    command = (program("node"), str(SENDERS / "segment_node.js"), str(modules))
    check(await killed_in_the_middle(collecting, *command))


@pytest.mark.parametrize("sender", ["segment_node.js", "rudder_node.js"])
async def test_node_where_the_socket_is_kept(modules: Path, kept: Collecting, sender: str) -> None:
    """The same, by RudderStack's too.

    That gives up after three more tries, 1.4 seconds in all: no restart can be relied upon to be as
    quick. On a socket that is kept it is never refused, and waits.
    """
    command = (program("node"), str(SENDERS / sender), str(modules))
    check(await killed_in_the_middle(kept, *command))
