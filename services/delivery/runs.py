"""A run: one passage of a profile through a flow. Values only; the decisions are in flows.py."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from hashlib import blake2b

RUN_ID_LENGTH = 32
"""How many hexadecimal digits a run's id has."""

COMPLETED = "completed"
SEGMENT_LEFT = "segment_left"
COOLDOWN = "cooldown"
FLOW_MISSING = "flow_missing"


class RunStatus(IntEnum):
    """How a run stands; the numbers are those of the contract."""

    ACTIVE = 1  #: It goes on.
    ENDED = 2  #: It is over; the reason says how.
    NOT_STARTED = 3  #: It was never started; the reason says why.


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An `entered` transition that may set off flows: who, where, and when (ms, UTC).

    `record` is the evaluator's record as bytes, kept so that a mail can tell what set it off.
    """

    shard: int
    workspace: str
    profile: str
    segment: str
    position: int
    plan_version: int
    effective_at: int
    entered_at: int
    trace_id: str = ""
    record: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One passage of a profile through a flow, as it stands. All times are ms, UTC.

    While it is active, `due_at` is when its step is due (the end of a wait, the moment of a send)
    and `wake_at` when it is looked at next, which is later than `due_at` when a send is retried.
    """

    run_id: str
    shard: int
    workspace: str
    profile: str
    flow: str
    segment: str
    plan_version: int
    entry_position: int
    entered_at: int
    started_at: int
    status: RunStatus
    step: int = 0
    reason: str = ""
    ended_at: int | None = None
    due_at: int | None = None
    wake_at: int | None = None
    trace_id: str = ""
    record: bytes = b""

    @property
    def active(self) -> bool:
        """Tell whether the run goes on."""
        return self.status is RunStatus.ACTIVE

    def standing_at(self, step: int, due_at: int) -> Run:
        """Answer the run at this step, to be looked at when it is due."""
        return replace(self, step=step, due_at=due_at, wake_at=due_at)

    def woken_at(self, at: int) -> Run:
        """Answer the run as it stands, to be looked at again at another time."""
        return replace(self, wake_at=at)

    def ended(self, reason: str, at: int) -> Run:
        """Answer the run as it is once it is over."""
        return replace(
            self, status=RunStatus.ENDED, reason=reason, ended_at=at, due_at=None, wake_at=None
        )


def run_id_of(workspace: str, profile: str, flow: str, entry_position: int) -> str:
    """Derive the id of the run that an entry sets off: the same whenever it is asked for."""
    digest = blake2b(digest_size=RUN_ID_LENGTH // 2)
    for part in (workspace.encode(), profile.encode(), flow.encode()):
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    digest.update(entry_position.to_bytes(8, "big"))
    return digest.hexdigest()
