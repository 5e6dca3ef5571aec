"""Times as stories write them: `10:00`, `day 2 09:30:15`, `2026-05-01 10:00`, or ISO 8601."""

import re
from datetime import UTC, datetime, timedelta

DAY = 86_400_000
#: The first day of a story that does not say when it starts: 2026-01-01.
USUAL_START = 1_767_225_600_000
FORM = "a time is written like 10:00, 10:00:00.001, day 2 09:30 or 2026-05-01T10:00:00Z"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK = re.compile(
    r"(?:day +(?P<day>\d{1,5}) +)?(?P<hour>\d{1,2}):(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,3}))?)?"
)
_DATED = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d.*)?")


def read_date(text: str) -> int | None:
    """The midnight that begins a date such as 2026-05-01."""
    found = _dated(text) if len(text) == len("2026-05-01") else None
    return found if found is not None and found % DAY == 0 else None


def read(text: str, starts: int) -> int | None:
    """Reads a time, in milliseconds, UTC; without a date it is on a day counted from `starts`."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return _dated(text.strip())
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    day = int(match["day"] or 1)
    if hour > 23 or minute > 59 or second > 59 or day < 1:
        return None
    seconds = (hour * 60 + minute) * 60 + second
    return starts + (day - 1) * DAY + seconds * 1_000 + int((match["fraction"] or "").ljust(3, "0"))


def write(at: int, starts: int) -> str:
    """Writes a time as short as `read` takes it."""
    days, rest = divmod(at - starts, DAY)
    seconds, fraction = divmod(rest, 1_000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}"
    if seconds % 60 or fraction:
        clock += f":{seconds % 60:02}"
    if fraction:
        clock += f".{fraction:03}"
    if days == 0:
        return clock
    if 0 < days < 10_000:
        return f"day {days + 1} {clock}"
    return f"{(_EPOCH + timedelta(milliseconds=at)).date()} {clock}"


def _dated(text: str) -> int | None:
    if not _DATED.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)
