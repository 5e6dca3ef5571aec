"""`name=value` on the command line: JSON where it parses, text where it does not; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import orjson


def parse(assignments: Sequence[str], option: str) -> dict[str, Any]:
    """Read assignments such as price=20; raises `UsageError` for one without a name."""
    parsed = {}
    for assignment in assignments:
        name, sign, value = assignment.partition("=")
        if not sign or not name.strip():
            raise click.UsageError(f"{option} takes NAME=VALUE, not {assignment!r}.")
        parsed[name.strip()] = _value(value)
    return parsed


def _value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
