"""Ownership in Postgres keeps the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hairspring.ownership.port import Ownership

from tests.contract.ownership.opened import open_shards
from tests.contract.ownership.ownership_contract import OwnershipContract, Subject


class TestPostgres(OwnershipContract):
    @pytest.fixture
    async def replicas(self, database_url: str) -> AsyncIterator[Subject]:
        """Three replicas on a database of their own."""
        async with (
            open_shards(database_url) as opened,
            opened.replica("one") as one,
            opened.replica("other") as other,
            opened.replica("third") as third,
        ):

            async def expire(replica: Ownership) -> None:
                await opened.pool.execute(
                    "UPDATE trial.replicas SET lease_until = 1 WHERE replica_id = $1",
                    replica.replica_id,
                )

            yield Subject(one=one, other=other, third=third, effect=opened.effect, expire=expire)
