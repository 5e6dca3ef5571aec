"""The way from a process to a server and back, on which calls are late, lost, or doubly uncertain.

A call takes a while to get there, has its effect at one instant, and its answer takes a while. The
caller may have been killed or paused meanwhile: the effect comes all the same. The server may be
away; a call may get lost before its effect, or its answer after it; and a call whose caller gave up
may have its effect at that instant or never.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from tests.simulation.loop import Process, VirtualLoop

T = TypeVar("T")

GIVES_UP_SECONDS = 0.3


@dataclass(slots=True, kw_only=True)
class Weather:
    """How likely faults are, each by call; all are 0 in the calm."""

    lost: float = 0.0
    """The call never gets there."""
    unanswered: float = 0.0
    """It has its effect, and its answer is lost."""
    slow: float = 0.0
    """It takes up to a third of a second."""
    broken: float = 0.0
    """A stream breaks off after an answer."""
    unnoticed: float = 0.0
    """A notice comes late, as after a reconnection."""
    struck: float = 0.0
    """The caller is killed or paused about when the call has its effect."""
    mail_away: float = 0.0
    """The mail server cannot be reached."""
    mail_later: float = 0.0
    """It refuses a mail for now, before its content or after it."""
    mail_refused: float = 0.0
    """It refuses a mail for good, before its content or after it."""
    mail_broken: float = 0.0
    """It breaks off after the content, which it has taken or not."""
    mail_slow: float = 0.0
    """A step takes it up to three seconds."""

    def clear(self) -> None:
        """End all faults."""
        for kind in fields(self):
            setattr(self, kind.name, 0.0)


@dataclass(slots=True, kw_only=True)
class Server:
    """Something that processes call; while it is away, every call fails."""

    name: str
    failure: Callable[[], Exception]
    away: bool = False


def _spare(process: Process) -> None:
    """Let a process live."""


@dataclass(slots=True)
class Wire:
    """Carries calls. Effects happen in the world's context, not in the caller's."""

    loop: VirtualLoop
    chance: random.Random
    weather: Weather
    context: Context
    strike: Callable[[Process], None] = _spare
    _doubtful: dict[object, Callable[[], None]] = field(default_factory=dict)

    def delay(self) -> float:
        """Draw how many seconds something is on its way."""
        draw = self.chance.random()
        if draw < self.weather.slow:
            return self.chance.random() * 0.3
        return draw * 0.002

    async def call(
        self,
        server: Server,
        name: str,
        effect: Callable[[], Coroutine[Any, Any, T]],
        *,
        in_doubt: bool = False,
    ) -> T:
        """Have an effect on a server, and get its answer.

        The effect must not wait for anything. One that may be `in_doubt` can also come after its
        caller was told that it failed, yet before `settle_doubts`.
        """
        answer: asyncio.Future[T] = self.loop.create_future()
        call = _Call(self, server, name, effect, answer, in_doubt)
        timer = self.loop.call_later(self.delay(), call.arrive, context=self.context)
        self.maybe_strike()
        try:
            return await answer
        except asyncio.CancelledError:
            timer.cancel()
            if in_doubt and not call.done and self.chance.random() < 0.3:
                call.run()
            raise

    def maybe_strike(self) -> None:
        """Have the caller killed or paused about now, if the weather is like that."""
        if self.weather.struck and self.chance.random() < self.weather.struck:
            self.loop.call_later(
                self.delay(), self.strike, self.loop.current(), context=self.context
            )

    def settle_doubts(self) -> None:
        """Have what was in doubt happen now: whoever asks for these rows waits for it."""
        for run in list(self._doubtful.values()):
            run()

    def leave_in_doubt(self, run: Callable[[], None]) -> None:
        """Have an effect some time later, though its caller has been told that it failed."""
        key = object()

        def once() -> None:
            if self._doubtful.pop(key, None) is not None:
                run()

        self._doubtful[key] = once
        self.loop.call_later(self.chance.random() * 0.6, once, context=self.context)


class _Call:
    """One call under way."""

    def __init__(
        self,
        wire: Wire,
        server: Server,
        name: str,
        effect: Callable[[], Coroutine[Any, Any, Any]],
        answer: asyncio.Future[Any],
        in_doubt: bool,
    ) -> None:
        self.wire = wire
        self.server = server
        self.name = name
        self.effect = effect
        self.answer = answer
        self.in_doubt = in_doubt
        self.done = False

    def arrive(self) -> None:
        """Have the effect, or get lost."""
        wire, weather = self.wire, self.wire.weather
        draw = wire.chance.random()
        if self.server.away or draw < weather.lost:
            wire.loop.note(f"{self.name} lost")
            self.later(self.fail, wire.chance.random() * GIVES_UP_SECONDS)
            return
        if draw < weather.lost + weather.unanswered:
            wire.loop.note(f"{self.name} unanswered")
            if self.in_doubt and wire.chance.random() < 0.8:
                self.fail()
                wire.leave_in_doubt(self.run)
                return
            self.run()
            self.later(self.fail, wire.chance.random() * GIVES_UP_SECONDS)
            return
        result, error = self.run()
        if error is not None:
            self.later(lambda: self.refuse(error), wire.delay())
        else:
            self.later(lambda: self.tell(result), wire.delay())

    def run(self) -> tuple[Any, Exception | None]:
        """Have the effect now."""
        self.done = True
        self.wire.loop.note(self.name)
        coroutine = self.effect()
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value, None
        except Exception as error:
            return None, error
        raise AssertionError(f"{self.name} waits for something amid its effect")

    def later(self, callback: Callable[[], None], seconds: float) -> None:
        self.wire.loop.call_later(seconds, callback, context=self.wire.context)

    def tell(self, result: Any) -> None:
        if not self.answer.done():
            self.answer.set_result(result)

    def fail(self) -> None:
        self.refuse(self.server.failure())

    def refuse(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
