"""The use case: a request goes in; what is sound is committed, and what is refused is told."""

from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from hairspring.contracts.event.v1 import event_pb2
from hairspring.services.ingest.collecting.bodies import BadBody, Body
from hairspring.services.ingest.collecting.kinds import Kind
from hairspring.services.ingest.collecting.normalising import Refused, message_id_of, normalise
from hairspring.services.ingest.collecting.refusals import Rejected, Tell
from hairspring.services.ingest.metrics import TIMES, TOO_OLD, count_events
from hairspring.services.ingest.recording import Recording, Result, Status
from hairspring.wire.times import DAY_MS, to_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is taken: sizes in bytes, spans of time in milliseconds."""

    event_bytes: int = 32 * 1024
    batch_bytes: int = 512 * 1024
    batch_events: int = 2_500
    body_bytes: int = 1024 * 1024
    farthest: int = 7 * DAY_MS
    horizon: int = 90 * DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What became of a request: the results of what was sound, in order, and what was refused."""

    results: Sequence[Result]
    rejected: Sequence[Rejected]


class Collector:
    """Records the calls of requests."""

    def __init__(self, recording: Recording, tell: Tell, bounds: Bounds) -> None:
        self._recording = recording
        self._tell = tell
        self._bounds = bounds

    async def collect(
        self, workspace: str, body: Body, *, kind: Kind | None, size: int, received_at: int
    ) -> Collected:
        """Record the calls of a body of `size` bytes; `received_at` is in ms, UTC.

        All that is told as accepted is committed. Raises BadBody where the whole is refused (which
        is told too), and Unavailable or Exhausted when nothing can be promised.
        """
        await self._check(workspace, body, kind, size, received_at)
        events: list[event_pb2.Event] = []
        places: list[int] = []
        rejected: list[Rejected] = []
        measured = size > self._bounds.event_bytes and kind is None
        for index, payload in enumerate(body.payloads):
            made = self._made(payload, body, kind, measured, received_at)
            if isinstance(made, Refused):
                rejected.append(_rejected(index, made, payload, received_at, kind, body))
            else:
                events.append(made)
                places.append(index)
        results = await self._recording.record(workspace, events)
        for index, result in zip(places, results, strict=True):
            if result.status is Status.REFUSED:
                refused = Refused(
                    code="refused", problem=result.problem, message_id=result.message_id
                )
                payload = body.payloads[index]
                rejected.append(_rejected(index, refused, payload, received_at, kind, body))
        if rejected:
            count_events([Status.REFUSED] * (len(body.payloads) - len(events)))
            await self._tell(workspace, rejected)
        self._count_times(events, received_at)
        return Collected(results=results, rejected=rejected)

    def _made(
        self, payload: Any, body: Body, kind: Kind | None, measured: bool, received_at: int
    ) -> event_pb2.Event | Refused:
        """Make the event of one call, measured only where it could be too large."""
        if (
            measured
            and isinstance(payload, dict)
            and ((size := _size(payload)) > self._bounds.event_bytes)
        ):
            return Refused(
                code="too_large",
                problem=f"it has {size} bytes; at most {self._bounds.event_bytes} are taken",
                message_id=message_id_of(payload),
            )
        return normalise(
            payload,
            kind=kind,
            envelope=body.envelope,
            received_at=received_at,
            farthest=self._bounds.farthest,
        )

    async def refuse(
        self, workspace: str, body: bytes, error: BadBody, *, kind: Kind | None, received_at: int
    ) -> None:
        """Tell of a body in which no call can be told apart, if that is why it was refused."""
        refused = Refused(code=error.code, problem=error.message)
        rejected = Rejected(
            index=0, refused=refused, payload=body, received_at=received_at, kind=kind
        )
        await self._tell(workspace, [rejected])

    async def _check(
        self, workspace: str, body: Body, kind: Kind | None, size: int, received_at: int
    ) -> None:
        """Check what a request may bring, and tell of all of it where that is too much."""
        bounds = self._bounds
        most = bounds.batch_bytes if kind is None else bounds.event_bytes
        problem = ""
        if size > most:
            what = "a batch" if kind is None else "a call"
            problem = f"{what} of {size} bytes; at most {most} are taken: send less at once"
        elif len(body.payloads) > bounds.batch_events:
            problem = f"{len(body.payloads)} calls in one batch; at most {bounds.batch_events}"
        if problem:
            refused = Refused(code="too_large", problem=problem)
            told = body.payloads if len(body.payloads) <= bounds.batch_events else [body.payloads]
            rejected = [
                _rejected(i, refused, p, received_at, kind, body) for i, p in enumerate(told)
            ]
            count_events([Status.REFUSED] * len(body.payloads))
            await self._tell(workspace, rejected)
            raise BadBody("too_large", problem)

    def _count_times(self, events: Sequence[event_pb2.Event], received_at: int) -> None:
        """Tell of the times: by which rule, and how many lie beyond the horizon."""
        for rule, count in Tally(event.timing.rule for event in events).items():
            TIMES.labels(_RULES[rule]).inc(count)
        oldest = received_at - self._bounds.horizon
        if old := sum(to_ms(event.occur_time) < oldest for event in events):
            TOO_OLD.inc(old)


_RULES = {
    value: name.removeprefix("TIME_RULE_").lower() for name, value in event_pb2.TimeRule.items()
}


def _size(payload: object) -> int:
    """Answer how many bytes a payload has; 0 where it is nested too deeply to write it again."""
    try:
        return len(orjson.dumps(payload))
    except orjson.JSONEncodeError:
        return 0


def _rejected(
    index: int, refused: Refused, payload: Any, received_at: int, kind: Kind | None, body: Body
) -> Rejected:
    return Rejected(
        index=index,
        refused=refused,
        payload=payload,
        received_at=received_at,
        kind=kind,
        envelope=body.envelope,
    )
