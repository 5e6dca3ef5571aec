"""Brings the tables of a schema to the state that the code expects."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources.abc import Traversable

import asyncpg
import structlog

_log = structlog.get_logger(__name__)

_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,40}")
_FILE_NAME = re.compile(r"(\d{3})_[a-z0-9_]+\.sql")

_BOOK = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.migrations (
    source     text        NOT NULL,
    number     int         NOT NULL,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, number)
);
"""


class MigrationError(Exception):
    """The migrations on file and those that were applied do not fit together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrations:
    """Numbered files (`001_name.sql`) of one part; several parts may share a schema."""

    source: str
    directory: Traversable


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    source: str
    number: int
    name: str
    script: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.script.encode()).hexdigest()


def check_schema_name(schema: str) -> str:
    """Return the name if it can stand in SQL without quotes, else raise ValueError."""
    if not _SCHEMA_NAME.fullmatch(schema):
        raise ValueError(f"{schema!r} cannot be the name of a schema")
    return schema


async def migrate(pool: asyncpg.Pool, schema: str, *sources: Migrations) -> list[str]:
    """Apply what is new of each source, in order and once, and answer the names of the files.

    `{schema}` in a file stands for the schema's name. All of it is one transaction, and replicas
    that start together wait for each other. Raises MigrationError if a file was changed after it
    was applied.
    """
    check_schema_name(schema)
    files = [file for source in sources for file in _read(source)]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"hairspring.migrate.{schema}"
        )
        await connection.execute(_BOOK.replace("{schema}", schema))
        rows = await connection.fetch(f"SELECT source, number, checksum FROM {schema}.migrations")
        known = {(row["source"], row["number"]): row["checksum"] for row in rows}
        fresh = list(_not_applied(files, known))
        for file in fresh:
            await _apply(connection, schema, file)
    for file in fresh:
        _log.info("migration_applied", schema=schema, source=file.source, name=file.name)
    return [file.name for file in fresh]


def _read(source: Migrations) -> list[_File]:
    """Read the files of a source in the order of their numbers, which are 1, 2, 3 and so on."""
    files = []
    for entry in source.directory.iterdir():
        if match := _FILE_NAME.fullmatch(entry.name):
            files.append(
                _File(
                    source=source.source,
                    number=int(match[1]),
                    name=entry.name,
                    script=entry.read_text(encoding="utf-8"),
                )
            )
    files.sort(key=lambda file: file.number)
    if [file.number for file in files] != list(range(1, len(files) + 1)):
        names = ", ".join(file.name for file in files)
        raise MigrationError(
            f"the migrations of {source.source} are not numbered 001, 002 … in turn: {names}"
        )
    return files


def _not_applied(files: Iterable[_File], known: dict[tuple[str, int], str]) -> Iterable[_File]:
    """Pick the files that were not applied yet, and refuse those that have changed since."""
    for file in files:
        checksum = known.get((file.source, file.number))
        if checksum is None:
            yield file
        elif checksum != file.checksum:
            raise MigrationError(
                f"{file.source}/{file.name} was changed after it was applied to this database; "
                "put the change into a new file"
            )


async def _apply(connection: asyncpg.pool.PoolConnectionProxy, schema: str, file: _File) -> None:
    """Run one file and write it down."""
    await connection.execute(file.script.replace("{schema}", schema))
    await connection.execute(
        f"INSERT INTO {schema}.migrations (source, number, name, checksum) VALUES ($1, $2, $3, $4)",
        file.source,
        file.number,
        file.name,
        file.checksum,
    )
