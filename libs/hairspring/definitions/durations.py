"""Durations as people write them: `90s`, `15m`, `1h30m`, `7d`, `2w`."""

import re

SECOND = 1_000
#: Milliseconds of each unit, from large to small.
UNITS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": SECOND}
#: The longest duration that is taken, in milliseconds: a hundred years of 365 days.
LONGEST = 36_500 * UNITS["d"]

_WRITTEN = re.compile("".join(rf"(?:([0-9]{{1,12}}){unit})?" for unit in UNITS))
_FORM = "a duration is written like 90s, 15m, 1h30m, 7d or 2w"


_IN_WORDS = re.compile(
    r"([0-9]{1,6}) *(w|d|h|m|s|weeks?|days?|hours?|hrs?|minutes?|mins?|seconds?|secs?)"
    r"( before| ago)?(?: after| later)?",
    re.IGNORECASE,
)


class BadDuration(ValueError):
    """A text that is no duration of the language; the message says what to write instead."""


def parse(text: str) -> int:
    """Reads a duration of more than zero, in milliseconds.

    Raises:
        BadDuration: If the text is none, is zero, or is more than a hundred years.
    """
    match = _WRITTEN.fullmatch(text)
    if not text or match is None:
        raise BadDuration(_hint(text))
    total = sum(
        int(count) * size
        for count, size in zip(match.groups(), UNITS.values(), strict=True)
        if count is not None
    )
    if total == 0:
        raise BadDuration("a duration must be more than zero")
    if total > LONGEST:
        raise BadDuration("a duration is at most 36500d")
    return total


def parse_signed(text: str) -> int:
    """Reads a duration that may have a sign, or be `0s`, in milliseconds.

    Raises:
        BadDuration: As `parse`.
    """
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if re.fullmatch(r"0+[wdhms]", rest):
        return 0
    if rest.startswith(("-", "+")):
        raise BadDuration(f"one sign is enough; {_FORM}")
    if re.fullmatch(r"0+", rest):
        raise BadDuration(f"a duration needs a unit, write 0s; {_FORM}")
    try:
        return sign * parse(rest)
    except BadDuration as error:
        match = _IN_WORDS.fullmatch(rest)
        if match is not None and (sign < 0 or match[3] is not None):
            raise BadDuration(f"write -{match[1]}{match[2][0].lower()}; {_FORM}") from error
        raise


def write(milliseconds: int) -> str:
    """Writes a duration of whole seconds with the largest units; zero is `0s`.

    What is less than a second is written as such: `1.5s`.
    """
    parts, left = [], milliseconds
    for unit, size in UNITS.items():
        count, left = divmod(left, size)
        if unit == "s" and left:
            parts.append(f"{(count * SECOND + left) / SECOND:g}s")
        elif count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def is_one(text: str) -> bool:
    """Tells whether a text is a duration of the language."""
    try:
        parse(text)
    except BadDuration:
        return False
    return True


def _hint(text: str) -> str:
    if match := _IN_WORDS.fullmatch(text):
        return f"write {match[1]}{match[2][0].lower()}; {_FORM}"
    if re.fullmatch(r"[+-]?[0-9.]+", text):
        return f"a duration needs a unit (w, d, h, m or s); {_FORM}"
    if text.startswith(("-", "+")):
        return f"no sign is allowed here; {_FORM}"
    if re.fullmatch(r"[0-9]+ *(ms|milliseconds?)", text):
        return f"the smallest unit is a second; {_FORM}"
    if re.fullmatch(r"[0-9]+ *(mo|months?|y|years?)", text):
        return f"there are no months or years, write days such as 30d or 365d; {_FORM}"
    if re.fullmatch(r"([0-9]+[wdhms])+", text):
        return f"units go from large to small (w, d, h, m, s), each once; {_FORM}"
    if not text:
        return f"is empty; {_FORM}"
    return _FORM
