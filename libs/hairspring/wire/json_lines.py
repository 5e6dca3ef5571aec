"""JSON lines, gathered to pieces that fit into one message of a stream."""

from collections.abc import AsyncIterator
from typing import Any

import orjson

PIECE_BYTES = 256 * 1024
"""About how much goes into one piece; one line alone may be longer."""


async def pieces(lines: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    """Write lines, each ended by a line feed, and give them some at a time."""
    piece = bytearray()
    async for line in lines:
        piece += orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)
