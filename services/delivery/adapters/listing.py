"""Lists runs and messages, the latest first, page by page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec
from hairspring.runtime.errors import InvalidInput
from hairspring.services.delivery.adapters.rows import message_of, run_of
from hairspring.services.delivery.messages import Message, MessageStatus
from hairspring.services.delivery.runs import Run

_TOKEN = msgspec.json.Decoder(tuple[int, str])


class Listing:
    """Reads pages of runs and messages of a workspace."""

    def __init__(self, pool: asyncpg.Pool, schema: str) -> None:
        self._pool = pool
        self._schema = schema

    async def runs(
        self, workspace: str, filters: dict[str, Any], size: int, token: str
    ) -> tuple[list[Run], str]:
        """Answer a page of runs, and the token of the next page or an empty one.

        `filters` are columns and what they must be. Raises InvalidInput for a bad token.
        """
        rows, more = await self._page("runs", ("started_at", "run_id"), workspace, filters, size,
                                      token)  # fmt: skip
        return [run_of(row) for row in rows], more

    async def messages(
        self, workspace: str, filters: dict[str, Any], size: int, token: str
    ) -> tuple[list[Message], str]:
        """Answer a page of messages, and the token of the next page or an empty one.

        `filters` are columns and what they must be. Raises InvalidInput for a bad token.
        """
        rows, more = await self._page("messages", ("due_at", "message_id"), workspace, filters,
                                      size, token)  # fmt: skip
        return [message_of(row) for row in rows], more

    async def count_messages(self, workspace: str) -> dict[MessageStatus, int]:
        """Count the messages of a workspace by status."""
        # -- count_messages: over the index on workspace and status alone.
        rows = await self._pool.fetch(
            f"SELECT status, count(*) AS messages FROM {self._schema}.messages "
            "WHERE workspace = $1 GROUP BY status ORDER BY status",
            workspace,
        )
        return {MessageStatus(row["status"]): row["messages"] for row in rows}

    async def _page(
        self,
        table: str,
        order: tuple[str, str],
        workspace: str,
        filters: dict[str, Any],
        size: int,
        token: str,
    ) -> tuple[Sequence[Any], str]:
        """Read one page by its keyset: the columns of `order`, descending."""
        values: list[Any] = [workspace]
        wheres = ["workspace = $1"]
        for column, value in filters.items():
            values.append(value)
            wheres.append(f"{column} = ${len(values)}")
        if token:
            values += _read_token(token)
            wheres.append(f"({', '.join(order)}) < (${len(values) - 1}, ${len(values)})")
        values.append(size + 1)
        rows = await self._pool.fetch(
            f"SELECT * FROM {self._schema}.{table} WHERE {' AND '.join(wheres)} "
            f"ORDER BY {order[0]} DESC, {order[1]} DESC LIMIT ${len(values)}",
            *values,
        )
        if len(rows) <= size:
            return rows, ""
        last = rows[size - 1]
        return rows[:size], _write_token(last[order[0]], last[order[1]])


def _write_token(at: int, name: str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((at, name))).decode()


def _read_token(token: str) -> tuple[int, str]:
    try:
        return _TOKEN.decode(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise InvalidInput("the page token is not one of ours", field="page_token") from None
