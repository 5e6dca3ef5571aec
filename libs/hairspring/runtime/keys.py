"""Keys: what somebody may do who bears one, and what the tokens of keys look like. Pure."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from hairspring.runtime.errors import InvalidInput

PREFIX = "hs_"
"""What every token of ours begins with, so that people and scanners know it when it leaks."""

LONGEST_TOKEN = 500
"""The most characters that are looked at; whatever is longer is none of ours."""

SHORTEST_SERVICE_TOKEN = 20


class Scope(Enum):
    """What a key allows, within its workspace."""

    WRITE = "write"  #: Recording events; such a key may be public.
    READ = "read"  #: Reading what is recorded, and what came of it.
    ADMIN = "admin"  #: Changing definitions and keys; allows the two above as well.
    SERVICE = "service"  #: What services ask each other; allows everything, in every workspace.


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: whose key it is, which workspace it opens (None: every one), and for what.

    `events_per_second` is how many may be recorded with it; 0 for the limit of the deployment.
    """

    key_id: str
    workspace: str | None
    scopes: frozenset[Scope]
    events_per_second: int = 0

    def may(self, scope: Scope) -> bool:
        """Tell whether the key is good for calls of a scope."""
        if scope in self.scopes or Scope.SERVICE in self.scopes:
            return True
        return scope is not Scope.SERVICE and Scope.ADMIN in self.scopes


SERVICE = Caller(key_id="service", workspace=None, scopes=frozenset({Scope.SERVICE}))
"""Another service of the deployment, or whoever runs it."""

ANYBODY = Caller(key_id="", workspace=None, scopes=frozenset({Scope.SERVICE}))
"""Whoever calls where a deployment does without keys."""


def make_token(random: Callable[[int], str] = secrets.token_hex) -> str:
    """Make a new token, of 160 random bits, that can stand in a URL and be selected by a click."""
    return PREFIX + random(20)


def hash_of(token: str) -> bytes:
    """Answer what is kept of a token: it has so many random bits that a plain hash guards it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def bearer(authorization: str) -> str:
    """Answer the token in `Bearer TOKEN`, empty where there is none."""
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def service_tokens(setting: str) -> list[str]:
    """Read the tokens of a deployment, of which the first is the one to show to others.

    Several, parted by commas, are all good: so one can follow another without a pause. Raises
    ValueError for one that is short enough to be guessed.
    """
    tokens = [token.strip() for token in setting.split(",") if token.strip()]
    for token in tokens:
        if len(token) < SHORTEST_SERVICE_TOKEN or not token.isascii() or not token.isprintable():
            raise ValueError(
                f"a token must have at least {SHORTEST_SERVICE_TOKEN} letters and digits, chosen "
                "at random"
            )
    return tokens


def scopes_of(names: Sequence[str]) -> frozenset[Scope]:
    """Read scopes that people may give to a key. Raises InvalidInput."""
    given = [scope.value for scope in (Scope.WRITE, Scope.READ, Scope.ADMIN)]
    wrong = [name for name in names if name not in given]
    if wrong or not names:
        said = repr(wrong[0][:40]) if wrong else "nothing"
        raise InvalidInput(
            f"the scopes of a key are {', '.join(given)}, not {said}", field="scopes"
        )
    return frozenset(map(Scope, names))
