"""How the store names a profile."""

from typing import NamedTuple


class Key(NamedTuple):
    """Names a profile, its shard first."""

    shard: int
    workspace: str
    profile: str
