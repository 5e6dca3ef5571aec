"""Who bears a token: asked seldom, known for seconds, and bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hairspring.runtime import access
from hairspring.runtime.access import FRESH_SECONDS, PAUSE_SECONDS, STALE_SECONDS, KeyAccess
from hairspring.runtime.errors import Exhausted, Unauthenticated, Unavailable
from hairspring.runtime.keys import SERVICE, Caller, Scope, hash_of

READER = Caller(key_id="key-1", workspace="shop", scopes=frozenset({Scope.READ}))


class Keys:
    """Keys that can be revoked, and be away; time that is told."""

    def __init__(self) -> None:
        self.good = {hash_of("good"): READER}
        self.asked: list[list[bytes]] = []
        self.away = False
        self.now = 100.0
        self.access = KeyAccess(["the-services-token"], self._look_up, lambda: self.now)

    async def _look_up(self, hashes: Sequence[bytes]) -> dict[bytes, Caller]:
        self.asked.append(list(hashes))
        await asyncio.sleep(0)
        if self.away:
            raise ConnectionError("away")
        return {one: self.good[one] for one in hashes if one in self.good}


async def test_many_callers_share_one_question() -> None:
    """A hundred calls at once, and all that follow for some seconds, ask once."""
    keys = Keys()
    found = await asyncio.gather(*(keys.access.caller_of("good") for _ in range(100)))
    assert set(found) == {READER}
    keys.now += FRESH_SECONDS - 0.1
    assert await keys.access.caller_of("good") is READER
    assert keys.asked == [[hash_of("good")]]


async def test_a_revoked_key_opens_nothing_within_seconds() -> None:
    """What was found holds for so long, and no longer."""
    keys = Keys()
    await keys.access.caller_of("good")
    keys.good.clear()
    keys.now += FRESH_SECONDS
    with pytest.raises(Unauthenticated, match="opens nothing"):
        await keys.access.caller_of("good")
    with pytest.raises(Unauthenticated):
        await keys.access.caller_of("good")
    assert len(keys.asked) == 2


@pytest.mark.parametrize("token", ["", "x" * 10_000, "nobody's", "\ud800"])
async def test_what_is_no_key_opens_nothing(token: str) -> None:
    """Neither nothing, nor far too much, nor what cannot be written."""
    with pytest.raises(Unauthenticated):
        await Keys().access.caller_of(token)


async def test_while_keys_cannot_be_looked_up_what_was_known_holds_for_a_while() -> None:
    """So an outage shuts nobody out at once; whoever is not known is told to try again."""
    keys = Keys()
    await keys.access.caller_of("good")
    keys.away = True
    with pytest.raises(Unavailable):
        await keys.access.caller_of("another")
    keys.now += FRESH_SECONDS
    assert await keys.access.caller_of("good") is READER
    asked = len(keys.asked)
    keys.now += PAUSE_SECONDS / 2
    assert await keys.access.caller_of("good") is READER
    assert len(keys.asked) == asked
    keys.now = 100.0 + STALE_SECONDS + 1
    with pytest.raises(Unavailable):
        await keys.access.caller_of("good")
    keys.away = False
    assert await keys.access.caller_of("good") is READER


async def test_the_token_of_the_deployment_asks_nobody() -> None:
    """It opens everything, though nobody answers."""
    keys = Keys()
    keys.away = True
    assert await keys.access.caller_of("the-services-token") is SERVICE
    assert keys.asked == []


async def test_a_flood_of_wrong_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for in few questions, drives out no good key, and beyond a bound is refused."""
    monkeypatch.setattr(access, "MOST_KNOWN", 10)
    monkeypatch.setattr(access, "MOST_ASKED", 50)
    keys = Keys()
    await keys.access.caller_of("good")
    wrong = (keys.access.caller_of(f"wrong-{number}") for number in range(80))
    said = await asyncio.gather(*wrong, return_exceptions=True)
    assert [type(one) for one in said].count(Exhausted) == 30
    assert [type(one) for one in said].count(Unauthenticated) == 50
    assert len(keys.asked) <= 3
    assert await keys.access.caller_of("good") is READER
    assert len(keys.asked) <= 3


async def test_a_flood_of_wrong_keys_shuts_out_no_good_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing more can be asked, what was known holds, as in an outage."""
    monkeypatch.setattr(access, "MOST_ASKED", 50)
    keys = Keys()
    await keys.access.caller_of("good")
    keys.now += FRESH_SECONDS
    wrong = [keys.access.caller_of(f"wrong-{number}") for number in range(50)]
    *said, good = await asyncio.gather(
        *wrong, keys.access.caller_of("good"), return_exceptions=True
    )
    assert good is READER
    assert {type(one) for one in said} == {Unauthenticated}
    keys.now = 100.0 + STALE_SECONDS + 1
    wrong = [keys.access.caller_of(f"another-{number}") for number in range(50)]
    *said, good = await asyncio.gather(
        *wrong, keys.access.caller_of("good"), return_exceptions=True
    )
    assert type(good) is Exhausted
