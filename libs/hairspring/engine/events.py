"""What comes in: events, as the log recorded them."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple

NOTHING: Mapping[str, Any] = {}


class EventKind(Enum):
    """The kinds of calls that the engine tells apart."""

    TRACK = "track"  #: Something happened.
    IDENTIFY = "identify"  #: Traits are set (`properties` holds them); a None unsets one.
    ADD_TAGS = "add_tags"  #: Tags are attached (`properties["tags"]` lists them).
    REMOVE_TAGS = "remove_tags"  #: Tags are taken off.


class Event(NamedTuple):
    """One recorded event of one profile.

    Times are milliseconds since the epoch, UTC. `order` is the place in the order of acceptance
    (the position in the log, or the line of a file) and breaks ties between events of one time.
    A tuple, since it is made for every event on the hot path.
    """

    name: str
    time: int
    order: int
    accepted_at: int
    message_id: str = ""
    kind: EventKind = EventKind.TRACK
    properties: Mapping[str, Any] = NOTHING
    context: Mapping[str, Any] = NOTHING


def too_old(event: Event, horizon: int | None) -> bool:
    """Tells whether an event lay beyond the horizon (milliseconds) when it was accepted."""
    return horizon is not None and event.accepted_at - event.time > horizon


#: Decides whether an event is meant; compiled elsewhere (`hairspring.expressions`).
Predicate = Callable[[Event], bool]
#: Decides whether a profile's traits are as meant; compiled elsewhere likewise.
TraitPredicate = Callable[[Mapping[str, object]], bool]
