"""Connections to Postgres: a pool of them, or a single one, with errors that say what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg

CONNECT_SECONDS = 10.0

# What a statement may raise when the connection is lost under it, and what the server refuses.
DRIVER_ERRORS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

# A vanished client's locks go with its connection, so the server is to notice within seconds.
_SESSION = {
    "jit": "off",
    "timezone": "UTC",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}

_Made = TypeVar("_Made")


class DatabaseUnavailable(Exception):
    """Postgres cannot be reached with the URL that is set; the password is never in the text."""


def describe(url: str) -> str:
    """Name the database that a URL leads to, without user, password and options."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "localhost", parts.port or 5432
    except ValueError:
        return "the database (its URL cannot be read)"
    return f"{host}:{port}{parts.path}"


@asynccontextmanager
async def open_pool(url: str, *, name: str, max_size: int = 8) -> AsyncIterator[asyncpg.Pool]:
    """Open a pool whose sessions are called `name`, and close it in the end.

    Connections are handed back as they are, apart from an open transaction, which is rolled back:
    leave no session settings and no session locks behind. Raises DatabaseUnavailable.
    """
    pool: asyncpg.Pool = await _connected(
        url,
        lambda: asyncpg.create_pool(
            url,
            min_size=1,
            max_size=max_size,
            timeout=CONNECT_SECONDS,
            server_settings=session_settings(name),
            reset=_leave_as_it_is,
        ),
    )
    try:
        yield pool
    finally:
        await pool.close()


async def connect(url: str, *, name: str) -> asyncpg.Connection:
    """Open one connection, whose session is called `name`. Raises DatabaseUnavailable."""
    return await _connected(
        url,
        lambda: asyncpg.connect(
            url, timeout=CONNECT_SECONDS, server_settings=session_settings(name)
        ),
    )


def session_settings(name: str) -> dict[str, str]:
    """Answer the settings that every session of ours begins with."""
    return {**_SESSION, "application_name": name}


async def _leave_as_it_is(connection: Any) -> None:
    """Save the round trip that resets a session; ours leave nothing behind."""


async def _connected(url: str, connecting: Callable[[], Awaitable[_Made]]) -> _Made:
    """Turn what can go wrong while connecting into one error with a way out."""
    mend = "set HAIRSPRING_POSTGRES_URL to a Postgres that is running"
    try:
        return await connecting()
    except (ValueError, asyncpg.InterfaceError):
        # The driver's words may quote the URL, and with it the password.
        raise DatabaseUnavailable(
            f"the URL of Postgres cannot be read; {mend}, as postgresql://user@host:5432/database"
        ) from None
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError) as error:
        raise DatabaseUnavailable(
            f"Postgres at {describe(url)} refuses the login ({error}); {mend}, with a valid login"
        ) from error
    except asyncpg.InvalidCatalogNameError as error:
        raise DatabaseUnavailable(
            f"Postgres at {describe(url)} has no such database; create it, or {mend}"
        ) from error
    except asyncpg.PostgresError as error:
        raise DatabaseUnavailable(
            f"Postgres at {describe(url)} turns connections away ({error}); try again, or {mend}"
        ) from error
    except (OSError, TimeoutError) as error:
        raise DatabaseUnavailable(
            f"Postgres at {describe(url)} does not answer ({_reason(error)}); {mend}"
        ) from error


def _reason(error: Exception) -> str:
    """Say in few words why a connection could not be made."""
    if isinstance(error, TimeoutError):
        return f"nothing came within {CONNECT_SECONDS:g} seconds"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
