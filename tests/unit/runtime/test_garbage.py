"""The collector is set so that what is kept costs nothing, and cycles still go."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest
from hairspring.runtime.garbage import YOUNG, spare_the_old


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave the collector as it was."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class _Ring:
    """Something that refers to itself."""

    def __init__(self) -> None:
        self.me = self


def test_what_is_there_is_never_traversed_again() -> None:
    """What was kept when the service started is no business of the collector any more."""
    kept = [[number] for number in range(1_000)]

    spare_the_old()

    assert gc.get_freeze_count() > len(kept)


def test_young_cycles_go() -> None:
    """A cycle that is let go is collected once enough that is new has come."""
    spare_the_old()
    ring = _Ring()
    gone = weakref.ref(ring)
    del ring

    kept = [[number] for number in range(2 * YOUNG)]

    assert gone() is None
    assert len(kept) == 2 * YOUNG
