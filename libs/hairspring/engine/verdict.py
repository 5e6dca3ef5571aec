"""What a condition answers."""

from collections.abc import Iterable
from typing import NamedTuple


class Verdict(NamedTuple):
    """The answer now, and the first later instant at which it could differ with no new event.

    `until` is in milliseconds since the epoch; None where only an event can change the answer.
    It may be early (looking again then is harmless), never late.
    """

    holds: bool
    until: int | None = None


#: What only an event can change.
HOLDS = Verdict(True)
FAILS = Verdict(False)


def earliest(moments: Iterable[int | None]) -> int | None:
    """The smallest of the moments that are set."""
    return min((moment for moment in moments if moment is not None), default=None)


def latest(verdicts: Iterable[Verdict]) -> int | None:
    """The moment before which at least one of these verdicts stands."""
    moments = [verdict.until for verdict in verdicts]
    return None if None in moments else max(moment for moment in moments if moment is not None)
