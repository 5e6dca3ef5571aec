"""Whether a message that is due is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hairspring.services.delivery.composing import (
    Facts,
    NotSent,
    as_it_counts,
    compose,
    is_behind,
    passed,
    still_there,
)
from hairspring.services.delivery.messages import IN_QUARANTINE, MessageStatus, message_of
from hairspring.services.delivery.questions import Answer
from hairspring.services.delivery.taking_up import Due
from hairspring.wire.flows import Send

from tests.unit.delivery.making import NOW, a_flow, a_run


def test_nothing_is_sent_on_an_incomplete_answer() -> None:
    """Where something of a profile is in quarantine, she may have bought: nothing goes out."""
    send = Send(template="plain")
    flow = a_flow(send)
    run = a_run(flow)
    due = Due(run=run, flow=flow, message=message_of(run, send))
    answer = Answer(member=True, incomplete=True, traits={"email": "ada@example.com"})
    unused: Any = None

    found = compose(due, answer, unused, Facts(), unused, NOW)

    assert isinstance(found, NotSent)
    assert (found.message.status, found.message.reason) == (MessageStatus.SKIPPED, IN_QUARANTINE)


def _due(**changes: Any) -> Due:
    send = Send(template="plain")
    run = a_run(a_flow(send), **changes)
    return Due(run=run, flow=a_flow(send), message=message_of(run, send))


def test_an_older_entry_than_that_of_the_run_is_waited_for() -> None:
    """By a merge she may be in from an older entry, or have left; the log will tell which."""
    due = _due(entered_at=NOW)
    older = Answer(member=True, entered_at=NOW - 1, profile="ada")

    assert is_behind(due, older)
    assert not still_there(due, older)
    assert not is_behind(due, replace(older, entered_at=NOW))
    assert not is_behind(due, replace(older, entered_at=NOW + 1))
    assert not is_behind(due, replace(older, member=False))


def test_of_another_profile_no_older_entry_is_waited_for() -> None:
    """Who her id is part of has been in for longer by an entry of her own: nothing more comes."""
    older = Answer(member=True, entered_at=NOW - 1, profile="the other")

    assert not is_behind(_due(entered_at=NOW), older)


def test_what_is_not_sent_leaves_the_entry_as_it_counts_by_now() -> None:
    """A merge that was read while the message was composed is not undone by its run."""
    due = _due(entered_at=NOW)
    passing = passed(due, due.message.skipped("no email"), NOW)
    read = replace(due.run, entered_at=NOW - 1)

    assert as_it_counts(passing, {read.run_id: read}).run == replace(
        passing.run, entered_at=NOW - 1
    )
