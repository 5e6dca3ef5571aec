"""Loops written by hand, to hold `hairspring simulate` against.

    python -m tests.benchmarks.limits lines|parse|cart FILE

`lines` only reads the lines, `parse` reads the JSON of each as well, and `cart` judges the one
abandonment rule (Product Added, unless Order Completed, after an hour) with a dict and a heap, for
a file in the order of time. It knows that rule and that file, and nothing else: no other line, no
problem in one, no event out of order.
"""

from __future__ import annotations

import heapq
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_HOUR = 3_600_000


def lines(path: Path) -> int:
    """Count the lines."""
    with path.open("rb") as file:
        return sum(1 for _ in file)


def parse(path: Path) -> int:
    """Count the lines, and read each."""
    with path.open("rb") as file:
        return sum(1 for line in file if orjson.loads(line))


def cart(path: Path) -> int:
    """Count the transitions of the one rule."""
    judge = _Cart()
    seen: set[str] = set()
    time = 0
    with path.open("rb") as file:
        for line in file:
            event = orjson.loads(line)
            message_id = event["messageId"]
            if message_id in seen:
                continue
            seen.add(message_id)
            time = (datetime.fromisoformat(event["timestamp"]) - _EPOCH) // _MILLISECOND
            judge.pass_until(time)
            name = event["event"]
            if name == "Product Added":
                judge.start(event["userId"], time)
            elif name == "Order Completed":
                judge.end(event["userId"])
    judge.pass_until(time + 1)
    return judge.transitions


class _Cart:
    def __init__(self) -> None:
        self.transitions = 0
        self._deadlines: dict[str, int] = {}
        self._inside: set[str] = set()
        self._heap: list[tuple[int, str]] = []

    def pass_until(self, time: int) -> None:
        heap = self._heap
        while heap and heap[0][0] < time:
            deadline, profile = heapq.heappop(heap)
            if self._deadlines.get(profile) == deadline:
                del self._deadlines[profile]
                self._inside.add(profile)
                self.transitions += 1

    def start(self, profile: str, time: int) -> None:
        self._leave(profile)
        self._deadlines[profile] = time + _HOUR
        heapq.heappush(self._heap, (time + _HOUR, profile))

    def end(self, profile: str) -> None:
        self._leave(profile)
        self._deadlines.pop(profile, None)

    def _leave(self, profile: str) -> None:
        if profile in self._inside:
            self._inside.remove(profile)
            self.transitions += 1


if __name__ == "__main__":
    print({"lines": lines, "parse": parse, "cart": cart}[sys.argv[1]](Path(sys.argv[2])))
