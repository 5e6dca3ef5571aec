"""Takes rejects in again, by the rules of now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from google.protobuf.message import DecodeError
from hairspring.contracts.event.v1 import event_pb2
from hairspring.services.ingest.adapters.rejects import Kept, RejectTable
from hairspring.services.ingest.collecting.bodies import Envelope
from hairspring.services.ingest.collecting.collector import Bounds
from hairspring.services.ingest.collecting.kinds import kind_of
from hairspring.services.ingest.collecting.normalising import Refused, normalise
from hairspring.services.ingest.recording import Recording, Status
from hairspring.services.ingest.rejecting import CALL, EVENT, Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a reject; the problem is empty where it was accepted."""

    reject_id: int
    code: str = ""
    problem: str = ""


class Replaying:
    """Replays rejects: what is accepted now is a reject no more."""

    def __init__(self, table: RejectTable, recording: Recording, bounds: Bounds) -> None:
        self._table = table
        self._recording = recording
        self._bounds = bounds

    async def replay(self, workspace: str, reject_ids: Sequence[int]) -> list[Outcome]:
        """Replay rejects, and answer what became of each that there is, by number.

        Each has a message id, its own or one made of its number: so a replay that breaks off
        between the two commits records nothing twice. Raises Unavailable or Exhausted.
        """
        kept = await self._table.get(workspace, reject_ids)
        made = [(one, event_of(one, self._bounds)) for one in kept]
        sound = [(one, event) for one, event in made if isinstance(event, event_pb2.Event)]
        results = await self._recording.record(workspace, [event for _, event in sound])
        outcomes = [
            Outcome(reject_id=one.reject_id, code=event.code, problem=event.problem)
            for one, event in made
            if isinstance(event, Refused)
        ]
        for (one, _), result in zip(sound, results, strict=True):
            refused = result.status is Status.REFUSED
            outcomes.append(
                Outcome(
                    reject_id=one.reject_id,
                    code="refused" if refused else "",
                    problem=result.problem if refused else "",
                )
            )
        outcomes.sort(key=lambda outcome: outcome.reject_id)
        await self._table.replayed(
            workspace,
            [one.reject_id for one in outcomes if not one.code],
            [(one.reject_id, one.code, one.problem) for one in outcomes if one.code],
        )
        return outcomes


def event_of(kept: Kept, bounds: Bounds) -> event_pb2.Event | Refused:
    """Make the event of a reject, or say why there is none. Pure."""
    reject = kept.reject
    if reject.cut:
        return Refused(code=reject.code, problem="it was not kept whole: it cannot be replayed")
    made = _event(reject, bounds)
    if isinstance(made, event_pb2.Event) and not made.message_id:
        made.message_id = f"reject-{kept.reject_id}"
    return made


def _event(reject: Reject, bounds: Bounds) -> event_pb2.Event | Refused:
    if reject.source == EVENT:
        try:
            return event_pb2.Event.FromString(reject.payload)
        except DecodeError:
            return Refused(code=reject.code, problem="it is no event")
    if reject.source != CALL:
        return Refused(code=reject.code, problem="it is no call: mend it, and send it anew")
    if len(reject.payload) > bounds.event_bytes:
        return Refused(
            code="too_large",
            problem=f"it has {len(reject.payload)} bytes; at most {bounds.event_bytes} are taken",
        )
    said: Mapping[str, Any] = orjson.loads(reject.envelope) if reject.envelope else {}
    return normalise(
        orjson.loads(reject.payload),
        kind=kind_of(reject.kind),
        envelope=Envelope(
            context=said.get("context", {}),
            integrations=said.get("integrations", {}),
            sent_at=said.get("sentAt"),
        ),
        received_at=reject.received_at,
        farthest=bounds.farthest,
    )
