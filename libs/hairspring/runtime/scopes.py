"""Which scope each call needs, read from the contracts, and whose data a request may name. Pure."""

from collections.abc import Iterable
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.message import Message

from hairspring.contracts.access.v1 import access_pb2
from hairspring.runtime.errors import Forbidden, Unauthenticated
from hairspring.runtime.keys import Caller, Scope
from hairspring.runtime.workspaces import workspace_of

OPEN = ("grpc.health.v1.", "grpc.reflection.")
"""What anybody may call: whether we are well, and the contracts, which are public."""

NO_KEY = (
    "this call needs a key: send it as the metadata `authorization: Bearer TOKEN`; whoever runs "
    "this Hairspring makes one with `hairspring keys create`"
)
_FIELD = "workspace_id"
SCOPES = {
    access_pb2.SCOPE_WRITE: Scope.WRITE,
    access_pb2.SCOPE_READ: Scope.READ,
    access_pb2.SCOPE_ADMIN: Scope.ADMIN,
    access_pb2.SCOPE_SERVICE: Scope.SERVICE,
}


class NoScope(Exception):
    """A call of a contract says of no scope that it needs it."""


def scopes_of(services: Iterable[str]) -> dict[str, Scope]:
    """Answer the scopes of all calls of services, by path (`/package.Service/Call`).

    Raises NoScope for a call that has none: what nobody thought of is not served.
    """
    found: dict[str, Scope] = {}
    for name in services:
        service: Any = descriptor_pool.Default().FindServiceByName(name)
        for method in service.methods:
            said = method.GetOptions().Extensions[access_pb2.scope]
            if said not in SCOPES:
                raise NoScope(f"{method.full_name} has no scope; give it one in its proto")
            found[f"/{name}/{method.name}"] = SCOPES[said]
    return found


def is_open(path: str) -> bool:
    """Tell whether anybody may make a call."""
    return path.startswith(OPEN, 1)


def check(caller: Caller, scope: Scope) -> None:
    """Check that a caller may make calls of a scope. Raises Forbidden."""
    if not caller.may(scope):
        has = ", ".join(sorted(one.value for one in caller.scopes))
        raise Forbidden(
            f"this call needs a key with the scope {scope.value}, and this one has {has}"
            if scope is not Scope.SERVICE
            else "this call is for the services of the deployment: it needs its service token",
            key_id=caller.key_id,
        )


def settle(caller: Caller, request: Message) -> None:
    """Write into a request which workspace it concerns: its caller's, if that has but one.

    With the token of the deployment it stays as it is. Raises Forbidden for another one.
    """
    said = getattr(request, _FIELD, None)
    if said is None:
        return
    if said:
        workspace_of(said)
    if caller.workspace is None or said == caller.workspace:
        return
    if said:
        raise Forbidden(
            f"this key opens the workspace {caller.workspace!r} and no other; leave workspace_id "
            "empty",
            key_id=caller.key_id,
        )
    setattr(request, _FIELD, caller.workspace)


def events_in(request: Message) -> int:
    """Answer how many events a request brings, as far as limits are concerned: at least one."""
    return max(1, len(getattr(request, "events", ())))


def no_key() -> Unauthenticated:
    """What a call is answered that bears no key."""
    return Unauthenticated(NO_KEY)
