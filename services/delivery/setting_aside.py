"""What makes the code raise is left aside, so that it does not stop the rest of delivery."""

from __future__ import annotations

import traceback
from pathlib import Path

from hairspring.database.pool import DatabaseUnavailable
from hairspring.ownership.port import Fenced
from hairspring.runtime.errors import may_be_mistake
from hairspring.services.delivery.adapters.calls import Away, Refused
from hairspring.timers.port import QueueUnavailable

TRIES = 3

_OTHERS = (Away, Refused, Fenced, DatabaseUnavailable, QueueUnavailable)


def may_be_poison(error: Exception) -> bool:
    """Tell whether an error may come from what is worked on, and not from a server or owner."""
    return not isinstance(error, _OTHERS) and may_be_mistake(error)


def place_of_error(error: BaseException) -> str:
    """Tell where in the code an error was raised; what it says may quote an event."""
    trace = traceback.extract_tb(error.__traceback__)
    return f"{Path(trace[-1].filename).name}:{trace[-1].lineno}" if trace else "nowhere"
