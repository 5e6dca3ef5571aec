"""When each segment of a profile wants to be judged next, the earliest first.

A heap whose entries may be too early: a moment that is put off keeps its entry, which is corrected
when it comes up. So neither putting off nor asking depends on how many segments there are.
"""

from collections.abc import Mapping, MutableMapping
from heapq import heapify, heappop, heappush, heapreplace

from hairspring.engine.standing import SegmentState


class Wakes:
    """Entries of (moment, segment): for each segment with a moment, one that is not later."""

    __slots__ = ("_heap",)

    def __init__(self, segments: Mapping[str, SegmentState]) -> None:
        self._heap = _entries(segments)

    def add(self, name: str, until: int, segments: Mapping[str, SegmentState]) -> None:
        """Notes a moment that is earlier than before; `segments` is what they all want now."""
        heappush(self._heap, (until, name))
        if len(self._heap) > 4 * len(segments) + 64:
            self._heap = _entries(segments)

    def soonest(self) -> int | None:
        """A moment that is no later than the first one that anybody wants, without looking who."""
        return self._heap[0][0] if self._heap else None

    def earliest(self, segments: Mapping[str, SegmentState]) -> int | None:
        """The first moment that anybody wants."""
        heap = self._heap
        while heap:
            moment, name = heap[0]
            until = segments[name].until if name in segments else None
            if until == moment:
                return moment
            if until is None or until < moment:  # of no moment, or it has an earlier entry
                heappop(heap)
            else:
                heapreplace(heap, (until, name))
        return None

    def take(self, t: int, segments: MutableMapping[str, SegmentState]) -> list[str]:
        """Those who want to be judged at a moment or before; they want nothing then, until told."""
        due = list[str]()
        while (moment := self.earliest(segments)) is not None and moment <= t:
            _, name = heappop(self._heap)
            segments[name] = segments[name].looked_at(None)
            due.append(name)
        return due


def _entries(segments: Mapping[str, SegmentState]) -> list[tuple[int, str]]:
    heap = [(one.until, name) for name, one in segments.items() if one.until is not None]
    heapify(heap)
    return heap
