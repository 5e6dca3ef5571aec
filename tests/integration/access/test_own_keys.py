"""The keys that `up` makes for itself, and keeps in its data directory."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hairspring.cli import own_keys
from hairspring.contracts.key.v1 import key_service_pb2
from hairspring.contracts.key.v1.key_service_pb2_grpc import KeyServiceStub
from hairspring.embedded.errors import EmbeddedError
from hairspring.runtime.client import open_channel

from tests.integration.ingest.running import ingest
from tests.support.cluster import TOKEN


async def test_keys_are_made_once_and_again_where_they_open_nothing(
    database_url: str, tmp_path: Path
) -> None:
    """A later `up` has the same keys, and makes anew only what was revoked meanwhile."""
    async with ingest(database_url, auth="on", service_token=TOKEN) as service:
        begun = own_keys.begin(tmp_path, TOKEN)
        made = await own_keys.complete(tmp_path, begun, service.address)
        again = await own_keys.complete(tmp_path, own_keys.begin(tmp_path, TOKEN), service.address)
        async with open_channel(service.address, made.key) as channel:
            stub = KeyServiceStub(channel)
            listed = await stub.ListKeys(key_service_pb2.ListKeysRequest(), timeout=20)
            [of_sdks] = [one.key_id for one in listed.keys if "SDKs" in one.name]
            await stub.RevokeKey(key_service_pb2.RevokeKeyRequest(key_id=of_sdks), timeout=20)
        mended = await own_keys.complete(tmp_path, again, service.address)

    assert "" not in (made.key, made.write_key)
    assert again == made
    assert mended.key == made.key
    assert mended.write_key not in ("", made.write_key)


def test_a_token_is_kept_where_none_is_given(tmp_path: Path) -> None:
    """The same for each `up`, for its owner's eyes alone; what is damaged is made anew."""
    token = own_keys.begin(tmp_path, "").service_token
    kept = tmp_path / "keys.json"

    assert token
    assert own_keys.begin(tmp_path, "").service_token == token
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.write_text("{")
    assert own_keys.begin(tmp_path, "").service_token not in ("", token)


def test_a_token_that_is_given_is_not_kept(tmp_path: Path) -> None:
    """It counts before one that was made, and stands in no file; one easily guessed is refused."""
    own_keys.begin(tmp_path, "")

    assert own_keys.begin(tmp_path, f"{TOKEN}, {TOKEN}-of-before").service_token == TOKEN
    assert json.loads((tmp_path / "keys.json").read_text())["service_token"] == ""
    with pytest.raises(EmbeddedError, match="HAIRSPRING_SERVICE_TOKEN cannot be used"):
        own_keys.begin(tmp_path, "guess")
