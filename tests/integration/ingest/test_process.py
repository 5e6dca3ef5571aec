"""Ingest as a process: how it starts, tells its health, fails, and ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hairspring.contracts.event.v1 import event_log_service_pb2 as log_contract

from tests.integration.ingest.running import Ingest, IngestProcess, event, ingest, run_ingest

SERVICES = ["hairspring.event.v1.EventLogService", "hairspring.event.v1.EventService"]


async def test_health_and_reflection_are_answered(service: Ingest) -> None:
    """Each service is SERVING, and a client can ask which services there are."""
    health = health_pb2_grpc.HealthStub(service.channel)
    for name in ["", *SERVICES]:
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    stub = reflection_pb2_grpc.ServerReflectionStub(service.channel)
    call = stub.ServerReflectionInfo(
        iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    )
    answer = await call.read()
    listed = {one.name for one in answer.list_services_response.service}
    assert set(SERVICES) < listed
    call.cancel()


async def test_sigterm_ends_open_tails_and_finishes_calls(process: IngestProcess) -> None:
    """With a tail and a waiting call open, it ends within a second and both hear of it."""
    service = process.connect()
    await service.track(event())
    tail = service.log.TailEvents(log_contract.TailEventsRequest())
    assert (await tail.read()).through_position == 1
    ending = asyncio.create_task(process.end(signal.SIGTERM))
    started = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError, match="shutting down") as caught:
        await tail.read()
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert await ending == 0
    assert time.monotonic() - started < 3


async def test_it_ends_with_its_parent(database_url: str) -> None:
    """A process told to die with its parent, whose parent is another, does not stay."""
    process = await run_ingest(
        "--die-with-parent",
        HAIRSPRING_POSTGRES_URL=database_url,
        HAIRSPRING_INGEST_LISTEN="127.0.0.1:0",
        HAIRSPRING_PARENT_PID=str(os.getppid()),
    )
    assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_readiness_is_told_on_a_file_descriptor(database_url: str) -> None:
    """One JSON line with the bound address; the address answers."""
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    bare = {name: value for name, value in os.environ.items() if "HAIRSPRING" not in name}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "hairspring.services.ingest", "--ready-fd", str(writing)),
        env=bare
        | {
            "HAIRSPRING_AUTH": "off",
            "HAIRSPRING_POSTGRES_URL": database_url,
            "HAIRSPRING_INGEST_LISTEN": "127.0.0.1:0",
        },
        pass_fds=[writing],
        stderr=asyncio.subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as ready:
        said = json.loads(await asyncio.to_thread(ready.readline))
    async with grpc.aio.insecure_channel(said["address"]) as channel:
        answer = await Ingest(channel, said["address"]).track(event())
        assert answer[0].position == 1
    assert said["pid"] == process.pid
    process.terminate()
    assert await process.wait() == 0


async def failed(**environment: str) -> tuple[int, str]:
    """Run ingest until it fails, and answer its exit code and the last line it wrote."""
    process = await run_ingest(**environment)
    _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, errors.decode().strip().splitlines()[-1]


async def test_a_database_that_does_not_answer_is_one_clear_line() -> None:
    """After the time it waits for a start, it says what to set, without the password."""
    code, line = await failed(
        HAIRSPRING_POSTGRES_URL="postgresql://anna:secret@127.0.0.1:1/shop",
        HAIRSPRING_START_SECONDS="0.5",
    )
    assert code == 1
    assert "127.0.0.1:1/shop does not answer" in line
    assert "HAIRSPRING_POSTGRES_URL" in line
    assert "secret" not in line


async def test_bad_settings_are_told_with_exit_code_two() -> None:
    """A missing URL, and a value that is none, are named."""
    code, line = await failed()
    assert (code, "HAIRSPRING_POSTGRES_URL is not set" in line) == (2, True)
    code, line = await failed(HAIRSPRING_POSTGRES_URL="postgresql://x", HAIRSPRING_SHARDS="many")
    assert (code, "HAIRSPRING_SHARDS" in line) == (2, True)


async def test_a_taken_port_is_told(database_url: str) -> None:
    """The address and the setting are in the line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, line = await failed(
            HAIRSPRING_POSTGRES_URL=database_url, HAIRSPRING_INGEST_LISTEN=address
        )
    assert code == 1
    assert address in line
    assert "HAIRSPRING_INGEST_LISTEN" in line


async def test_the_number_of_shards_is_decided_once(database_url: str) -> None:
    """Another number than that of the installation is refused; none is taken as it is."""
    async with ingest(database_url, shards=8) as service:
        results = await service.track(*(event(f"p{n}") for n in range(50)))
        assert len(results) == 50
        assert max(record.shard for record in await service.read()) == 7
    code, line = await failed(
        HAIRSPRING_POSTGRES_URL=database_url,
        HAIRSPRING_SHARDS="16",
        HAIRSPRING_INGEST_LISTEN="127.0.0.1:0",
    )
    assert (code, "installed with 8 shards" in line) == (2, True)
    async with ingest(database_url) as service:
        assert len(await service.read()) == 50


async def test_it_can_be_ended_before_it_has_started() -> None:
    """SIGTERM while it still waits for its database ends it at once."""
    process = await run_ingest(
        HAIRSPRING_POSTGRES_URL="postgresql://127.0.0.1:1/shop",
        HAIRSPRING_START_SECONDS="60",
    )
    assert process.stderr is not None
    assert b"start_waits" in await asyncio.wait_for(process.stderr.readline(), 20)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 5) == 0


async def test_a_started_process_writes_its_address(process: IngestProcess) -> None:
    """The ready file holds the address and the process id."""
    assert process.process is not None
    answer = await process.connect().track(event())
    assert answer[0].position == 1
    said = json.loads(process.ready_file.read_bytes())
    assert said["pid"] == process.process.pid
