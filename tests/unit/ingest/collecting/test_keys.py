"""Where a request bears its write key."""

from __future__ import annotations

import base64

import pytest
from hairspring.services.ingest.collecting.keys import write_key


def basic(text: str) -> str:
    """Basic authorization."""
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "query", "body", "key"),
    [
        (basic("k1:"), "", "other", "k1"),
        (basic("k1"), "", "", "k1"),
        (basic("k1:").rstrip("="), "", "", "k1"),
        (basic("k1:").replace("Basic", "basic"), "", "", "k1"),
        ("", "k2", "k3", "k2"),
        ("", "", "k3", "k3"),
        ("Bearer token", "", "k3", "k3"),
        ("Bearer k4", "", "", "k4"),
        ("Basic !!!", "", "k3", "k3"),
        ("Basic", "", "", ""),
        ("Digest x", "", "", ""),
        ("", "", "", ""),
    ],
)
def test_where_a_key_is_found(authorization: str, query: str, body: str, key: str) -> None:
    """Basic counts first, with or without the colon; a Bearer token where there is nothing else."""
    assert write_key(authorization, query, body) == key
