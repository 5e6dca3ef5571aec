"""Ports that are given out are free, and each is given once."""

from __future__ import annotations

from hairspring.embedded.ports import free_port


def test_nobody_is_given_the_port_of_another() -> None:
    """Whoever asked need not listen yet: for a while the port is theirs all the same."""
    given = [free_port() for _ in range(900)]

    assert len(set(given)) == len(given)
