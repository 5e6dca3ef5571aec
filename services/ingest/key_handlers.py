"""Answers the calls of KeyService over the table of keys."""

import secrets
from typing import Any

from hairspring.contracts.key.v1 import key_pb2, key_service_pb2_grpc
from hairspring.contracts.key.v1 import key_service_pb2 as contract
from hairspring.runtime.clock import Clock
from hairspring.runtime.errors import InvalidInput
from hairspring.runtime.keys import hash_of, make_token, scopes_of
from hairspring.runtime.logging import get_logger
from hairspring.runtime.looking_up import scope_names, scopes_to_contract
from hairspring.runtime.workspaces import workspace_of
from hairspring.services.ingest.adapters.keys import Key, KeyTable
from hairspring.wire.times import set_ms

MOST_HASHES = 1_000
MAX_NAME = 100
MOST_PER_SECOND = 10_000_000


class KeyHandlers(key_service_pb2_grpc.KeyServiceServicer):
    """The calls by which keys are made, listed, revoked and looked up."""

    def __init__(self, keys: KeyTable, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    async def CreateKey(
        self, request: contract.CreateKeyRequest, context: Any
    ) -> contract.CreateKeyResponse:
        """Make a key, and tell its token this once."""
        token = make_token()
        key = Key(
            key_id="key-" + secrets.token_hex(6),
            workspace=workspace_of(request.workspace_id),
            name=_name(request.name),
            scopes=scopes_of(scope_names(request.scopes)),
            events_per_second=_rate(request.events_per_second),
            created_at=self._clock(),
        )
        await self._keys.create(key, hash_of(token))
        get_logger().info("key_created", key_id=key.key_id, workspace=key.workspace)
        return contract.CreateKeyResponse(key=to_contract(key), token=token)

    async def ListKeys(
        self, request: contract.ListKeysRequest, context: Any
    ) -> contract.ListKeysResponse:
        """List keys, without what opens."""
        found = await self._keys.list(
            workspace_of(request.workspace_id), with_revoked=request.with_revoked
        )
        return contract.ListKeysResponse(keys=map(to_contract, found))

    async def RevokeKey(
        self, request: contract.RevokeKeyRequest, context: Any
    ) -> contract.RevokeKeyResponse:
        """Revoke a key."""
        key = await self._keys.revoke(
            workspace_of(request.workspace_id), request.key_id, self._clock()
        )
        get_logger().info("key_revoked", key_id=key.key_id, workspace=key.workspace)
        return contract.RevokeKeyResponse(key=to_contract(key))

    async def LookUpKeys(
        self, request: contract.LookUpKeysRequest, context: Any
    ) -> contract.LookUpKeysResponse:
        """Find the keys that are good."""
        if len(request.hashes) > MOST_HASHES:
            raise InvalidInput(
                f"{len(request.hashes)} hashes; at most {MOST_HASHES} in one call", field="hashes"
            )
        answer = contract.LookUpKeysResponse()
        for hashed, caller in (await self._keys.look_up(request.hashes)).items():
            found = answer.found.add(hash=hashed)
            found.key.key_id = caller.key_id
            found.key.workspace_id = caller.workspace or ""
            found.key.scopes.extend(scopes_to_contract(caller.scopes))
            found.key.events_per_second = caller.events_per_second
        return answer


def to_contract(key: Key) -> key_pb2.Key:
    """Translate a key."""
    out = key_pb2.Key(
        key_id=key.key_id,
        workspace_id=key.workspace,
        name=key.name,
        scopes=scopes_to_contract(key.scopes),
        events_per_second=key.events_per_second,
    )
    set_ms(out.create_time, key.created_at)
    if key.revoked_at is not None:
        set_ms(out.revoke_time, key.revoked_at)
    return out


def _name(said: str) -> str:
    if not said.strip() or len(said) > MAX_NAME or not said.isprintable():
        raise InvalidInput(
            f"name says what the key is for, in up to {MAX_NAME} printable characters",
            field="name",
        )
    return said


def _rate(said: int) -> int:
    if not 0 <= said <= MOST_PER_SECOND:
        raise InvalidInput(
            f"events_per_second is {said}; it can be 0 to {MOST_PER_SECOND:,}",
            field="events_per_second",
        )
    return said
