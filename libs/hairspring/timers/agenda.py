"""When to ask which shard next, and what time the queue's clock shows: pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

NEVER = 2**63
AT_ONCE = -1


class Agenda:
    """Remembers for each owned shard the earliest due time that is known.

    Times are ms on the queue's clock. A due time noted while a claim is under way is kept apart
    from the answer of that claim, which may be older; so it is never overwritten by a later one.
    """

    def __init__(self) -> None:
        self._heads: dict[int, int] = {}
        self._noted: dict[int, int] = {}
        self._asked: dict[int, float] = {}

    def keep(self, shards: Iterable[int]) -> None:
        """Follow these shards and no others; a new one is asked at once."""
        owned = set(shards)
        if owned == self._heads.keys():
            return
        self._heads = {shard: self._heads.get(shard, AT_ONCE) for shard in owned}
        self._noted = {shard: at for shard, at in self._noted.items() if shard in owned}
        self._asked = {shard: at for shard, at in self._asked.items() if shard in owned}

    def note(self, shard: int, due_at: int) -> bool:
        """Remember that a timer was scheduled; tells whether its shard must be asked earlier."""
        known = min(self._noted.get(shard, NEVER), self._heads.get(shard, NEVER))
        if due_at >= known or shard not in self._heads:
            return False
        self._noted[shard] = due_at
        return True

    def asking(self, shards: Iterable[int], steady: float = 0.0) -> None:
        """A claim starts at this steady time, ms; it will see whatever was noted before."""
        for shard in shards:
            self._asked[shard] = steady
            self._noted.pop(shard, None)
            if shard in self._heads:
                self._heads[shard] = NEVER

    def failed(self, shards: Iterable[int]) -> None:
        """A claim of these shards was not answered: ask again at once."""
        for shard in shards:
            if shard in self._heads:
                self._heads[shard] = AT_ONCE

    def answered(self, shards: Iterable[int], next_due: Mapping[int, int]) -> None:
        """A claim of these shards was answered; what has no due time waits to be noted."""
        for shard in shards:
            if shard in self._heads:
                self._heads[shard] = next_due.get(shard, NEVER)

    def due(self, now: int) -> list[int]:
        """Answer the shards to be asked now, the longest due first."""
        due = [(at, shard) for shard, at in self._times() if at <= now]
        due.sort()
        return [shard for _, shard in due]

    def earliest(self) -> int:
        """Answer when the first shard must be asked, or NEVER."""
        return min((at for _, at in self._times()), default=NEVER)

    def not_asked_since(self, steady: float) -> list[int]:
        """Answer the shards whose last claim started before that steady time, ms."""
        return [shard for shard in self._heads if self._asked.get(shard, -math.inf) < steady]

    def ask_all(self) -> None:
        """Ask every shard at once."""
        self._noted = dict.fromkeys(self._heads, AT_ONCE)

    def _times(self) -> Iterable[tuple[int, int]]:
        noted = self._noted
        if not noted:
            return self._heads.items()
        return ((shard, min(at, noted.get(shard, NEVER))) for shard, at in self._heads.items())


class QueueClock:
    """Follows the queue's clock between claims by a steady one, both in ms.

    An answer that shows `now` was made after the call was sent and before it came back, which
    bounds the distance of the clocks from both sides. The guess only moves when it must, so
    that one slow answer does not make every later wake-up late.
    """

    def __init__(self) -> None:
        self._distance: float | None = None

    def learn(self, now: int, *, sent: float, received: float) -> None:
        """Take in what the queue's clock showed between two moments of the steady clock."""
        least, most = now - received, now + 1 - sent
        guess = least if self._distance is None else self._distance
        self._distance = min(max(guess, least), most)

    def now(self, steady: float) -> int:
        """Tell the time on the queue's clock; before the first answer, a time before all."""
        return AT_ONCE if self._distance is None else int(steady + self._distance)

    def until(self, due_at: int, steady: float) -> float:
        """Tell how long it is until a moment of the queue's clock, ms, and never below 0."""
        if due_at >= NEVER:
            return math.inf
        return 0.0 if self._distance is None else max(0.0, due_at - self._distance - steady)
