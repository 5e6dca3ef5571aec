"""Runs of numbers, as they are stored: differences as lists, or all of it as bytes.

A profile's events lie close together and so do their orders, so most differences take five bytes
at most instead of nine. A long run of amounts of money is packed: amounts are whole hundredths,
mostly below 655.36, which take two bytes each where a double takes nine. Packing costs more than
writing as it is, but rows above some 2 kB cost Postgres twice as much as those below.
"""

import sys
from array import array
from collections.abc import Iterable
from itertools import accumulate, repeat
from operator import mul, sub
from typing import Any

Numbers = list[int] | bytes
Packed = tuple[Numbers, Numbers, list[Any] | bytes | None]
"""Times, orders and values."""

#: Shorter runs are left as they are.
_LONG = 32
#: The kinds of arrays, the narrowest first.
_WIDTHS = ((1 << 16, "H"), (1 << 32, "I"), (1 << 64, "Q"))
#: Above it, amounts are left as they are.
_MOST = 42_949_672.0
_START = 9  #: Behind the kind, differences have the first number in eight bytes.


def pack(times: list[int], orders: list[int], values: list[Any] | None) -> Packed:
    """What is stored of a run."""
    hundredths = _hundredths(values)
    if hundredths is None:
        return _differences(times), _differences(orders), values
    return _tight(times), _tight(orders), _bytes(hundredths)


def unpack(packed: Packed) -> tuple[list[int], list[int], list[Any] | None]:
    """The run that was packed."""
    times, orders, values = packed
    if isinstance(values, bytes):
        values = [number / 100 for number in _numbers(values[:1], values[1:])]
    return _sums(times), _sums(orders), values


def _hundredths(values: list[Any] | None) -> list[int] | None:
    """Values that are worth packing, and can be; a negative zero becomes zero."""
    if values is None or len(values) < _LONG or not isinstance(values[0], float):
        return None
    if min(values) < 0.0 or max(values) > _MOST:
        return None
    hundredths = list(map(round, map(mul, values, repeat(100.0))))
    return hundredths if [number / 100 for number in hundredths] == values else None


def _differences(numbers: list[int]) -> list[int]:
    return [*numbers[:1], *map(sub, numbers[1:], numbers)]


def _tight(numbers: list[int]) -> Numbers:
    first, *steps = _differences(numbers)
    if first < 0 or min(steps) < 0:  # a late event has a high order among low ones
        return [first, *steps]
    return _bytes(steps, first.to_bytes(_START - 1, "little"))


def _sums(packed: Numbers) -> list[int]:
    if isinstance(packed, list):
        return list(accumulate(packed))
    first = int.from_bytes(packed[1:_START], "little")
    return list(accumulate(_numbers(packed[:1], packed[_START:]), initial=first))


def _bytes(numbers: list[int], start: bytes = b"") -> bytes:
    most = max(numbers)
    kind = next(kind for limit, kind in _WIDTHS if most < limit)
    return kind.encode() + start + _little(array(kind, numbers)).tobytes()


def _numbers(kind: bytes, stored: bytes) -> Iterable[int]:
    return _little(array(kind.decode(), stored))


def _little(numbers: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
