"""A mail server that takes, refuses for now or for good, or breaks off, and keeps the books."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hairspring.runtime.clock import Clock
from hairspring.services.delivery.adapters.memory import MemoryDeliveryStore
from hairspring.services.delivery.mail import Envelope
from hairspring.services.delivery.mailing import Mailer
from hairspring.services.delivery.messages import Handover, Report
from hairspring.services.delivery.questions import Question
from hairspring.services.delivery.runs import RUN_ID_LENGTH

from tests.simulation.delivery import Asking
from tests.simulation.watched import Report as Tell
from tests.simulation.wire import Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """The content of a mail that came to the server, and how far the log was when was asked."""

    message_id: str
    run_id: str
    asked_at: int


@dataclass(slots=True)
class MailServer:
    """Everybody's mail server. No content may come twice, unless it was refused for now."""

    wire: Wire
    report: Tell
    came: list[Handed] = field(default_factory=list)
    """The contents that came, in their order."""
    taken: dict[str, int] = field(default_factory=dict)
    """How often each message was taken."""
    said: dict[str, Handover] = field(default_factory=dict)
    """What it said last to each content, or would have."""

    def receive(self, handed: Handed, answer: asyncio.Future[Handover]) -> None:
        """Have a mail come, whole or not, and answer, or break off."""
        wire, weather = self.wire, self.wire.weather
        draw = wire.chance.random()
        early = wire.chance.random() < 0.5
        if (draw := draw - weather.mail_away) < 0:
            handover, early = Handover.LATER, True
        elif (draw := draw - weather.mail_later) < 0:
            handover = Handover.LATER
        elif (draw := draw - weather.mail_refused) < 0:
            handover = Handover.REFUSED
        elif (draw := draw - weather.mail_broken) < 0:
            handover, early = Handover.UNKNOWN, False
        else:
            handover, early = Handover.TAKEN, False
        wire.loop.note(f"mail {handed.message_id[:6]} {handover.value} {early}")
        if not early:
            self._take(handed, handover)
        elif handover is Handover.REFUSED:
            self.said[handed.message_id] = handover
        wire.loop.call_later(self.delay(), _tell, answer, handover, context=wire.context)

    def delay(self) -> float:
        """Draw how many seconds a step of the conversation takes."""
        slow = self.wire.chance.random() < self.wire.weather.mail_slow
        return 3 * self.wire.chance.random() if slow else self.wire.delay()

    def _take(self, handed: Handed, handover: Handover) -> None:
        id = handed.message_id
        if self.said.get(id, Handover.LATER) is not Handover.LATER:
            self.report(f"mail {id} was handed over again, after {self.said[id].value}")
        self.said[id] = handover
        self.came.append(handed)
        drawn = handover is Handover.UNKNOWN and self.wire.chance.random() < 0.5
        if drawn or handover is Handover.TAKEN:
            self.taken[id] = self.taken.get(id, 0) + 1


class Mailing(Mailer):
    """A replica's way to the mail server."""

    def __init__(
        self,
        wire: Wire,
        server: MailServer,
        rows: MemoryDeliveryStore,
        asking: Asking,
        clock: Clock,
    ) -> None:
        self._wire = wire
        self._server = server
        self._rows = rows
        self._asking = asking
        self._clock = clock

    async def hand_over(self, envelope: Envelope) -> Report:
        """Hand a mail over. It may come to the server though its sender is gone."""
        wire = self._wire
        answer: asyncio.Future[Handover] = wire.loop.create_future()
        wire.loop.call_later(
            self._server.delay(),
            self._server.receive,
            self._handed(envelope),
            answer,
            context=wire.context,
        )
        wire.maybe_strike()
        handover = await answer
        return Report(handover=handover, at=self._clock(), reason="so it is")

    def _handed(self, envelope: Envelope) -> Handed:
        """Read which message it is, and when its question was asked."""
        id = envelope.content.partition(b"Message-ID: <")[2].partition(b"@")[0].decode()
        run_id = id[:RUN_ID_LENGTH]
        run = next(run for run in self._rows.runs.values() if run.run_id == run_id)
        question = Question(workspace=run.workspace, profile=run.profile, segment=run.segment)
        asked_at = self._asking.asked_at.get(question, 0)
        return Handed(message_id=id, run_id=run_id, asked_at=asked_at)


def _tell(answer: asyncio.Future[Handover], handover: Handover) -> None:
    if not answer.done():
        answer.set_result(handover)
