"""Any replica answers for all profiles, and tells who works on which shards."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import grpc
import pytest
from hairspring.contracts.event.v1 import event_pb2
from hairspring.contracts.membership.v1 import membership_service_pb2, membership_service_pb2_grpc
from hairspring.contracts.profile.v1 import profile_service_pb2, profile_service_pb2_grpc
from hairspring.runtime.client import open_channel
from hairspring.services.rule_evaluator.forwarding import FORWARDED

from tests.support.cluster import TOKEN, Cluster, Service, cluster, track
from tests.support.waiting import eventually

PROFILES = 40
SEGMENTS = """
kind: Segment
name: buyers
enter: {performed: {event: Order Completed}}
"""


@pytest.fixture
async def running(tmp_path: Path, database_url: str, redis_url: str) -> AsyncIterator[Cluster]:
    """Ingest and two evaluators with even shares, and profiles that each have a number."""
    services = ("ingest", "rule_evaluator")
    async with cluster(tmp_path, database_url, redis_url, services=services) as started:
        assert await started.apply(SEGMENTS) == []
        await started.replica("rule_evaluator").start()
        await eventually(lambda: shared(database_url), timeout=30)
        await started.track(
            *(
                event_pb2.Event(
                    profile_id=f"shopper-{number}",
                    message_id=f"identify-{number}",
                    type=event_pb2.EVENT_TYPE_IDENTIFY,
                    properties_json=b'{"number": %d}' % number,
                )
                for number in range(PROFILES)
            )
        )
        await started.track(
            *(track(f"shopper-{n}", "Order Completed", id=f"o{n}") for n in range(0, PROFILES, 2))
        )
        yield started


async def shared(url: str) -> bool:
    """Whether two replicas own 128 shards each."""
    connection = await asyncpg.connect(url)
    owners = await connection.fetch("SELECT replica_id FROM rule_evaluator.shards")
    await connection.close()
    return sorted(Counter(row["replica_id"] for row in owners).values()) == [128, 128]


def both(running: Cluster) -> list[Service]:
    """The two evaluators."""
    return [running.services["rule_evaluator"], *running.replicas]


def questions() -> membership_service_pb2.CheckMembershipsRequest:
    """Ask for everybody, in an order that goes to and fro between the shards."""
    return membership_service_pb2.CheckMembershipsRequest(
        questions=[
            membership_service_pb2.MembershipQuestion(profile_id=f"shopper-{n}", segment="buyers")
            for n in range(PROFILES)
        ]
    )


async def test_a_batch_is_answered_in_the_order_asked(running: Cluster) -> None:
    """Either replica has all questions answered, each by the owner of its profile."""
    for service in both(running):
        async with open_channel(service.address, TOKEN) as channel:
            stub = membership_service_pb2_grpc.MembershipServiceStub(channel)
            response = await stub.CheckMemberships(questions(), timeout=20)
        numbers = [json.loads(answer.traits_json)["number"] for answer in response.answers]
        assert numbers == list(range(PROFILES))
        assert [answer.member for answer in response.answers] == [True, False] * (PROFILES // 2)


async def test_a_single_profile_is_read_and_explained(running: Cluster) -> None:
    """Either replica explains and reads any profile, and says what the owner says of errors."""
    for service in both(running):
        async with open_channel(service.address, TOKEN) as channel:
            memberships = membership_service_pb2_grpc.MembershipServiceStub(channel)
            profiles = profile_service_pb2_grpc.ProfileServiceStub(channel)
            for number in range(8):
                explained = await memberships.ExplainMembership(
                    membership_service_pb2.ExplainMembershipRequest(
                        profile_id=f"shopper-{number}", segment="buyers"
                    ),
                    timeout=20,
                )
                assert explained.member == (number % 2 == 0)
                read = await profiles.GetProfile(
                    profile_service_pb2.GetProfileRequest(profile_id=f"shopper-{number}"),
                    timeout=20,
                )
                assert read.profile.profile_id == f"shopper-{number}"
                with pytest.raises(grpc.aio.AioRpcError, match="nothing is known") as error:
                    await profiles.GetProfile(
                        profile_service_pb2.GetProfileRequest(profile_id=f"nobody-{number}"),
                        timeout=20,
                    )
                assert error.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_call_goes_one_hop_only(running: Cluster) -> None:
    """What was passed on already is answered where it comes, or refused; it is not passed on."""
    for service in both(running):
        async with open_channel(service.address, TOKEN) as channel:
            stub = membership_service_pb2_grpc.MembershipServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError, match="does not own") as error:
                await stub.CheckMemberships(questions(), timeout=20, metadata=((FORWARDED, "1"),))
            assert error.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_call_waits_while_shards_change_hands(running: Cluster) -> None:
    """Calls all along a hand-over, and a replica that is killed, are answered; none fails."""
    first, second = both(running)
    ended = asyncio.Event()

    async def ask() -> int:
        async with open_channel(first.address, TOKEN) as channel:
            stub = membership_service_pb2_grpc.MembershipServiceStub(channel)
            asked = 0
            while not ended.is_set():
                response = await stub.CheckMemberships(questions(), timeout=20)
                assert len(response.answers) == PROFILES
                asked += 1
            return asked

    asking = asyncio.create_task(ask())
    assert await second.stop() == 0
    await second.start()
    await second.kill()
    await second.start()
    ended.set()
    assert await asking > 0


async def test_shards_tells_who_works_on_what(running: Cluster) -> None:
    """Each shard has a line with its owner, and how far it is; any replica tells of all."""
    await running.settled(f"shopper-{number}" for number in range(PROFILES))
    addresses = {service.address for service in both(running)}
    for address in addresses:
        told = await shards("--address", address, "--format", "jsonl")
        lines = [json.loads(line) for line in told.splitlines()]
        assert [line["shard"] for line in lines] == list(range(256))
        assert Counter(line["address"] for line in lines) == dict.fromkeys(addresses, 128)
        assert len({line["replica"] for line in lines}) == 2
        assert all(line["epoch"] >= 1 and line["lag"] >= 0 for line in lines)
        assert max(line["position"] for line in lines) <= PROFILES + PROFILES // 2
    table = await shards("--address", addresses.pop(), "--format", "table")
    assert table.splitlines()[0].split()[:3] == ["replica", "address", "shards"]
    assert [line.split()[2] for line in table.splitlines()[1:]] == ["128", "128"]


async def shards(*arguments: str) -> str:
    """Run `hairspring shards`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from hairspring.cli.main import main; main()",
        "shards",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "HAIRSPRING_SERVICE_TOKEN": TOKEN},
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()
