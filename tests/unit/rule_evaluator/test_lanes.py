"""All lanes of a replica end together, whatever each of them is about."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest
from hairspring.ownership.port import Owned
from hairspring.services.rule_evaluator.lanes import Lanes
from hairspring.services.rule_evaluator.term import Term
from hairspring.services.rule_evaluator.work import SlowShard


class _Term:
    """Serves until it is cancelled; the one that has shard 1 fails at once.

    One of several shards ends by finding one of them slow, as a term does whose turn is over at the
    moment at which it is cancelled.
    """

    may_divide = True
    position = 0

    def __init__(self, owned: Mapping[int, Owned]) -> None:
        self.owned = dict(owned)

    async def run(self) -> None:
        if 1 in self.owned:
            await asyncio.sleep(0)
            raise OSError("the connection broke")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if len(self.owned) > 1:
                raise ExceptionGroup("term", [SlowShard(3)]) from None
            raise

    def standing(self) -> dict[int, Owned]:
        return dict(self.owned)


async def test_a_lane_is_not_divided_once_another_has_failed() -> None:
    """Its parts would go on, and nobody would begin the failed one anew."""
    owned = {
        shard: Owned(shard=shard, epoch=1, position=position, plan_version=1)
        for shard, position in ((1, 0), (2, 100_000), (3, 100_000))
    }
    lanes = Lanes(owned, lambda group: cast(Term, cast(Any, _Term(group))), apart=50_000)
    assert len(lanes.terms) == 2

    running = asyncio.create_task(lanes.run())
    await asyncio.wait({running}, timeout=5)

    assert running.done()
    with pytest.raises(ExceptionGroup) as raised:
        await running
    assert raised.group_contains(OSError)
