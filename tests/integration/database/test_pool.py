"""Connections are made, or refused with a way out and without the password."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from hairspring.database.notices import Notices
from hairspring.database.pool import DatabaseUnavailable, connect, describe, open_pool


async def refusal(url: str) -> str:
    """The text of the error with which a URL is refused, the same for all ways in."""
    texts = []
    for opening in (open_pool(url, name="trial"), Notices.open(url, name="trial")):
        with pytest.raises(DatabaseUnavailable) as error:
            await opening.__aenter__()
        texts.append(str(error.value))
    with pytest.raises(DatabaseUnavailable) as error:
        await connect(url, name="trial")
    assert {*texts, str(error.value)} == {texts[0]}
    return texts[0]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken but on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_a_pool_has_the_name_it_is_given(database_url: str) -> None:
    """The sessions of a pool can be told from others, and speak UTC."""
    async with open_pool(database_url, name="evaluator-7") as pool:
        row = await pool.fetchrow(
            "SELECT current_setting('application_name') AS name,"
            " current_setting('timezone') AS zone"
        )
    assert (row["name"], row["zone"]) == ("evaluator-7", "UTC")


async def test_no_transaction_outlives_its_turn(database_url: str) -> None:
    """A transaction that was left open is rolled back before the connection goes to another."""
    async with open_pool(database_url, name="trial", max_size=1) as pool:
        async with pool.acquire() as connection:
            await connection.execute("BEGIN; CREATE TABLE left_open (n int)")
        assert await pool.fetchval("SELECT to_regclass('left_open')") is None


async def test_a_server_that_does_not_answer_is_named(closed_port: int) -> None:
    """Nobody listens: the error has the place and the setting, not the password."""
    text = await refusal(f"postgresql://shop:s3cret@127.0.0.1:{closed_port}/hairspring")
    assert text.startswith(f"Postgres at 127.0.0.1:{closed_port}/hairspring does not answer")
    assert "set HAIRSPRING_POSTGRES_URL" in text
    assert "s3cret" not in text


async def test_a_host_that_is_not_known_is_named() -> None:
    """The name of the host leads nowhere."""
    text = await refusal("postgresql://shop:s3cret@nowhere.invalid/hairspring")
    assert text.startswith("Postgres at nowhere.invalid:5432/hairspring does not answer")
    assert "s3cret" not in text


async def test_a_database_that_is_not_there_is_named(database_url: str) -> None:
    """The server answers, but has no such database."""
    url = urlsplit(database_url)._replace(path="/elsewhere").geturl()
    text = await refusal(url)
    assert "/elsewhere has no such database" in text


async def test_a_login_that_is_refused_is_told(database_url: str) -> None:
    """The role is not known, or its password is not right."""
    parts = urlsplit(database_url)
    url = parts._replace(netloc=f"stranger:s3cret@{parts.hostname}:{parts.port}").geturl()
    text = await refusal(url)
    assert "refuses the login" in text
    assert "s3cret" not in text


@pytest.mark.parametrize(
    "url",
    ["mysql://shop:s3cret@localhost/x", "postgresql://shop:s3cret@localhost:s3cret/x", "s3cret"],
)
async def test_a_url_that_cannot_be_read_is_refused(url: str) -> None:
    """It is told how a URL looks, without a word of this one."""
    text = await refusal(url)
    assert "cannot be read" in text
    assert "postgresql://user@host:5432/database" in text
    assert "s3cret" not in text


async def test_a_server_that_goes_away_at_the_door_does_not_answer() -> None:
    """Something listens and hangs up."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        text = await refusal(f"postgresql://shop:s3cret@127.0.0.1:{port}/x")
    assert "s3cret" not in text


def test_a_description_has_neither_user_nor_password() -> None:
    """Only the place is named."""
    assert describe("postgresql://u:p@db:6000/shop?sslmode=require") == "db:6000/shop"
    assert describe("postgresql://u:p@/shop") == "localhost:5432/shop"
