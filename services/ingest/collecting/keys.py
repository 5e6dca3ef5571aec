"""Which write key a request bears, and which workspace it opens."""

import base64
import binascii
from collections.abc import Awaitable, Callable

from hairspring.runtime.errors import Problem
from hairspring.services.ingest.workspaces import DEFAULT

Workspaces = Callable[[str], Awaitable[str]]
"""Answers the workspace of a write key. Raises UnknownKey."""


class UnknownKey(Problem):
    """The write key opens no workspace."""


async def workspace_of_key(key: str) -> str:
    """Answer the workspace of a write key: for now `default` for every key, and for none."""
    return DEFAULT


def write_key(authorization: str, query: str, body: str) -> str:
    """Find the write key: in Basic authorization, the query, the body, or as a Bearer token."""
    scheme, _, credentials = authorization.strip().partition(" ")
    if scheme.lower() == "basic" and (key := _user_of(credentials.strip())):
        return key
    if query or body:
        return query or body
    return credentials.strip() if scheme.lower() == "bearer" else ""


def _user_of(credentials: str) -> str:
    """Answer the name in Basic credentials, with or without the colon behind it."""
    try:
        decoded = base64.b64decode(credentials + "=" * (-len(credentials) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""
    return decoded.partition(":")[0]
