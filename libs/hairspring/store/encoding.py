"""The state of a profile as bytes: a small MessagePack tuple, with the runs as differences.

The first field is the version of the format. Times of a run lie close together, and so do their
orders, so their differences take one to five bytes each instead of nine; long runs with values are
packed tighter (`packing.py`). What was written by the version before is read as well.
"""

from typing import Any

import msgspec

from hairspring.engine.folded import Folded
from hairspring.engine.state import ProfileState, SegmentState
from hairspring.engine.streams import Run
from hairspring.store.packing import Packed, pack, unpack

FORMAT = 3
_READ = (2, FORMAT)

_Segment = tuple[bool, int | None, int | None, bool, int | None, int | None]
_Stored = tuple[
    int,
    int | None,
    int | None,
    dict[str, Packed],
    dict[str, dict[str, Packed]],
    dict[str, dict[str, Folded]],
    dict[str, _Segment],
    dict[str, tuple[int, int, Any]],
    dict[str, tuple[int, int, bool]],
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
            {key: pack(run.times, run.orders, run.values) for key, run in state.streams.items()},
            {
                key: {group: pack(run.times, run.orders, run.values) for group, run in runs.items()}
                for key, runs in state.keyed.items()
            },
            {key: folded for key, folded in state.folded.items() if folded},
            {
                name: (s.member, s.entered_at, s.left_at, s.enter_held, s.rise_at, s.until)
                for name, s in state.segments.items()
            },
            state.traits,
            state.tags,
        )
    )


def decode(stored: bytes) -> ProfileState:
    """Read a state. Raises UnreadableState."""
    try:
        version, clock, born_at, streams, keyed, folded, segments, traits, tags = _decoder.decode(
            stored
        )
    except msgspec.MsgspecError as error:
        raise UnreadableState(f"a stored state cannot be read: {error}") from error
    if version not in _READ:
        raise UnreadableState(
            f"a stored state has format {version}, known are {_READ[0]} to {FORMAT}"
        )
    return ProfileState(
        clock=clock,
        born_at=born_at,
        streams={key: Run(*unpack(packed)) for key, packed in streams.items()},
        keyed={
            key: {group: Run(*unpack(packed)) for group, packed in runs.items()}
            for key, runs in keyed.items()
        },
        folded=folded,
        segments={name: SegmentState(*stood) for name, stood in segments.items()},
        traits=traits,
        tags=tags,
    )
