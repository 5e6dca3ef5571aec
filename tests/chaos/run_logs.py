"""What delivery's logs tell of runs: each begins and ends once, and what became of a wrong one."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

Line: TypeAlias = dict[str, Any]
"""A line of a log: its fields."""

_BEGUN, _NOT_BEGUN = "run_started", "run_not_started"
_ONCE = (_BEGUN, _NOT_BEGUN, "run_ended", "message_sent")
_MOST_LINES = 200


def told(logs: Iterable[Path]) -> dict[str, list[Line]]:
    """The lines of these logs that are about a run, by its id, the earliest first.

    A replica whose clock is wrong writes wrong times, so the order may be wrong too.
    """
    found: defaultdict[str, list[Line]] = defaultdict(list)
    for log in logs:
        for line in _lines(log):
            if run_id := line.get("run_id"):
                found[run_id].append(line)
    for lines in found.values():
        lines.sort(key=lambda line: str(line.get("timestamp")))
    return dict(found)


def problems(about: Mapping[str, Sequence[Line]]) -> list[str]:
    """Which runs were decided again: a line is written only after what it tells was committed.

    A replica that was killed may have left one out, but none comes twice.
    """
    found = []
    for run_id, lines in about.items():
        times = Counter(line["event"] for line in lines)
        again = [f"{event} {times[event]} times" for event in _ONCE if times[event] > 1]
        if times[_BEGUN] and times[_NOT_BEGUN]:
            again.append(f"{_BEGUN} and {_NOT_BEGUN}")
        if again:
            found.append(f"run {run_id}: the logs tell {', '.join(again)}")
    return found


def trails(about: Mapping[str, Sequence[Line]], wrong: Sequence[str]) -> list[str]:
    """The first lines about the runs that are named in what is wrong."""
    words = {word.rstrip(":") for one in wrong for word in one.split()}
    lines = [line for run_id in about.keys() & words for line in about[run_id]]
    return [json.dumps(line) for line in lines[:_MOST_LINES]]


def _lines(log: Path) -> Iterator[Line]:
    """The lines of a log; one that was cut off by a kill is left out, with what follows on it."""
    if not log.exists():
        return
    with log.open("rb") as file:
        for line in file:
            with suppress(ValueError):
                if line.startswith(b"{"):
                    yield json.loads(line)
