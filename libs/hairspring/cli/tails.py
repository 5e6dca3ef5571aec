"""Follows what happens: the evaluator's log by its stream, a service's own log by its file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import grpc
import grpc.aio
import orjson

from hairspring.cli.transitions import AT_THE_HEAD
from hairspring.contracts.transition.v1 import transition_pb2 as pb
from hairspring.contracts.transition.v1 import transition_service_pb2 as service_pb
from hairspring.contracts.transition.v1.transition_service_pb2_grpc import TransitionServiceStub
from hairspring.runtime.client import open_channel

_PAUSE_SECONDS = 0.5


async def follow_records(
    address: str, key: str, heard: Callable[[Sequence[pb.Record]], None]
) -> None:
    """Hand over the records from now on, without end; what an outage delays comes after it."""
    after = AT_THE_HEAD
    async with open_channel(address, key) as channel:
        stub = TransitionServiceStub(channel)
        while True:
            try:
                stream = stub.TailRecords(service_pb.TailRecordsRequest(after_position=after))
                async for batch in stream:
                    heard(batch.records)
                    after = batch.through_position
            except grpc.aio.AioRpcError:
                await asyncio.sleep(_PAUSE_SECONDS)


async def follow_log(path: Path, heard: Callable[[dict[str, Any]], None]) -> None:
    """Hand over the lines that a service logs from now on, without end.

    The file is looked at twice a second, which costs next to nothing.
    """
    tail = _FileTail(path)
    while True:
        for line in tail.lines():
            heard(line)
        await asyncio.sleep(_PAUSE_SECONDS)


class _FileTail:
    """Reads what is added to a file of JSON lines, which may be begun anew meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = path.stat().st_size if path.exists() else 0
        self._rest = b""

    def lines(self) -> Iterator[dict[str, Any]]:
        """Give the whole lines that were added since the last call."""
        try:
            size = self._path.stat().st_size
        except OSError:
            return
        if size == self._position:
            return
        if size < self._position:
            self._position, self._rest = 0, b""
        with self._path.open("rb") as file:
            *whole, self._rest = (self._rest + self._read(file)).split(b"\n")
        for line in whole:
            try:
                entry = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(entry, dict):
                yield entry

    def _read(self, file: IO[bytes]) -> bytes:
        file.seek(self._position)
        content = file.read()
        self._position = file.tell()
        return content
