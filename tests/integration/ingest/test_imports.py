"""History comes in under an import, which ends once and for all."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.event.v1 import event_service_pb2 as contract
from hairspring.wire.times import from_ms

from tests.integration.ingest.running import Ingest, event, ingest
from tests.support.waiting import eventually


async def add(
    service: Ingest, import_id: str, *events: event_pb2.Event
) -> list[contract.EventResult]:
    """Add events to an import, and answer their results."""
    request = contract.ImportEventsRequest(import_id=import_id, events=events)
    return list((await service.events.ImportEvents(request)).results)


async def finish(service: Ingest, import_id: str, with_flows: bool = False) -> int:
    """Finish an import, and answer its last position."""
    request = contract.FinishImportRequest(import_id=import_id, with_flows=with_flows)
    return int((await service.events.FinishImport(request)).position)


async def test_an_import_ends_in_every_shard(service: Ingest) -> None:
    """Its events carry its id; its end is one record a shard; asked again it is the same place."""
    results = await add(service, "may", event(message_id="m1"), event(name=""))
    position = await finish(service, "may", with_flows=True)
    assert await finish(service, "may") == position
    imported, *ends = await service.read()
    assert [result.status for result in results] == [1, 3]
    assert imported.event.import_id == "may"
    assert [record.shard for record in ends] == list(range(256))
    assert {record.profile_id for record in ends} == {""}
    assert position == ends[-1].position == 257
    expected = event_pb2.ImportFinished(import_id="may", with_flows=True)
    assert all(record.import_finished == expected for record in ends)


async def test_a_finished_import_takes_nothing_more(service: Ingest) -> None:
    """Adding to a finished import is a conflict; the same events under a new one are repeats."""
    await add(service, "may", event(message_id="m1"))
    await finish(service, "may")
    with pytest.raises(grpc.aio.AioRpcError, match="is finished") as caught:
        await add(service, "may", event(message_id="m2"))
    assert caught.value.code() == grpc.StatusCode.ABORTED
    [result] = await add(service, "june", event(message_id="m1"))
    assert result.status == contract.EVENT_STATUS_REPEATED


async def test_running_an_import_again_appends_nothing_twice(service: Ingest) -> None:
    """Events without ids are known by their content: each difference makes another event."""
    history = [
        event(occur_time=from_ms(1_000)),
        event(occur_time=from_ms(1_001)),
        event(occur_time=from_ms(1_000), name="Other"),
        event("ben", occur_time=from_ms(1_000)),
        event(occur_time=from_ms(1_000), properties_json=b'{"a":1}'),
        event(occur_time=from_ms(1_000), type=event_pb2.EVENT_TYPE_IDENTIFY),
    ]
    first = await add(service, "one", *history)
    again = await add(service, "two", *history)
    assert {result.status for result in first} == {contract.EVENT_STATUS_ACCEPTED}
    assert {result.status for result in again} == {contract.EVENT_STATUS_REPEATED}
    assert [result.message_id for result in first] == [result.message_id for result in again]
    assert len(await service.read()) == len(history)


async def test_an_import_that_never_began_cannot_finish(service: Ingest) -> None:
    """An unknown import is NOT_FOUND; an id that is none, or is taken, is INVALID_ARGUMENT."""
    for import_id, code in [
        ("fill", grpc.StatusCode.INVALID_ARGUMENT),
        ("may", grpc.StatusCode.NOT_FOUND),
        ("", grpc.StatusCode.INVALID_ARGUMENT),
        ("a\0b", grpc.StatusCode.INVALID_ARGUMENT),
    ]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await finish(service, import_id)
        assert caught.value.code() == code


async def test_an_import_does_not_take_the_name_of_a_filling(service: Ingest) -> None:
    """What waits to be filled is called so where imports wait."""
    with pytest.raises(grpc.aio.AioRpcError, match="'fill' is taken; choose another"):
        await add(service, "fill", event(message_id="m1"))
    assert await service.read() == []


async def test_an_import_of_nothing_can_finish(service: Ingest) -> None:
    """A file whose every line was refused still has a beginning and an end."""
    await add(service, "may")
    assert await finish(service, "may") == 256


async def test_a_silent_import_finishes_by_itself(database_url: str) -> None:
    """An import that nobody goes on with ends without flows; a live event goes on beside it."""
    async with ingest(database_url, import_silence=0.3, shards=4) as service:
        await add(service, "may", event(message_id="m1"))
        await service.track(event(message_id="live"))

        async def ended() -> bool:
            return len(await service.read()) == 6

        await eventually(ended)
        ends = (await service.read())[2:]
        assert {record.WhichOneof("body") for record in ends} == {"import_finished"}
        assert not ends[0].import_finished.with_flows
        assert await finish(service, "may", with_flows=True) == 6


async def test_nothing_of_an_import_follows_its_end(service: Ingest) -> None:
    """With calls racing the end, each is either before it in the log or a conflict."""

    async def one(number: int) -> bool:
        try:
            await add(service, "may", event(message_id=f"m{number}"))
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.ABORTED:
                raise
            return False
        return True

    await one(0)
    adding = [asyncio.create_task(one(number)) for number in range(1, 40)]
    await eventually(lambda: any(task.done() for task in adding))
    position = await finish(service, "may")
    added = 1 + sum(await asyncio.gather(*adding))
    records = await service.read()
    assert len(records) == position == added + 256
    assert all(record.HasField("event") for record in records[:added])
