"""The shard of a profile."""

from __future__ import annotations

from collections import Counter

from hairspring.log.shards import DEFAULT_SHARD_COUNT, shard_of


def test_a_shard_never_changes() -> None:
    """These values are stored in databases: whoever changes them loses every profile."""
    assert [shard_of("default", p, 256) for p in ("otto-1", "otto-2", "Ümit", "")] == [
        40,
        121,
        114,
        147,
    ]


def test_workspace_and_profile_are_kept_apart() -> None:
    """Moving a letter from one to the other gives another input."""
    pairs = [("a", "bc"), ("ab", "c"), ("abc", ""), ("", "abc")]
    assert len({shard_of(*pair, 2**60) for pair in pairs}) == 4


def test_profiles_are_spread_evenly() -> None:
    """No shard gets much more than its share."""
    counts = Counter(shard_of("default", f"p{i}", DEFAULT_SHARD_COUNT) for i in range(51_200))
    assert len(counts) == 256
    assert max(counts.values()) < 280
    assert min(counts.values()) > 130
