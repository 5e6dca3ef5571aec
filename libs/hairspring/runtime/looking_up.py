"""Looks keys up at ingest, which keeps them: for all other services."""

from collections.abc import Sequence

import grpc

from hairspring.contracts.access.v1 import access_pb2
from hairspring.contracts.key.v1 import key_pb2, key_service_pb2
from hairspring.contracts.key.v1.key_service_pb2_grpc import KeyServiceStub
from hairspring.runtime.access import LOOK_UP_SECONDS, Access, KeyAccess, LookUp, Open
from hairspring.runtime.config import Settings
from hairspring.runtime.keys import Caller, Scope
from hairspring.runtime.scopes import SCOPES

_NAMES: dict["access_pb2.Scope.ValueType", Scope] = {
    number: scope for number, scope in SCOPES.items() if scope is not Scope.SERVICE
}
_NUMBERS = {scope: number for number, scope in _NAMES.items()}
_WORDS = {int(number): scope.value for number, scope in _NAMES.items()}


def access_by(look_up: LookUp, settings: Settings) -> Access:
    """Make the access that the settings ask for."""
    return Open() if settings.auth == "off" else KeyAccess(settings.service_tokens, look_up)


def at_ingest(channel: grpc.aio.Channel) -> LookUp:
    """Look keys up over a channel to ingest, which bears the token of the deployment.

    Until it has answered once it may be starting, and is waited for; later it is told at once
    where it does not answer, since what was found before holds for a while.
    """
    stub = KeyServiceStub(channel)
    has_answered = False

    async def look_up(hashes: Sequence[bytes]) -> dict[bytes, Caller]:
        nonlocal has_answered
        answer = await stub.LookUpKeys(
            key_service_pb2.LookUpKeysRequest(hashes=hashes),
            timeout=LOOK_UP_SECONDS,
            wait_for_ready=not has_answered,
        )
        has_answered = True
        return {found.hash: caller_of(found.key) for found in answer.found}

    return look_up


def caller_of(key: key_pb2.Key) -> Caller:
    """Translate a key; scopes that a newer ingest knows, and we do not, are left out."""
    return Caller(
        key_id=key.key_id,
        workspace=key.workspace_id,
        scopes=frozenset(_NAMES[said] for said in key.scopes if said in _NAMES),
        events_per_second=key.events_per_second,
    )


def scopes_to_contract(scopes: frozenset[Scope]) -> list["access_pb2.Scope.ValueType"]:
    """Translate scopes, in an order of their own."""
    return sorted(_NUMBERS[scope] for scope in scopes)


def scope_names(said: Sequence[int]) -> list[str]:
    """Answer the names of scopes that people may give to a key; others by their numbers."""
    return [_WORDS.get(one, str(one)) for one in said]
