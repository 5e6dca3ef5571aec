"""Keys, what they allow, and the workspace that a request may name."""

from __future__ import annotations

import pytest
from hairspring.contracts.event.v1 import event_log_service_pb2 as log
from hairspring.contracts.event.v1 import event_service_pb2 as contract
from hairspring.runtime import keys, scopes
from hairspring.runtime.errors import Forbidden, InvalidInput
from hairspring.runtime.keys import ANYBODY, SERVICE, Caller, Scope
from hairspring.runtime.workspaces import workspace_of


def caller(*allowed: Scope, workspace: str | None = "shop") -> Caller:
    """A caller with a key for some scopes."""
    return Caller(key_id="key-1", workspace=workspace, scopes=frozenset(allowed))


@pytest.mark.parametrize(
    ("who", "may"),
    [
        (caller(Scope.WRITE), {"write"}),
        (caller(Scope.READ), {"read"}),
        (caller(Scope.READ, Scope.WRITE), {"read", "write"}),
        (caller(Scope.ADMIN), {"read", "write", "admin"}),
        (SERVICE, {"read", "write", "admin", "service"}),
        (ANYBODY, {"read", "write", "admin", "service"}),
    ],
)
def test_what_a_key_allows(who: Caller, may: set[str]) -> None:
    """Each scope allows itself; admin the other two as well; what is for services, no key."""
    assert {scope.value for scope in Scope if who.may(scope)} == may
    for scope in Scope:
        if scope.value not in may:
            with pytest.raises(Forbidden):
                scopes.check(who, scope)


def test_a_request_concerns_the_callers_workspace() -> None:
    """It is written into the request, so that no handler has to think of it."""
    request = contract.TrackEventRequest()
    scopes.settle(caller(Scope.WRITE), request)
    assert request.workspace_id == "shop"
    scopes.settle(caller(Scope.WRITE), request)
    for other in ("default", "rival"):
        with pytest.raises(Forbidden, match="no other"):
            scopes.settle(caller(Scope.ADMIN), contract.TrackEventRequest(workspace_id=other))


def test_services_name_any_workspace() -> None:
    """What they leave empty stays empty; a name that cannot be one is refused."""
    for said in ("", "rival"):
        request = contract.TrackEventRequest(workspace_id=said)
        scopes.settle(SERVICE, request)
        assert request.workspace_id == said
    with pytest.raises(InvalidInput):
        scopes.settle(SERVICE, contract.TrackEventRequest(workspace_id="no such thing"))
    scopes.settle(caller(Scope.READ), log.ReachBarrierRequest())


@pytest.mark.parametrize("name", ["Shop", "-shop", "a" * 64, "a b", "ä", "a/b", " "])
def test_what_cannot_be_a_workspace(name: str) -> None:
    """Small letters, digits, - and _, at most 63 of them."""
    with pytest.raises(InvalidInput):
        workspace_of(name)
    assert workspace_of("") == "default"
    assert workspace_of("shop-2_x") == "shop-2_x"


def test_tokens_are_told_apart_and_read() -> None:
    """Each is new; a Bearer token is found in whatever case its scheme is written."""
    made = {keys.make_token() for _ in range(100)}
    assert len({keys.hash_of(token) for token in made}) == 100
    assert all(token.startswith("hs_") and len(token) == 43 for token in made)
    assert keys.bearer("Bearer x") == keys.bearer("bearer  x ") == "x"
    assert keys.bearer("Basic x") == keys.bearer("") == keys.bearer("Bearer") == ""


def test_tokens_of_a_deployment_follow_one_another() -> None:
    """The first is shown, all are good, and none may be short."""
    assert keys.service_tokens(f"{'a' * 20}, {'b' * 20},") == ["a" * 20, "b" * 20]
    assert keys.service_tokens("") == []
    with pytest.raises(ValueError, match="at random"):
        keys.service_tokens("short")


def test_events_are_counted() -> None:
    """A batch counts as many as it has, anything else as one."""
    assert scopes.events_in(contract.BatchTrackEventsRequest(events=[{}, {}])) == 2
    assert scopes.events_in(contract.TrackEventRequest()) == 1
