"""Reads the common shape of a line at a fraction of the cost; pure.

`segment_spec` says what a line means, and reads every line. This reads only the track calls in the
commonest form, and of those exactly as `segment_spec` does; it leaves all others to it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

import orjson

from hairspring.cli import segment_spec
from hairspring.cli.event_files import LONGEST_LINE
from hairspring.cli.segment_spec import Event, ImportFinished, Merged, Unreadable
from hairspring.wire.times import EARLIEST_MS, LATEST_MS

Json = dict[str, Any]

Taken = tuple[str, int, str, str, str, Json, Json]
"""Profile, time (milliseconds, UTC), event name, message id, type, properties, context.

A bare tuple, since one is made for every line of a file.
"""

_PARTS = itemgetter("type", "userId", "event", "timestamp", "messageId")
_LONGEST_ID = 255
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def quick(line: bytes) -> Taken | None:
    """Read a line of the common shape; None for every other, be it sound or not."""
    if len(line) >= LONGEST_LINE:
        return None
    try:
        document = orjson.loads(line)
        kind, profile, name, timestamp, message_id = _PARTS(document)
        if kind != "track" or "acceptedAt" in document:
            return None
        if "position" in document or "importId" in document:
            return None  # Together with the first, these are what only an exported log has.
        # With a "T" in its place, what fromisoformat takes is in capitals and without blanks.
        moment = datetime.fromisoformat(timestamp)
        time = (moment - _EPOCH) // _MILLISECOND
        if timestamp[10] != "T" or not EARLIEST_MS <= time <= LATEST_MS:
            return None
        properties, context = document.get("properties"), document.get("context")
    except (ValueError, LookupError, TypeError, OverflowError):
        return None
    if properties is None:
        properties = {}
    if context is None:
        context = {}
    if (
        type(profile) is str
        and type(name) is str
        and type(message_id) is str
        and type(properties) is dict
        and type(context) is dict
        and 0 < len(profile) <= _LONGEST_ID
        and 0 < len(name) <= _LONGEST_ID
        and 0 < len(message_id) <= _LONGEST_ID
        and not (profile.isspace() or name.isspace() or message_id.isspace())
    ):
        return profile, time, name, message_id, "track", properties, context
    return None


def thorough(line: bytes) -> Event | ImportFinished | Merged | Unreadable:
    """Read any line."""
    if len(line) >= LONGEST_LINE:
        return Unreadable(problem=f"longer than {LONGEST_LINE:,} bytes")
    return segment_spec.read(line)


def taken(event: Event) -> Taken:
    """Give what was read thoroughly as `quick` gives it."""
    return (
        event.profile,
        event.time,
        event.name,
        event.message_id,
        event.type,
        event.properties,
        event.context,
    )
