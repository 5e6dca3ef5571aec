"""Which write key a request bears, and which workspace it opens."""

import base64
import binascii

from hairspring.runtime.access import Access
from hairspring.runtime.errors import Unauthenticated
from hairspring.runtime.keys import Scope
from hairspring.runtime.limits import Limits
from hairspring.runtime.scopes import check
from hairspring.runtime.workspaces import DEFAULT

NO_KEY = (
    "there is no write key in this request: give it as the name in Basic authorization, as a "
    "Bearer token, or as writeKey; whoever runs this Hairspring makes one with "
    "`hairspring keys create --scope write`"
)


class Entrance:
    """Lets in whoever has a key for writing, as often as the key may."""

    def __init__(self, access: Access, limits: Limits) -> None:
        self._access = access
        self._limits = limits

    async def workspace_of(self, key: str, events: int = 0) -> str:
        """Answer the workspace of a write key, and count events against it.

        Raises Unauthenticated, Forbidden, Exhausted or Unavailable.
        """
        try:
            caller = await self._access.caller_of(key)
        except Unauthenticated:
            if key:
                raise
            raise Unauthenticated(NO_KEY) from None
        check(caller, Scope.WRITE)
        if events:
            self._limits.take(caller, events)
        return caller.workspace or DEFAULT


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
