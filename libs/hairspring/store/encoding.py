"""The state of a profile as bytes: a MessagePack tuple, most of which is written as it lies there.

The first field is the version of the format. Most runs have a few events and are written and read
as they are, which takes a tenth of the time that doing anything with them would. Longer ones are
packed (`packing.py`) and stand apart, each with an empty run in its place, so that all come back
in their order. What was written by the two versions before is read as well.

A large state is an LZ4 block behind a byte with which no MessagePack begins: runs over the same
events repeat each other's times and orders, and half the bytes cost Postgres less than that takes.
"""

from collections.abc import Mapping
from typing import Any

import lz4.block
import msgspec

from hairspring.engine.folded import Folded
from hairspring.engine.standing import SegmentState
from hairspring.engine.state import ProfileState
from hairspring.engine.streams import EMPTY, Run
from hairspring.store.packing import Packed, pack, unpack

FORMAT = 4
_EARLIER = (2, 3)
#: Runs with so many events are packed. To pack those of 6 too makes rows a tenth smaller, and takes
#: twice the time.
_LONG = 32

#: Where a compressed state begins; then four bytes say how large it was, and the block follows.
_MARK = b"\xc1"
_HEAD = 5
#: States with so many bytes are compressed, if that makes them smaller.
_LARGE = 1_800
_DAMAGED = (msgspec.MsgspecError, UnicodeDecodeError)
_MOST_RATIO = 255  #: No LZ4 block becomes larger than so many times its size.

_Runs = dict[str, Run]
_PackedRuns = dict[str, Packed]
_Rest = tuple[
    dict[str, dict[str, Folded]],
    dict[str, SegmentState],
    dict[str, tuple[int, int, Any]],
    dict[str, tuple[int, int, bool]],
]
_Stored = tuple[
    int,
    int | None,
    int | None,
    _Runs,
    dict[str, _Runs],
    _PackedRuns,
    dict[str, _PackedRuns],
    _Rest,
]
_Earlier = tuple[
    int,
    int | None,
    int | None,
    _PackedRuns,
    dict[str, _PackedRuns],
    dict[str, dict[str, Folded]],
    dict[str, SegmentState],
    dict[str, tuple[int, int, Any]],
    dict[str, tuple[int, int, bool]],
]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode
_decode_earlier = msgspec.msgpack.Decoder(_Earlier).decode
_decode_any = msgspec.msgpack.Decoder(tuple[Any, ...]).decode


class UnreadableState(Exception):
    """A stored state was written by a newer version, or is damaged."""


def encode(state: ProfileState) -> bytes:
    """Write a state."""
    streams, long = _parted(state.streams)
    keyed, long_keyed = state.keyed, {}
    if keyed:
        parted = {key: _parted(runs) for key, runs in keyed.items()}
        keyed = {key: runs for key, (runs, _) in parted.items()}
        long_keyed = {key: packed for key, (_, packed) in parted.items() if packed}
    folded = state.folded
    if folded:
        folded = {key: groups for key, groups in folded.items() if groups}
    plain = _encode(
        (
            FORMAT,
            state.clock,
            state.born_at,
            streams,
            keyed,
            long,
            long_keyed,
            (folded, state.segments, state.traits, state.tags),
        )
    )
    return plain if len(plain) < _LARGE else _compressed(plain)


def decode(stored: bytes) -> ProfileState:
    """Read a state. Raises UnreadableState."""
    if stored[:1] == _MARK:
        stored = _uncompressed(stored)
    try:
        version, clock, born_at, streams, keyed, long, long_keyed, rest = _decode(stored)
    except _DAMAGED as error:
        return _decoded_earlier(stored, error)
    if version != FORMAT:
        raise _unknown(version)
    if long or long_keyed:
        _put_back(streams, long)
        for key, packed in long_keyed.items():
            _put_back(keyed[key], packed)
    folded, segments, traits, tags = rest
    return ProfileState(clock, born_at, streams, keyed, folded, segments, traits, tags)


def _compressed(plain: bytes) -> bytes:
    block: bytes = lz4.block.compress(plain)  # begins with the size
    return _MARK + block if len(block) < len(plain) else plain


def _uncompressed(stored: bytes) -> bytes:
    size = int.from_bytes(stored[1:_HEAD], "little")
    try:
        if size > len(stored) * _MOST_RATIO:
            raise ValueError(f"{len(stored)} bytes cannot hold {size}")
        plain: bytes = lz4.block.decompress(memoryview(stored)[1:])
    except (lz4.block.LZ4BlockError, ValueError) as error:
        raise UnreadableState(f"a stored state cannot be read: {error}") from error
    return plain


def _parted(runs: _Runs) -> tuple[_Runs, _PackedRuns]:
    """Runs to be written as they are, and the packed ones of those that are long."""
    long = {key: pack(*run) for key, run in runs.items() if len(run.times) >= _LONG}
    return ({**runs, **dict.fromkeys(long, EMPTY)} if long else runs), long


def _put_back(runs: _Runs, long: Mapping[str, Packed]) -> None:
    for key, packed in long.items():
        runs[key] = Run(*unpack(packed))


def _decoded_earlier(stored: bytes, error: Exception) -> ProfileState:
    """Reads what an earlier version has written, in which all runs were packed."""
    try:
        version = _decode_any(stored)[:1]
        if version and version[0] not in (*_EARLIER, FORMAT):
            raise _unknown(version[0])
        _, clock, born_at, streams, keyed, folded, segments, traits, tags = _decode_earlier(stored)
    except _DAMAGED:
        raise UnreadableState(f"a stored state cannot be read: {error}") from error
    return ProfileState(
        clock,
        born_at,
        {key: Run(*unpack(packed)) for key, packed in streams.items()},
        {
            key: {group: Run(*unpack(packed)) for group, packed in runs.items()}
            for key, runs in keyed.items()
        },
        folded,
        segments,
        traits,
        tags,
    )


def _unknown(version: object) -> UnreadableState:
    return UnreadableState(
        f"a stored state has format {version}, known are {_EARLIER[0]} to {FORMAT}"
    )
