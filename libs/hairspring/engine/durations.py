"""Durations as people write them."""

_UNITS = (("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))


def words(ms: int) -> str:
    """Writes a duration in milliseconds as in a definition: 5_400_000 becomes 1h30m."""
    text = "-" if ms < 0 else ""
    rest = abs(ms)
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            text += f"{count}{unit}"
    if rest or text in ("", "-"):
        text += f"{rest}ms" if rest else "0s"
    return text
