"""What must hold of delivery at the end: every run that had to happen did, and is settled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.services.delivery.messages import OTHER_RUN, Handover, Message, MessageStatus
from hairspring.services.delivery.runs import (
    COMPLETED,
    SEGMENT_LEFT,
    Run,
    RunStatus,
    run_id_of,
)
from hairspring.wire.flows import Flow, Send, Wait
from hairspring.wire.times import to_ms

from tests.simulation.cooldowns import Cooldowns
from tests.simulation.rules import WORKSPACE

if TYPE_CHECKING:
    from tests.simulation.world import World

#: In the calm, every run that begins has ended within so many seconds: two take-overs, its waits,
#: and the pause before a mail that was refused for now is tried again.
LATEST_SECONDS = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A run that an entry sets off, unless it follows another too soon; times are ms, UTC."""

    run_id: str
    flow: Flow
    profile: str
    segment: str
    position: int
    at: int
    leaves: transition_pb2.Record | None
    """The record that ends this stay in the segment, if any does."""


class Delivered:
    """Waits for delivery in a world, and compares what it did with what the evaluators told."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.due: dict[str, Due] = {}
        self.runs: dict[str, Run] = {}
        self.cooldowns = Cooldowns(world.runs)

    async def come_to_an_end(self) -> None:
        """Wait until all is settled; report what never is, and what is not as it must be."""
        loop = self.world.loop
        end = loop.time() + LATEST_SECONDS
        self._look()
        while list(self._open()) and loop.time() < end:
            await asyncio.sleep(0.5)
            self._look()
        for problem in (*self._open(), *self._wrong(), *self._mails(), *self._reminded()):
            self.world.report(problem)
        self.world.delivery_shards.check()

    def _look(self) -> None:
        """Read what the evaluators told, and what has become of it."""
        self.due = {due.run_id: due for due in self._runs_due()}
        self.runs = {run.run_id: run for run in self.world.runs.runs.values()}

    def _runs_due(self) -> Iterator[Due]:
        """Name the runs that have to happen, from the log alone."""
        told = [
            (record, transition_pb2.Record.FromString(record.payload))
            for record in self.world.told._records
        ]
        self.cooldowns.read(told)
        moves = [(at, one) for at, one in told if one.WhichOneof("body") == "transition"]
        for number, (at, one) in enumerate(moves):
            transition = one.transition
            if not transition.sets_off_flows or transition.change != transition_pb2.CHANGE_ENTERED:
                continue
            later = (
                (there, other)
                for there, other in moves[number + 1 :]
                if (there.profile, other.transition.segment) == (at.profile, transition.segment)
            )
            leaves = next((other for _, other in later), None)
            for flow in self.world.rules.flows:
                if flow.entered != transition.segment:
                    continue
                yield Due(
                    run_id=run_id_of(WORKSPACE, at.profile, flow.name, at.position),
                    flow=flow,
                    profile=at.profile,
                    segment=transition.segment,
                    position=at.position,
                    at=to_ms(transition.effective_time),
                    leaves=leaves,
                )

    def _open(self) -> Iterator[str]:
        """What is still to come."""
        for id, due in self.due.items():
            if id not in self.runs:
                yield f"no run of {due.flow.name} for {due.profile} at {due.position}"
            elif self.runs[id].active:
                yield f"a run goes on: {_shown(self.runs[id])}"
        yield from self.cooldowns.missing()
        for message in self._messages():
            if message.status <= MessageStatus.SENDING:
                yield f"a message is not settled: {message}"

    def _wrong(self) -> Iterator[str]:
        """Runs that are not as they must be."""
        for id, run in self.runs.items():
            if (due := self.due.get(id)) is None:
                yield f"nothing sets off {_shown(run)}"
            elif run.started_at != due.at:
                yield f"{_shown(run)} does not start at {due.at}"
            elif (run.status is not RunStatus.NOT_STARTED) != (starts := self._starts(run, due)):
                yield f"{_shown(run)}, and it {'should' if starts else 'should not'} start"
            elif run.status is RunStatus.ENDED:
                yield from self._ended(run, due)

    def _starts(self, run: Run, due: Due) -> bool:
        return self.cooldowns.allow(run, due.flow, self.runs.values())

    def _ended(self, run: Run, due: Due) -> Iterator[str]:
        if run.reason not in (COMPLETED, SEGMENT_LEFT, OTHER_RUN):
            yield f"{_shown(run)} ends for another reason"
        if run.reason == SEGMENT_LEFT and due.leaves is None:
            yield f"{_shown(run)}, and nobody left"
        sends = [step for step, what in enumerate(due.flow.steps) if isinstance(what, Send)]
        messages = self.world.runs.messages.get(
            (run.shard, run.workspace, run.profile, run.run_id), {}
        )
        if run.reason == COMPLETED and sorted(messages) != sends:
            yield f"{_shown(run)} has messages {sorted(messages)}, not {sends}"
        if sends and sends[0] in messages:
            waits = (step.for_ms for step in due.flow.steps[: sends[0]] if isinstance(step, Wait))
            if messages[sends[0]].due_at != due.at + sum(waits):
                yield f"{messages[sends[0]]} is not due when it should be"

    def _mails(self) -> Iterator[str]:
        """What became of messages is what the mail server says."""
        mail = self.world.mail
        statuses = {message.message_id: message.status for message in self._messages()}
        for id, status in statuses.items():
            said = mail.said.get(id)
            if status is MessageStatus.SENT and said is not Handover.TAKEN:
                yield f"message {id} was sent, and the mail server said {said}"
            if status is MessageStatus.FAILED and said not in (None, Handover.REFUSED):
                yield f"message {id} failed, and the mail server said {said}"
            if status is MessageStatus.SKIPPED and said not in (None, Handover.LATER):
                yield f"message {id} was skipped, and the mail server said {said}"
        for id, times in mail.taken.items():
            if times > 1 or statuses.get(id) not in (MessageStatus.SENT, MessageStatus.UNKNOWN):
                yield f"message {id} was taken {times} times, and is {statuses.get(id)}"

    def _reminded(self) -> Iterator[str]:
        """Nobody gets a mail who had left by an event accepted before it was asked."""
        for handed in self.world.mail.came:
            due = self.due.get(handed.run_id)
            if due is None or due.leaves is None:
                continue
            cause = due.leaves.transition.cause
            left_at = cause.event.position if cause.WhichOneof("kind") == "event" else 0
            if 0 < left_at <= handed.asked_at:
                yield (
                    f"{due.profile} got {handed.message_id} of {due.flow.name}, and had left by "
                    f"event {left_at}; it was asked after {handed.asked_at}"
                )

    def _messages(self) -> Iterator[Message]:
        for steps in self.world.runs.messages.values():
            yield from steps.values()


def _shown(run: Run) -> str:
    return (
        f"run {run.run_id[:6]} of {run.flow} for {run.profile} at {run.entry_position} "
        f"(step {run.step}, {run.status.name}, {run.reason}, started {run.started_at}, "
        f"wakes {run.wake_at})"
    )
