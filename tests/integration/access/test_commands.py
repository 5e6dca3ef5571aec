"""`hairspring keys`, `rejects`, `alias` and others, as somebody types them."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from tests.integration.ingest.running import event, ingest
from tests.support.cluster import TOKEN


async def hairspring(address: str, *arguments: str, **settings: str) -> tuple[int, Any, str]:
    """Run a command; answers its exit code, the lines it wrote, and what it said beside."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from hairspring.cli.main import main; main()", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "HAIRSPRING_INGEST_ADDRESS": address, **settings},
    )
    out, errors = await process.communicate()
    lines = [json.loads(line) for line in out.splitlines()]
    return process.returncode or 0, lines, errors.decode()


async def test_keys_and_rejects_from_the_shell(database_url: str) -> None:
    """A key is made, does what it may, is listed without its token, and revoked."""
    async with ingest(database_url, auth="on", service_token=TOKEN) as service:
        operator = {"HAIRSPRING_SERVICE_TOKEN": TOKEN}
        create = ("keys", "create", "shop admin", "--scope", "admin", "--workspace", "shop")
        _, [made], _ = await hairspring(service.address, *create, **operator)
        shop = {"HAIRSPRING_KEY": made["token"]}
        _, [listed], _ = await hairspring(service.address, "keys", "list", **shop)
        assert (listed["workspace"], listed["scopes"], listed["name"]) == (
            *("shop", ["admin"]),
            "shop admin",
        )
        assert made["token"] not in json.dumps(listed)
        track = ("track", "Product Added", "--profile", "ada")
        code, [tracked], _ = await hairspring(service.address, *track, **shop)
        assert (code, tracked["status"]) == (0, "accepted")
        code, _, said = await hairspring(service.address, *track)
        assert (code, "HAIRSPRING_KEY" in said, "Traceback" in said) == (1, True, False)

        await service.track(event(name="", message_id="bad"))  # of the workspace `default`
        [_, nothing, _] = await hairspring(service.address, "rejects", "list", **shop)
        assert nothing == []
        default = {"HAIRSPRING_KEY": TOKEN}
        _, [reject], _ = await hairspring(service.address, "rejects", "list", **default)
        number = str(reject["reject"])
        _, [shown], _ = await hairspring(service.address, "rejects", "show", number, **default)
        assert shown["event"]["messageId"] == reject["message_id"] == "bad"
        code, [outcome], _ = await hairspring(
            service.address, "rejects", "replay", "--all", **default
        )
        assert (code, outcome["status"]) == (1, "refused")

        revoke = ("keys", "revoke", made["key"], "--workspace", "shop")
        _, [revoked], _ = await hairspring(service.address, *revoke, **operator)
        assert revoked["revoked_at"]


async def test_ids_become_one_person_from_the_shell(database_url: str) -> None:
    """By an identify that names the anonymous id beside her own, and by an alias."""
    device = event("", anonymous_id="device", message_id="m1")
    async with ingest(database_url, auth="off") as service:
        await service.track(device, event("ada@old.example", message_id="m2"))
        identify = ("identify", "--profile", "ada", "--anonymous", "device", "--trait", "name=Ada")
        alias = ("alias", "--profile", "ada", "--previous", "ada@old.example")
        for arguments in (identify, alias):
            code, [told], _ = await hairspring(service.address, *arguments)
            assert (code, told["status"]) == (0, "accepted")
        code, _, said = await hairspring(service.address, *alias[:-1], "undefined")
        log = await service.read()

    joined = [record.merged.from_profile_id for record in log if record.HasField("merged")]
    assert joined == ["device", "ada@old.example"]
    assert (code, "Refused: previous_id" in said) == (1, True)
