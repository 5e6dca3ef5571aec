"""Postgres under another user than root, by each way there is."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg
import pytest
from hairspring.embedded import NoUnprivilegedUser, identity
from hairspring.embedded.identity import Identity
from hairspring.embedded.postgres import postgres
from hairspring.embedded.programs import postgres_program

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take another identity")

RUN_POSTGRES = """
import asyncio, sys
from pathlib import Path
from hairspring.embedded.postgres import postgres

async def main(directory):
    async with postgres(directory, fsync=False) as server:
        print(server.running)

asyncio.run(main(Path(sys.argv[1])))
"""


def ways() -> list[Identity]:
    """List the ways from root that this machine has."""
    account = pwd.getpwnam("nobody")
    ids = f"{account.pw_uid}:{account.pw_gid}"
    drop = Identity(launch=f"drop:{ids}", uid=account.pw_uid, gid=account.pw_gid)
    namespace = Identity(launch=f"namespace:{ids}", uid=0, gid=0)
    program = postgres_program("postgres")
    return [way for way in (drop, namespace) if identity._try(program, way) is None]


@needs_root
async def test_each_way_takes_up_the_directory_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory goes from one identity to another and back, and the server never runs as root."""
    for turn, way in enumerate([*ways(), *ways()]):

        async def choose(program: Path, way: Identity = way) -> Identity:
            return way

        monkeypatch.setattr(identity, "choose", choose)
        async with postgres(tmp_path / "data", fsync=False) as server:
            connection = await asyncpg.connect(server.url)
            await connection.execute(f"CREATE TABLE turn_{turn} ()")
            count = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'turn_%'"
            assert await connection.fetchval(count) == turn + 1
            await connection.close()


@needs_root
def test_a_user_without_a_name_gets_one() -> None:
    """A process id of a container that no account belongs to can run Postgres, or is told why."""
    with tempfile.TemporaryDirectory() as home:
        os.chown(home, 54_321, 54_321)
        try:
            ran = subprocess.run(
                [sys.executable, "-c", RUN_POSTGRES, f"{home}/data"],
                user=54_321,
                group=54_321,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
            )
        except PermissionError:
            pytest.skip("this installation is closed to other users")
    assert ran.stdout == "True\n" or "HAIRSPRING_POSTGRES_URL" in ran.stderr, ran.stderr


@needs_root
async def test_no_way_at_all_is_said_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no identity can be taken, the error names each attempt and what to set."""
    monkeypatch.setattr(identity, "_try", lambda program, way: f"{way.launch} refused")
    with pytest.raises(NoUnprivilegedUser, match="HAIRSPRING_POSTGRES_URL") as error:
        await identity.choose(postgres_program("postgres"))
    assert "namespace:" in str(error.value)
    assert "drop:" in str(error.value)
