"""One workspace can neither read nor write another's data, by any call there is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from hairspring.embedded.mail import MailSink
from hairspring.runtime.client import open_channel
from hairspring.runtime.scopes import scopes_of

from tests.integration.access.asking import (
    FOR_SERVICES,
    HIDDEN,
    PROFILE,
    READINGS,
    SHOWS_NOTHING,
    WITHOUT_WORKSPACE,
    WRITINGS,
    encoded,
    event,
    says_hidden,
    yaml,
)
from tests.support.cluster import TOKEN, cluster
from tests.support.every_call import Call, every_call
from tests.support.waiting import eventually

CALLS = every_call()
NEEDS = {
    call: scope.value
    for call in CALLS
    for path, scope in scopes_of([f"hairspring.{call.partition('/')[0]}"]).items()
    if path == CALLS[call].path
}
TELLS_TIME = {
    "membership.v1.MembershipService/ExplainMembership",
    "preview.v1.PreviewService/PreviewSegment",
    "privacy.v1.PrivacyService/GetDeletion",
    "event.v1.EventLogService/ReachBarrier",
}
"""Whose answers say when they were given, or how far the log or a deletion is."""


SEEN_BY_WORD = [name for name, reading in READINGS.items() if reading.shows is says_hidden]
"""What shows nothing to somebody who has something of her own, but for that word."""


def test_no_call_is_forgotten() -> None:
    """Of each call it is told here what is asked; a new one belongs into `asking.py`."""
    assert {*READINGS, *WRITINGS} | FOR_SERVICES == set(CALLS)
    assert {name for name, call in CALLS.items() if not call.names_workspace} == WITHOUT_WORKSPACE
    for name in FOR_SERVICES:
        assert NEEDS[name] == "service"
    assert {NEEDS[name] for name in WRITINGS} == {"write", "admin"}
    assert {NEEDS[name] for name in READINGS} == {"read", "admin"}


class World:
    """Running services, and keys to their workspaces."""

    def __init__(self, channels: dict[str, grpc.aio.Channel]) -> None:
        self._channels = channels
        self.keys: dict[str, str] = {}

    async def ask(self, name: str, fields: dict[str, Any], token: str) -> list[Any]:
        """Make a call with a token."""
        call = CALLS[name]
        return await call.ask(self._channels[call.service], fields, token)

    async def refused(self, call: Call, fields: dict[str, Any], token: str) -> str:
        """Make a call that is refused; answers with which status."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.ask(call.name, fields, token)
        assert HIDDEN not in (caught.value.details() or "")
        return caught.value.code().name

    async def shows(self, name: str, token: str) -> bool:
        """Whether a reading shows anything to a token."""
        reading = READINGS[name]
        said = ""
        try:
            return reading.shows(await self.ask(name, reading.fields, token))
        except grpc.aio.AioRpcError as error:
            said = error.details() or ""
        assert HIDDEN not in said
        return False

    async def make_key(self, workspace: str, *scopes: str, name: str = "rival") -> str:
        """Make a key, and answer its token."""
        fields = {
            "workspaceId": workspace,
            "name": name,
            "scopes": [f"SCOPE_{scope.upper()}" for scope in scopes],
        }
        [answer] = await self.ask("key.v1.KeyService/CreateKey", fields, TOKEN)
        return str(answer.token)


@asynccontextmanager
async def a_world(
    directory: Path, database_url: str, redis_url: str, smtp_url: str
) -> AsyncIterator[World]:
    """Run all services, with a shop that has something of everything."""
    async with (
        cluster(directory, database_url, redis_url, smtp_url=smtp_url, shards="8") as running,
        AsyncExitStack() as stack,
    ):
        channels = {
            name: await stack.enter_async_context(open_channel(service.address))
            for name, service in running.services.items()
        }
        world = World(channels)
        shop = world.keys["shop"] = await world.make_key("shop", "admin", name=HIDDEN)
        definitions = {"manifests": [{"path": "x.yaml", "text": yaml(HIDDEN, "1s")}]}
        [applied] = await world.ask(
            "definition.v1.DefinitionService/ApplyDefinitions", definitions, shop
        )
        assert not applied.problems
        traits = {"name": HIDDEN, "email": "ada@example.com"}
        identify = {"profileId": PROFILE, "traitsJson": encoded(traits)}
        await world.ask("event.v1.EventService/IdentifyProfile", identify, shop)
        await world.ask(
            "event.v1.EventService/AddTags", {"profileId": PROFILE, "tags": ["vip"]}, shop
        )
        await world.ask("event.v1.EventService/TrackEvent", {"event": event("m1")}, shop)
        imported = {"importId": "history", "events": [event("i1", "Imported")]}
        await world.ask("event.v1.EventService/ImportEvents", imported, shop)
        await world.ask("event.v1.EventService/TrackEvent", {"event": event("m0", name="")}, shop)
        alias = {"profileId": "carol", "previousId": "visitor"}
        await world.ask("event.v1.EventService/AliasProfile", alias, shop)
        deletion = {"profileId": "gone", "deletionId": "d1"}
        await world.ask("privacy.v1.PrivacyService/DeleteProfile", deletion, shop)
        yield world


async def test_workspaces_are_kept_apart(
    tmp_path: Path, database_url: str, redis_url: str, mail_sink: MailSink
) -> None:
    """By every call, with keys of every kind: another's data is neither told nor touched."""
    async with a_world(tmp_path, database_url, redis_url, mail_sink.url) as world:
        shop = world.keys["shop"]
        rival = await world.make_key("rival", "admin")
        for name in READINGS.keys() - SHOWS_NOTHING:
            await eventually(lambda name=name: world.shows(name, shop), timeout=30)
        assert [name for name in READINGS if await world.shows(name, rival)] == []
        await check_doors(world, rival)
        before = await shown(world, shop)
        await write_all(world, rival)
        assert await shown(world, shop) == before
        assert [name for name in SEEN_BY_WORD if await world.shows(name, rival)] == []
        [found] = await world.ask(
            "event.v1.EventService/FinishImport", {"importId": "history"}, shop
        )
        assert found.position > 0
        assert [mail.recipients for mail in mail_sink.messages].count(("ada@example.com",)) == 1


async def check_doors(world: World, rival: str) -> None:
    """Without a key, with a wrong one, and with one for something else, no call is let in."""
    keys = {scope: await world.make_key("rival", scope) for scope in ("read", "write", "admin")}
    lacking = {"read": ["write"], "write": ["read"], "admin": ["read", "write"]}
    for name, call in CALLS.items():
        fields = READINGS[name].fields if name in READINGS else WRITINGS.get(name, {})
        assert await world.refused(call, fields, "") == "UNAUTHENTICATED", name
        assert await world.refused(call, fields, "hs_" + "0" * 40) == "UNAUTHENTICATED", name
        for scope in lacking.get(NEEDS[name], [*keys]):
            assert await world.refused(call, fields, keys[scope]) == "PERMISSION_DENIED", name
        if call.names_workspace:
            asked = {**fields, "workspaceId": "shop"}
            assert await world.refused(call, asked, rival) == "PERMISSION_DENIED", name


async def shown(world: World, token: str) -> dict[str, list[str]]:
    """All that the calls tell a token, but for the time."""
    return {
        name: [
            str(getattr(answer, field.name))
            for answer in await world.ask(name, reading.fields, token)
            for field in answer.DESCRIPTOR.fields
            if field.name not in ("through_position", "plan_version")
        ]
        for name, reading in READINGS.items()
        if name not in TELLS_TIME
    }


async def write_all(world: World, rival: str) -> None:
    """Write by every call, under the names that the shop uses too."""
    [keys] = await world.ask("key.v1.KeyService/ListKeys", {}, world.keys["shop"])
    failed: dict[str, str] = {}
    for name, fields in WRITINGS.items():
        if name == "key.v1.KeyService/RevokeKey":
            asked = {"keyId": keys.keys[0].key_id}
            assert await world.refused(CALLS[name], asked, rival) == "NOT_FOUND"
            continue
        try:
            await world.ask(name, fields, rival)
        except grpc.aio.AioRpcError as error:
            failed[name.rpartition("/")[2]] = error.code().name
    # The rival has itself applied a segment of that name just before, which a flow refers to.
    assert failed == {"CreateSegment": "ALREADY_EXISTS", "DeleteSegment": "FAILED_PRECONDITION"}
    [after] = await world.ask("key.v1.KeyService/ListKeys", {}, world.keys["shop"])
    assert after == keys
