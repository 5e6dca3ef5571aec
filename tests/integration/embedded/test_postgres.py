"""The bundled Postgres on its own directory."""

from __future__ import annotations

import socket
from pathlib import Path

import asyncpg
import pytest
from hairspring.embedded import DirectoryInUse, DirectoryUnusable, PortTaken, ServerFailed
from hairspring.embedded.ports import free_port
from hairspring.embedded.postgres import PostgresServer, postgres
from hairspring.embedded.postgres_files import PostgresFiles


async def fetch(url: str, query: str) -> object:
    """Ask one question over a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_data_outlives_the_server(tmp_path: Path) -> None:
    """A directory that is used again holds what was written before."""
    async with postgres(tmp_path) as server:
        await fetch(server.url, "CREATE TABLE kept AS SELECT 42 AS number")
    async with postgres(tmp_path) as server:
        assert await fetch(server.url, "SELECT number FROM kept") == 42


async def test_the_server_is_as_promised(tmp_path: Path) -> None:
    """The server is durable by default, keeps time in UTC, and sorts text by code point."""
    async with postgres(tmp_path, settings={"work_mem": "5MB"}) as server:
        assert await fetch(server.url, "SHOW fsync") == "on"
        assert await fetch(server.url, "SHOW timezone") == "UTC"
        assert await fetch(server.url, "SHOW work_mem") == "5MB"
        assert await fetch(server.url, "SHOW server_encoding") == "UTF8"
        assert (
            await fetch(
                server.url, "SELECT array_agg(x ORDER BY x)::text FROM unnest('{ä,a,B}'::text[]) x"
            )
            == "{B,a,ä}"
        )


async def test_only_the_loopback_and_only_with_the_password(tmp_path: Path) -> None:
    """Others on the machine do not get in without the password that lies in the directory."""
    async with postgres(tmp_path, fsync=False) as server:
        assert await fetch(server.url, "SHOW listen_addresses") == "127.0.0.1"
        assert await fetch(server.url, "SHOW unix_socket_directories") == ""
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(
                host="127.0.0.1", port=server.port, user="hairspring", password="guessed"
            )
    assert (tmp_path / "password").stat().st_mode & 0o777 == 0o600


async def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    """A second server on a live server's directory is refused at once, and harms nothing."""
    async with postgres(tmp_path, fsync=False) as server:
        with pytest.raises(DirectoryInUse, match="name another directory"):
            async with postgres(tmp_path):
                raise AssertionError("unreachable")
        assert await fetch(server.url, "SELECT 1") == 1


async def test_a_foreign_server_in_the_directory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that somebody started without our lock is noticed by its processes."""
    monkeypatch.setattr("hairspring.embedded.postgres_files._ORPHANS_SECONDS", 0.1)
    async with postgres(tmp_path, fsync=False) as server:
        with pytest.raises(DirectoryInUse, match=f"process {server.pid}"):
            await PostgresServer(tmp_path).start()


async def test_a_crash_is_recovered_from(tmp_path: Path) -> None:
    """What was committed is there after SIGKILL, on the same port, although a pid file remains."""
    async with postgres(tmp_path) as server:
        await fetch(server.url, "CREATE TABLE kept AS SELECT 42 AS number")
        before, port = server.pid, server.port
        await server.kill()
        assert not server.running
        assert PostgresFiles(directory=tmp_path).pid_file.exists()

        await server.start()

        assert before != server.pid
        assert port == server.port
        assert await fetch(server.url, "SELECT number FROM kept") == 42


async def test_a_pid_file_that_names_a_living_stranger_is_stale(tmp_path: Path) -> None:
    """A process id that another process has by now does not keep the server from starting."""
    async with postgres(tmp_path, fsync=False) as server:
        port = server.port
    pid_file = PostgresFiles(directory=tmp_path).pid_file
    pid_file.write_text(f"1\n{pid_file.parent}\n1\n{port}\n\n127.0.0.1\n\nready\n")
    async with postgres(tmp_path, fsync=False) as server:
        assert await fetch(server.url, "SELECT 1") == 1


async def test_a_first_start_that_was_cut_off_is_begun_anew(tmp_path: Path) -> None:
    """Half an initialised cluster is thrown away."""
    (tmp_path / "data.unfinished" / "base").mkdir(parents=True)
    async with postgres(tmp_path, fsync=False) as server:
        assert await fetch(server.url, "SELECT 1") == 1


async def test_data_of_another_version_is_refused(tmp_path: Path) -> None:
    """Data that another Postgres wrote is left alone, with a word on what to do."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("12\n")
    with pytest.raises(DirectoryUnusable, match="written by Postgres 12"):
        async with postgres(tmp_path):
            raise AssertionError("unreachable")


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """A port on which something else listens is refused before anything is started."""
    with socket.create_server(("127.0.0.1", free_port())) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} on 127.0.0.1 is taken"):
            async with postgres(tmp_path, port=port, fsync=False):
                raise AssertionError("unreachable")


async def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    """The end of the server's log is in the error, and the directory can be used again."""
    with pytest.raises(ServerFailed, match="no_such_setting"):
        async with postgres(tmp_path, fsync=False, settings={"no_such_setting": "1"}):
            raise AssertionError("unreachable")
    async with postgres(tmp_path, fsync=False) as server:
        assert await fetch(server.url, "SELECT 1") == 1


async def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A path through a file is refused with its name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DirectoryUnusable, match="cannot be made"):
        async with postgres(tmp_path / "file" / "data"):
            raise AssertionError("unreachable")


async def test_a_long_path_with_spaces_will_do(tmp_path: Path) -> None:
    """No socket lies in the directory, so its length does not matter."""
    directory = tmp_path / ("a long name " * 10) / ("and another " * 10)
    async with postgres(directory, fsync=False) as server:
        assert await fetch(server.url, "SELECT 1") == 1


async def test_stop_ends_it_while_clients_are_connected(tmp_path: Path) -> None:
    """Connected clients do not hold up the end."""
    async with postgres(tmp_path, fsync=False) as server:
        connection = await asyncpg.connect(server.url)
        await server.stop()
        assert not server.running
        connection.terminate()
