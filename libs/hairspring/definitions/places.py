"""Where a place inside a scalar is in its file.

An expression or a template knows its own lines and columns. Where the scalar is written so that
these can be found again (on one line, or as a block with `|`), the place in the file is exact;
otherwise it is where the scalar begins.
"""

from hairspring.definitions.yaml_nodes import Scalar


def inside(text: str, scalar: Scalar, line: int, column: int) -> tuple[int, int]:
    """The line and column, from 1, in the file `text` of those inside the scalar's value."""
    start = scalar.start
    written = text[start.index : scalar.end]
    if written == scalar.value and line == 1:
        return start.line, start.column + column - 1
    if written[1:-1] == scalar.value and line == 1:
        return start.line, start.column + column
    if written.startswith("|"):
        there, here = written.split("\n"), scalar.value.split("\n")
        if line < len(there) and line <= len(here):
            full, part = there[line].rstrip("\r"), here[line - 1]
            if full.endswith(part):
                return start.line + line, len(full) - len(part) + column
    return start.line, start.column
