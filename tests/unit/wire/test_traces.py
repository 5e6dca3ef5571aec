"""Trace ids are derived, and a caller's is taken from what W3C says."""

from __future__ import annotations

import pytest
from hairspring.wire.traces import trace_of_event, trace_of_moment, trace_of_parent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_the_trace_of_an_event_is_that_of_its_id() -> None:
    """The same id in the same workspace is the same trace, of 16 bytes."""
    found = trace_of_event("default", "m1")
    assert found == trace_of_event("default", "m1")
    assert len(bytes.fromhex(found)) == 16
    others = {trace_of_event("other", "m1"), trace_of_event("default", "m2")}
    assert len({found, *others, trace_of_moment("default", "m1", 1)}) == 4


@pytest.mark.parametrize(
    ("parent", "trace"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-03", TRACE),
        (f"00-{TRACE}-00f067aa0ba902b7-00", ""),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", ""),
        (f"00-{TRACE}-00f067aa0ba902b7-zz", ""),
        ("00-short-00f067aa0ba902b7-01", ""),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_the_trace_of_a_caller(parent: str, trace: str) -> None:
    """A sampled traceparent gives its trace id; one that is not, or is malformed, gives none."""
    assert trace_of_parent(parent) == trace
