"""The state of a profile as bytes: a small MessagePack tuple, with the runs as differences.

The first field is the version of the format. Times of a run lie close together, and so do their
orders, so their differences take one to five bytes each instead of nine.
"""

from itertools import accumulate
from typing import Any

import msgspec

from hairspring.engine.state import ProfileState, SegmentState
from hairspring.engine.streams import Run

FORMAT = 1

_Segment = tuple[bool, int | None, int | None, bool, int | None, int | None]
_Stored = tuple[
    int,
    int | None,
    int | None,
    dict[str, tuple[list[int], list[int]]],
    dict[str, _Segment],
    dict[str, tuple[int, int, Any]],
]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Stored)


class UnreadableState(Exception):
    """A stored state was written by a newer version, or is damaged."""


def encode(state: ProfileState) -> bytes:
    """Write a state."""
    return _encoder.encode(
        (
            FORMAT,
            state.clock,
            state.born_at,
            {
                key: (_differences(run.times), _differences(run.orders))
                for key, run in state.streams.items()
            },
            {
                name: (s.member, s.entered_at, s.left_at, s.enter_held, s.rise_at, s.until)
                for name, s in state.segments.items()
            },
            state.traits,
        )
    )


def decode(stored: bytes) -> ProfileState:
    """Read a state. Raises UnreadableState."""
    try:
        version, clock, born_at, streams, segments, traits = _decoder.decode(stored)
    except msgspec.MsgspecError as error:
        raise UnreadableState(f"a stored state cannot be read: {error}") from error
    if version != FORMAT:
        raise UnreadableState(f"a stored state has format {version}, known is {FORMAT}")
    return ProfileState(
        clock=clock,
        born_at=born_at,
        streams={
            key: Run(list(accumulate(times)), list(accumulate(orders)))
            for key, (times, orders) in streams.items()
        },
        segments={
            name: SegmentState(
                member=member,
                entered_at=entered_at,
                left_at=left_at,
                enter_held=enter_held,
                rise_at=rise_at,
                until=until,
            )
            for name, (member, entered_at, left_at, enter_held, rise_at, until) in segments.items()
        },
        traits=traits,
    )


def _differences(values: list[int]) -> list[int]:
    return [b - a for a, b in zip([0, *values], values, strict=False)]
