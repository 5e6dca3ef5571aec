"""How many events a second may come with a key."""

from __future__ import annotations

import pytest
from hairspring.runtime.errors import Exhausted
from hairspring.runtime.keys import SERVICE, Caller, Scope
from hairspring.runtime.limits import Limits
from hairspring.runtime.rates import BURST_SECONDS, Bucket, take
from hypothesis import given
from hypothesis import strategies as st


def key(name: str, per_second: int = 0) -> Caller:
    """A key for writing."""
    return Caller(
        key_id=name,
        workspace="shop",
        scopes=frozenset({Scope.WRITE}),
        events_per_second=per_second,
    )


@given(
    st.integers(1, 1_000),
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 500)), min_size=1, max_size=40),
)
def test_never_more_than_may_come(per_second: int, course: list[tuple[float, int]]) -> None:
    """Over any time: the burst, the rate, and one last request that was let in whole."""
    bucket: Bucket | None = None
    now = came = 0.0
    for pause, events in course:
        now += pause
        taken = take(bucket, now=now, events=events, per_second=per_second)
        bucket = taken.bucket
        if not taken.wait_ms:
            came += events
        largest = max(events for _, events in course)
        assert came <= per_second * (BURST_SECONDS + now) + largest + 1e-6


@given(st.integers(1, 1_000), st.integers(1, 5_000))
def test_whoever_waits_as_long_as_told_is_let_in(per_second: int, events: int) -> None:
    """No batch is too large for ever; after it the debt is waited for, and no longer."""
    first = take(None, now=0.0, events=events, per_second=per_second)
    assert first.wait_ms == 0
    second = take(first.bucket, now=0.0, events=1, per_second=per_second)
    debt = events - per_second * BURST_SECONDS
    assert (second.wait_ms > 0) == (debt >= 0)
    if second.wait_ms:
        assert second.wait_ms <= debt / per_second * 1000 + 2
    if not second.wait_ms:
        return
    later = take(second.bucket, now=second.wait_ms / 1000, events=1, per_second=per_second)
    assert later.wait_ms == 0


def test_each_key_has_a_bucket_of_its_own() -> None:
    """One key's flood is not another's; a key's own limit counts before the usual one."""
    now = [0.0]
    limits = Limits(usual=10, monotonic=lambda: now[0])
    limits.take(key("a"), 20)
    with pytest.raises(Exhausted) as caught:
        limits.take(key("a"), 1)
    assert 0 < caught.value.retry_ms <= 2
    limits.take(key("b"), 1)
    limits.take(key("c", per_second=1_000), 1_000)
    limits.take(key("c", per_second=1_000), 1_000)
    now[0] += 1.0
    limits.take(key("a"), 1)


def test_services_have_no_limit() -> None:
    """Nor has anybody where none is set."""
    limits = Limits(usual=1)
    for _ in range(3):
        limits.take(SERVICE, 1_000_000)
    unlimited = Limits()
    for _ in range(3):
        unlimited.take(key("a"), 1_000_000)
