"""What is set aside because judging it failed. Times are milliseconds since the epoch, UTC."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from hairspring.store.keys import Key


class What(Enum):
    """What of a profile could not be done."""

    EVENT = "event"  #: An event was to be applied.
    ALARM = "alarm"  #: Moments were to be passed.
    STATE = "state"  #: Its state was to be read.
    REBUILD = "rebuild"  #: Its history was to be folded for an import.
    FILL = "fill"  #: Its history was to be folded for what is being filled.
    ACTIVATION = "activation"  #: What was filled was to be put in force.


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """An event, or something else that was to be done to a profile, and the error it ended with.

    `position` is that of the event, or of the log when it failed. `holds` says that nothing of the
    profile is judged until it has been folded anew. `retries` counts how often that was tried in
    vain; `retry_at` is when it is tried again by itself, and None where somebody has to ask.
    """

    key: Key
    position: int
    what: What
    holds: bool
    message_id: str = ""
    event_name: str = ""
    plan_version: int
    error_type: str
    error_message: str
    traceback: str
    tries: int
    failed_at: int
    retries: int = 0
    retried_at: int | None = None
    retry_error: str = ""
    retry_at: int | None = None
    wanted: bool = False
    with_flows: bool = False


class Mark(NamedTuple):
    """How a profile stands in quarantine: whether it is held, and how many entries it has."""

    holds: bool
    entries: int


class Retry(NamedTuple):
    """A profile that is to be folded anew, and how often that was tried in vain."""

    key: Key
    retries: int
    with_flows: bool


class InVain(NamedTuple):
    """A profile could not be folded anew; it is tried again at `retry_at`, or when asked for."""

    key: Key
    at: int
    error: str
    retry_at: int | None
