"""Takes a batch apart without reading its calls, so that one that is no JSON harms no other. Pure.

Used only where the whole could not be read.
"""

import re

# Possessive, and ending a text that has no end: so that the time is in line with the length.
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?P<end>"?)|[\[\]{},]', re.DOTALL)
_LIST = b'"batch"'


def split(data: bytes) -> tuple[bytes, list[bytes]] | None:
    """Answer the envelope of a batch with an empty list, and its calls, all as they are written.

    None where the brackets do not close, or where there is no list of the name `batch`.
    """
    depth, key = 0, b""
    begin = end = start = -1
    parts: list[bytes] = []
    for match in _TOKENS.finditer(data):
        token = match[0]
        if token[:1] == b'"':
            if not match["end"]:
                return None
            key = token if depth == 1 else key
        elif token in b"{[":
            depth += 1
            if depth == 2 and token == b"[" and key == _LIST and begin < 0:
                begin = start = match.end()
        elif token == b",":
            if depth == 2 and begin >= 0 > end:
                parts.append(data[start : match.start()])
                start = match.end()
            key = b"" if depth == 1 else key
        else:
            depth -= 1
            if depth == 1 and begin >= 0 > end:
                end = match.start()
                parts.append(data[start:end])
    if depth or end < 0:
        return None
    empty = len(parts) == 1 and not parts[0].strip()
    return data[:begin] + data[end:], [] if empty else parts
