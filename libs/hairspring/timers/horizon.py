"""How far ahead the timers of each shard are in the queue: pure.

The truth knows timers of years to come, the queue those up to a horizon. What lies between is read
while there is still half of that length to go.
"""

from __future__ import annotations

from collections.abc import Mapping

from hairspring.timers.agenda import NEVER


class Horizon:
    """Remembers for each owned shard up to when its timers are in the queue; times are ms, UTC."""

    def __init__(self, length_ms: int) -> None:
        if length_ms < 2:
            raise ValueError(f"a horizon is 2 ms long or longer, not {length_ms}")
        self._length = length_ms
        self._epochs: dict[int, int] = {}
        self._admitted: dict[int, int] = {}
        self._filled: dict[int, int] = {}

    def keep(self, epochs: Mapping[int, int]) -> None:
        """Follow these shards under these epochs; of one that is new, nothing is known."""
        if epochs == self._epochs:
            return
        for shard, epoch in self._epochs.items():
            if epochs.get(shard) != epoch:
                self._admitted.pop(shard, None)
                self._filled.pop(shard, None)
        self._epochs = dict(epochs)

    def admits(self, shard: int, due_at: int) -> bool:
        """Tell whether a timer belongs into the queue by now, and not only into the truth.

        Ask after the timer was committed: then it is either admitted here or found by a reading
        that has not begun. Before the first reading of a shard, everything is admitted.
        """
        return due_at < self._admitted.get(shard, NEVER)

    def begin(self, shard: int, now: int) -> tuple[int, int]:
        """Admit more from now on, and answer from and until when is to be read after this."""
        end = max(now + self._length, self._admitted.get(shard, 0))
        self._admitted[shard] = end
        return self._filled.get(shard, 0), end

    def done(self, shard: int, end: int) -> None:
        """Remember that everything before `end` is in the queue."""
        self._filled[shard] = end

    def lost(self, shard: int) -> None:
        """Remember that nothing is in the queue."""
        self._filled.pop(shard, None)

    def wanting(self, now: int) -> list[int]:
        """Answer the shards that have less than half of the length left, the nearest first."""
        until = now + self._length // 2
        found = [(self._filled.get(shard, 0), shard) for shard in self._epochs]
        return [shard for end, shard in sorted(found) if end <= until]
