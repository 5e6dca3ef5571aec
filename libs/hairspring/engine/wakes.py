"""When each segment of a profile wants to be judged next, the earliest first.

A heap that may hold entries that have been overtaken; they are passed over when they come up, so
that asking for the earliest does not depend on how many segments there are.
"""

from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from typing import Protocol


class Waking(Protocol):
    """What has a moment at which it wants to be judged (milliseconds, UTC)."""

    until: int | None


class Wakes:
    """Entries of (until, segment); the one that counts is the one that the segment's state says."""

    __slots__ = ("_heap",)

    def __init__(self, segments: Mapping[str, Waking]) -> None:
        self._heap = _entries(segments)

    def add(self, name: str, until: int, segments: Mapping[str, Waking]) -> None:
        """Notes a moment; `segments` is what they all want now."""
        heappush(self._heap, (until, name))
        if len(self._heap) > 4 * len(segments) + 64:
            self._heap = _entries(segments)

    def earliest(self, segments: Mapping[str, Waking]) -> int | None:
        """The first moment that anybody wants."""
        heap = self._heap
        while heap:
            until, name = heap[0]
            segment = segments.get(name)
            if segment is not None and segment.until == until:
                return until
            heappop(heap)
        return None

    def take(self, t: int, segments: Mapping[str, Waking]) -> list[str]:
        """Those who want to be judged at a moment or before; each is to say a new moment then."""
        heap, due = self._heap, list[str]()
        while heap and heap[0][0] <= t:
            until, name = heappop(heap)
            segment = segments.get(name)
            if segment is not None and segment.until == until and name not in due:
                due.append(name)
        return due


def _entries(segments: Mapping[str, Waking]) -> list[tuple[int, str]]:
    heap = [(one.until, name) for name, one in segments.items() if one.until is not None]
    heapify(heap)
    return heap
