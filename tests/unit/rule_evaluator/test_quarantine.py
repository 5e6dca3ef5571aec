"""What an owner knows of the profiles of which something is set aside."""

from __future__ import annotations

from typing import Any

from hairspring.services.rule_evaluator.quarantine import Quarantine
from hairspring.store.port import Effects, Key
from hairspring.store.quarantine import SetAside, What

ANNA, BEA = Key(1, "default", "anna"), Key(1, "default", "bea")


def _aside(key: Key, *, holds: bool) -> SetAside:
    return SetAside(
        key=key,
        position=7,
        what=What.EVENT,
        holds=holds,
        plan_version=1,
        error_type="OverflowError",
        error_message="too large",
        traceback="...",
        tries=3,
        failed_at=1_000,
    )


def test_of_a_profile_that_became_part_of_another_nothing_is_set_aside() -> None:
    """Whether it was held or not, and also where something was set aside in that very turn."""
    store: Any = None
    quarantine = Quarantine([1], {}, store=store, clock=lambda: 1_000)
    quarantine.committed(
        Effects(
            owned={},
            position=7,
            set_aside=[_aside(ANNA, holds=False), _aside(BEA, holds=True)],
        )
    )
    assert (len(quarantine), quarantine.held) == (2, {BEA})

    quarantine.committed(
        Effects(owned={}, position=9, set_aside=[_aside(ANNA, holds=True)], gone=[ANNA, BEA])
    )
    assert (len(quarantine), quarantine.held) == (0, set())
