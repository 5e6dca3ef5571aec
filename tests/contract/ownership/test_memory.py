"""Ownership in memory keeps the contract."""

from __future__ import annotations

import pytest
from hairspring.ownership.memory import MemoryOwnership, MemoryShards
from hairspring.ownership.port import LEASE_MS, Ownership

from tests.contract.ownership.ownership_contract import COUNT, OwnershipContract, Subject


class TestMemory(OwnershipContract):
    @pytest.fixture
    def replicas(self) -> Subject:
        """Three replicas with a clock that is moved by hand."""
        now = [1_800_000_000_000]
        shards = MemoryShards(COUNT, lambda: now[0])
        one, other, third = (MemoryOwnership(name, shards) for name in ("one", "other", "third"))

        async def effect(replica: Ownership, *arguments: object, **more: object) -> None:
            await replica.fence(None, *arguments, **more)

        async def expire(replica: Ownership) -> None:
            now[0] += LEASE_MS + 1
            for each in {one, other, third} - {replica}:
                each.renew()

        return Subject(one=one, other=other, third=third, effect=effect, expire=expire)
