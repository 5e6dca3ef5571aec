"""What is counted and timed while the shop is played; pure: times are handed in as ms."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from hairspring.contracts.transition.v1 import transition_pb2 as pb
from hairspring.wire.times import to_ms


@dataclass(slots=True, kw_only=True)
class Measures:
    """Counts and times. A reaction is from an event's acceptance to its transition's arrival."""

    accepted: int = 0
    entered: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    #: Milliseconds from the acceptance of an event to the arrival of a transition it caused.
    reactions: list[float] = field(default_factory=list)
    #: Milliseconds from the instant of a transition that time caused to its arrival.
    lateness: list[float] = field(default_factory=list)
    latest: deque[pb.Record] = field(default_factory=lambda: deque(maxlen=40))
    #: What has come of one of the two ends of a reaction, by message id.
    _accepted_at: dict[str, int] = field(default_factory=dict)
    _arrived_at: dict[str, list[float]] = field(default_factory=dict)

    @property
    def transitions(self) -> int:
        """How many transitions have arrived."""
        return self.entered.total() + self.left.total()

    def event_accepted(self, message_id: str, accepted_at: int) -> None:
        """Count an event; its transition may have arrived before its acknowledgement."""
        self.accepted += 1
        self._accepted_at[message_id] = accepted_at
        for arrived_at in self._arrived_at.pop(message_id, ()):
            self.reactions.append(arrived_at - accepted_at)

    def record_arrived(self, record: pb.Record, arrived_at: float) -> None:
        """Count a record that holds a transition, and time it."""
        if record.WhichOneof("body") != "transition":
            return
        transition = record.transition
        entered = transition.change == pb.CHANGE_ENTERED
        (self.entered if entered else self.left)[transition.segment] += 1
        self.latest.appendleft(record)
        if transition.cause.WhichOneof("kind") == "time":
            self.lateness.append(arrived_at - to_ms(transition.effective_time))
            return
        message_id = transition.cause.event.message_id
        if message_id in self._accepted_at:
            self.reactions.append(arrived_at - self._accepted_at[message_id])
        else:
            self._arrived_at.setdefault(message_id, []).append(arrived_at)

    def size(self, segment: str) -> int:
        """Tell how many are in a segment that was empty at first."""
        return self.entered[segment] - self.left[segment]


def quantile(values: Sequence[float], share: float) -> float | None:
    """Find the value below which this share of all lies; None where there is none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
