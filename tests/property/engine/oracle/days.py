"""Conditions on traits: what is set at a moment, and when days begin somewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from tests.property.engine.oracle.words import (
    Anniversary,
    Date,
    Event,
    OfTraits,
    Profile,
    Tagged,
    compares,
)

DAY = 86_400_000
TAGS = "tags"
_QUARTER = timedelta(minutes=15)
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)\.(\d{3})(?:Z|([+-])(\d\d):(\d\d))?)?"
)


def traits(history: list[Event]) -> dict[str, object]:
    """The traits that are set, and under `tags` those attached, as the last call of each says."""
    found: dict[str, object] = {}
    tags: set[str] | None = None
    for event in history:
        for name, value in event.traits if event.kind == "identify" else ():
            found[name] = value
        if event.kind == "add_tags":
            tags = (tags or set()) | set(event.tags)
        elif event.kind == "remove_tags":
            tags = (tags or set()) - set(event.tags)
    if tags is not None:
        found[TAGS] = tags
    return {name: value for name, value in found.items() if value is not None}


def judge(condition: OfTraits, history: list[Event], t: int) -> bool:
    """Whether a condition on traits holds at t."""
    known = traits(history)
    match condition:
        case Profile():
            return says(condition, known)
        case Tagged():
            tags = known.get(TAGS, ())
            return isinstance(tags, set) and condition.tag in tags
        case Date():
            at = moment(known.get(condition.trait))
            return at is not None and at + condition.begin <= t < at + condition.end
        case Anniversary():
            return any(
                at + condition.begin <= t < at + condition.end
                for at in midnights(condition, known, t)
            )


def says(condition: Profile, known: Mapping[str, object]) -> bool:
    """Whether a trait is set, of the right type, and compares so."""
    value = known.get(condition.trait)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    if isinstance(value, str) != isinstance(condition.value, str):
        return False
    return compares(condition.operator, value, condition.value)


def midnights(condition: Anniversary, known: Mapping[str, object], t: int) -> list[int]:
    """When the day begins in this, the last and the next year."""
    read = _read(known.get(condition.trait))
    if read is None:
        return []
    zone = condition.zone
    if condition.zone_trait is not None:
        told = known.get(condition.zone_trait)
        zone = told if isinstance(told, str) and told in _zones() else "UTC"
    this = (datetime(1970, 1, 1) + timedelta(milliseconds=t)).year
    return [midnight(year, read[1], read[2], zone) for year in (this - 1, this, this + 1)]


@cache
def midnight(year: int, month: int, day: int, zone: str) -> int:
    """The first moment of a day in a zone, found by looking at the clock there all day long."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if (month, day) == (2, 29) and not leap:
        day = 28
    begin = datetime(year, month, day)
    at = begin.replace(tzinfo=UTC) - timedelta(hours=16)
    while at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) < begin:
        at += _QUARTER
    return round(at.timestamp() * 1000)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _read(value: object) -> tuple[int, ...] | None:
    """Year, month, day, and the milliseconds from that day's beginning to the moment in UTC."""
    found = _ISO.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    year, month, day = (int(part) for part in found.groups()[:3])
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in found.groups()[3:7])
    sign = -1 if found[8] == "-" else 1
    shift = sign * (int(found[9] or 0) * 60 + int(found[10] or 0))
    whole = (hours * 60 + minutes - shift) * 60_000 + seconds * 1000 + milliseconds
    return year, month, day, whole


def moment(value: object) -> int | None:
    """The moment of a date or a date-time, UTC where it names no zone; None for others."""
    read = _read(value)
    if read is None:
        return None
    year, month, day, whole = read
    return (date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()) * DAY + whole
