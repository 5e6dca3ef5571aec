"""Finds out who calls, by the token that is shown; what was found holds for some seconds.

So a call costs a look into memory, and a revoked key opens nothing any more within `FRESH_SECONDS`.
While keys cannot be looked up, what was found last holds for up to `STALE_SECONDS`.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from hairspring.runtime.errors import Exhausted, Unauthenticated, Unavailable
from hairspring.runtime.keys import ANYBODY, LONGEST_TOKEN, SERVICE, Caller, hash_of
from hairspring.runtime.logging import get_logger
from hairspring.runtime.scopes import no_key

FRESH_SECONDS = 3.0
"""How old an answer may be and be used without asking again."""

STALE_SECONDS = 60.0
"""How old it may be while nobody can be asked."""

PAUSE_SECONDS = 1.0
"""How long nobody is asked again about a known key after that was in vain."""

LOOK_UP_SECONDS = 2.0
MOST_KNOWN = 10_000
MOST_ASKED = 2_000
AT_ONCE = 500

WRONG = (
    "this key opens nothing: it was revoked, or mistyped, or is for another Hairspring; "
    "`hairspring keys list` tells which there are"
)

LookUp = Callable[[Sequence[bytes]], Awaitable[Mapping[bytes, Caller]]]
"""Finds whose tokens have these hashes; those that open nothing are left out."""


class Access(Protocol):
    """Answers who bears a token."""

    async def caller_of(self, token: str) -> Caller:
        """Raise Unauthenticated for a token that opens nothing, Unavailable or Exhausted."""
        ...


class Open:
    """Access where a deployment does without keys: anybody may do anything."""

    async def caller_of(self, token: str) -> Caller:
        """Let anybody in."""
        return ANYBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a token was found to open, when that was, and until when nobody need be asked."""

    caller: Caller | None
    found_at: float
    good_until: float


class KeyAccess:
    """Access by keys, which `look_up` knows, and by the tokens of the deployment itself.

    Many callers share one question; what is known is bounded, and a flood of tokens that open
    nothing drives out no token that does.
    """

    def __init__(
        self,
        service_tokens: Sequence[str],
        look_up: LookUp,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._services = {hash_of(token) for token in service_tokens}
        self._look_up = look_up
        self._now = monotonic
        self._good: OrderedDict[bytes, _Known] = OrderedDict()
        self._bad: OrderedDict[bytes, _Known] = OrderedDict()
        self._asked: dict[bytes, asyncio.Future[Caller | None]] = {}
        self._waiting: list[bytes] = []
        self._asking: asyncio.Task[None] | None = None
        self._log = get_logger()

    async def caller_of(self, token: str) -> Caller:
        """Answer who bears a token. Raises Unauthenticated, Unavailable or Exhausted."""
        if not token:
            raise no_key()
        if len(token) > LONGEST_TOKEN:
            raise Unauthenticated(WRONG)
        digest = hash_of(token)
        if digest in self._services:
            return SERVICE
        known = self._good.get(digest) or self._bad.get(digest)
        if known is not None and self._now() < known.good_until:
            return _opened(known.caller)
        try:
            return _opened(await self._ask(digest))
        except (Unavailable, Exhausted):
            now = self._now()
            if known is None or now > known.found_at + STALE_SECONDS:
                raise
        self._keep(digest, replace(known, good_until=now + PAUSE_SECONDS))
        return _opened(known.caller)

    async def _ask(self, digest: bytes) -> Caller | None:
        """Have a token looked up, together with those that others ask for meanwhile."""
        asked = self._asked.get(digest)
        if asked is None:
            if len(self._asked) >= MOST_ASKED:
                raise Exhausted("too many unknown keys come at once; try again", retry_ms=1_000)
            asked = self._asked[digest] = asyncio.get_running_loop().create_future()
            self._waiting.append(digest)
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask_all(), name="look-up-keys")
        return await asyncio.shield(asked)

    async def _ask_all(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            error: Unavailable | None = None
            found: Mapping[bytes, Caller] = {}
            try:
                async with asyncio.timeout(LOOK_UP_SECONDS):
                    found = await self._look_up(some)
            except Exception as failure:
                self._log.warning("keys_not_looked_up", error=repr(failure)[:300])
                error = Unavailable("keys cannot be looked up just now; try again")
            now = self._now()
            for digest in some:
                asked = self._asked.pop(digest)
                if error is None:
                    caller = found.get(digest)
                    self._keep(
                        digest,
                        _Known(caller=caller, found_at=now, good_until=now + FRESH_SECONDS),
                    )
                    asked.set_result(caller)
                else:
                    asked.set_exception(error)
                    asked.exception()  # Whoever asked may have gone.

    def _keep(self, digest: bytes, known: _Known) -> None:
        """Remember what was found; what was used least recently is forgotten first."""
        into, other = (self._good, self._bad) if known.caller else (self._bad, self._good)
        other.pop(digest, None)
        into[digest] = known
        into.move_to_end(digest)
        if len(into) > MOST_KNOWN:
            into.popitem(last=False)


def _opened(caller: Caller | None) -> Caller:
    if caller is None:
        raise Unauthenticated(WRONG)
    return caller
