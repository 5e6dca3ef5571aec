"""How long a message waits before it is tried again."""

from __future__ import annotations

from hashlib import blake2b

FIRST_MS = 1_000
LONGEST_MS = 60_000
GIVE_UP_AFTER_MS = 3 * 24 * 3_600_000
"""A message that could not be handed over this long after it was due is given up."""


def pause_ms(message_id: str, attempt: int) -> int:
    """Answer the pause in ms after this attempt (from 1): doubling from 1 s to a minute.

    Up to a quarter is taken off by a hash of message and attempt, so that messages that failed
    together do not come back together, and the same question has the same answer.
    """
    doubled = min(LONGEST_MS, FIRST_MS << min(max(attempt, 1) - 1, 16))
    return doubled - doubled * _fraction(message_id, attempt) // (4 * 65_536)


def _fraction(message_id: str, attempt: int) -> int:
    digest = blake2b(f"{message_id}/{attempt}".encode(), digest_size=2).digest()
    return int.from_bytes(digest, "big")


def gives_up(due_at: int, now: int) -> bool:
    """Tell whether a message due at `due_at` is too old to be tried again at `now` (ms, UTC)."""
    return now - due_at >= GIVE_UP_AFTER_MS
