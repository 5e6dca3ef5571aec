"""The server-side functions of the delay queue, each between the parts that all of them share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A Lua script and the digest by which a server remembers it."""

    source: str
    digest: str


def load(name: str) -> Script:
    """Read a script of this package."""
    folder = resources.files(__package__) / "lua"
    parts = ("common", name, "each")
    source = "".join((folder / f"{part}.lua").read_text("utf-8") for part in parts)
    digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    return Script(source=source, digest=digest)


SCHEDULE = load("schedule")
CANCEL = load("cancel")
CLAIM = load("claim")
ACK = load("ack")
RELEASE = load("release")
TAKE = load("take")
BEGIN = load("begin")
COMPLETE = load("complete")
