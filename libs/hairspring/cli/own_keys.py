"""The keys that `up` makes for itself, so that nobody has to type one on this machine."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import grpc.aio
import orjson

from hairspring.cli.addresses import write_private
from hairspring.contracts.access.v1 import access_pb2
from hairspring.contracts.key.v1 import key_service_pb2 as service_pb
from hairspring.contracts.key.v1.key_service_pb2_grpc import KeyServiceStub
from hairspring.embedded.errors import EmbeddedError
from hairspring.runtime.client import open_channel
from hairspring.runtime.keys import hash_of, service_tokens

_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnKeys:
    """What a data directory holds: tokens, all empty where Hairspring does without keys."""

    #: What the services show each other, and commands that concern the whole deployment.
    service_token: str = ""
    #: What commands show: it may do everything in the workspace `default`.
    key: str = ""
    #: For SDKs: it may record events.
    write_key: str = ""


def begin(data: Path, told: str) -> OwnKeys:
    """Read the keys of a data directory; `told` is the deployment's token, if a setting says one.

    Where there is none, one is made.
    """
    kept = _read(data)
    try:
        given = service_tokens(told)
    except ValueError as error:
        raise EmbeddedError(f"HAIRSPRING_SERVICE_TOKEN cannot be used: {error}") from None
    token = given[0] if given else kept.service_token or secrets.token_hex(24)
    keys = replace(kept, service_token=token)
    _write(data, replace(keys, service_token="" if given else token))
    return keys


async def complete(data: Path, keys: OwnKeys, ingest: str) -> OwnKeys:
    """Make what keys are missing, or open nothing any more, at a running ingest."""
    async with open_channel(ingest, keys.service_token) as channel:
        stub = KeyServiceStub(channel)
        try:
            good = await _good(stub, [keys.key, keys.write_key])
            if keys.key not in good:
                keys = replace(keys, key=await _create(stub, "hairspring up: commands", "ADMIN"))
            if keys.write_key not in good:
                made = await _create(stub, "hairspring up: SDKs", "WRITE")
                keys = replace(keys, write_key=made)
        except grpc.aio.AioRpcError as error:
            raise EmbeddedError(f"no keys could be made: {error.details()}") from None
    kept = _read(data)
    _write(data, replace(keys, service_token=kept.service_token))
    return keys


async def _good(stub: KeyServiceStub, tokens: Sequence[str]) -> set[str]:
    hashes = {hash_of(token): token for token in tokens if token}
    answer = await stub.LookUpKeys(
        service_pb.LookUpKeysRequest(hashes=hashes), timeout=_SECONDS, wait_for_ready=True
    )
    return {hashes[found.hash] for found in answer.found if found.key.workspace_id == "default"}


async def _create(stub: KeyServiceStub, name: str, scope: str) -> str:
    answer = await stub.CreateKey(
        service_pb.CreateKeyRequest(name=name, scopes=[access_pb2.Scope.Value(f"SCOPE_{scope}")]),
        timeout=_SECONDS,
    )
    return str(answer.token)


def _file(data: Path) -> Path:
    return data / "keys.json"


def _read(data: Path) -> OwnKeys:
    """Read what is kept; what is missing or damaged is made anew."""
    try:
        return OwnKeys(**orjson.loads(_file(data).read_bytes()))
    except (OSError, ValueError, TypeError):
        return OwnKeys()


def _write(data: Path, keys: OwnKeys) -> None:
    write_private(_file(data), orjson.dumps(asdict(keys)))
