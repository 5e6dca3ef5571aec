"""Which shard a profile belongs to."""

from __future__ import annotations

from hashlib import blake2b

DEFAULT_SHARD_COUNT = 256


def shard_of(workspace: str, profile: str, count: int) -> int:
    """Answer the shard of a profile, from 0 to `count` - 1, the same on every machine forever."""
    digest = blake2b(digest_size=8)
    for part in (workspace.encode(), profile.encode()):
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return int.from_bytes(digest.digest(), "big") % count
