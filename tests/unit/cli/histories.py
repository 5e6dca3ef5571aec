"""Small histories in files, most of it as good shops send it and some of it odd."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

NAMES = ("Product Added", "Product Added", "Order Completed", "Product Viewed", "Cart Viewed")


def line(number: int, **changes: object) -> bytes:
    """A line; `number` is its minute."""
    document: dict[str, Any] = {
        "type": "track",
        "messageId": f"m{number}",
        "userId": "ada",
        "event": "Product Added",
        "timestamp": f"2026-05-01T{number // 60:02d}:{number % 60:02d}:00Z",
        **changes,
    }
    return json.dumps(document).encode() + b"\n"


def written(path: Path, lines: list[bytes]) -> Path:
    """A file of these lines."""
    path.write_bytes(b"".join(lines))
    return path


def mixed(random: Random, count: int = 600) -> list[bytes]:
    """Lines in the order of time: repeats, identifies, and lines that are no events."""
    lines: list[bytes] = []
    for number in range(count):
        profile = f"p{random.randrange(12)}"
        event = random.choice(NAMES)
        odd = random.randrange(40)
        if odd == 0:
            lines.append(b"{broken\n")
        elif odd == 1:
            lines.append(line(number, userId=profile, type="identify", traits={"vip": True}))
        elif odd == 2:
            lines.append(line(number, type="group"))
        elif odd == 3 and lines:
            lines.append(random.choice(lines))
        elif odd == 4:
            lines.append(b"\n")
        else:
            lines.append(line(number, userId=profile, event=event, properties={"price": number}))
    return lines
