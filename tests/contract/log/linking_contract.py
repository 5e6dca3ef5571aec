"""What every log that merges profiles promises; the adapters' tests inherit these."""

from __future__ import annotations

import pytest
from hairspring.contracts.event.v1 import event_pb2
from hairspring.log import links
from hairspring.log.links import Link, Merging
from hairspring.log.port import Entry, Log, Record
from hairspring.wire.events import MERGED_AWAY_TAG, MERGED_TAG

MERGING = Merging(away=MERGED_AWAY_TAG, joined=MERGED_TAG)
SPACE = "default"


def shard(name: str) -> int:
    """A shard for an id; any will do."""
    return len(name) + ord(name[0]) % 5


def track(name: str, *, space: str = SPACE, key: int | None = None) -> Entry:
    """An event; ids that begin with x are anonymous."""
    return Entry(
        shard=shard(name),
        workspace=space,
        profile=name,
        payload=b"",
        anonymous=name.startswith("x"),
        repeat_key=None if key is None else key.to_bytes(16, "big"),
    )


def link(name: str, other: str, *, asked: bool = False, key: int | None = None) -> Entry:
    """An identify of a known person with an anonymous id, or an alias where it is asked for."""
    return Entry(
        shard=shard(name),
        workspace=SPACE,
        profile=name,
        payload=b"",
        link=Link(id=other, shard=shard(other), asked=asked),
        repeat_key=None if key is None else key.to_bytes(16, "big"),
    )


def told(record: Record) -> str:
    """A record in words: whose it is, and which other profile it names."""
    body = event_pb2.EventRecord.FromString(record.payload)
    assert record.shard == shard(record.profile)
    match body.WhichOneof("body"):
        case "merged_away":
            return f"{record.profile} into {body.merged_away.into_profile_id}"
        case "merged":
            return f"{record.profile} with {body.merged.from_profile_id}"
        case _:
            return record.profile


async def log_of(log: Log) -> list[str]:
    """All records in words."""
    return [told(record) for record in await log.read(0, 10_000)]


async def lineage(log: Log, name: str, through: int = 10_000) -> list[str]:
    """The ids whose records make up a profile's history."""
    found = await log.lineage(SPACE, [name], [shard(name)], through)
    assert all(place[0] == shard(place[1]) for place in found[name])
    return [other for _, other in found[name]]


class LinkingContract:
    """Inherit it and give the fixture `linking`: an empty log that merges, by `MERGING`."""

    @pytest.fixture
    def linking(self) -> Log:
        raise NotImplementedError

    @pytest.fixture
    def connection(self) -> object:
        """What a transaction is written by; nothing in memory."""
        return None

    async def test_an_identify_makes_two_one(self, linking: Log) -> None:
        """Both are told right before it, and what comes for the anonymous id is the person's."""
        done = await linking.append([track("x1"), track("x1")])
        done += await linking.append([link("ada", "x1"), track("x1"), track("bo")])
        assert await log_of(linking) == [
            *("x1", "x1", "x1 into ada", "ada with x1", "ada", "ada", "bo")
        ]
        assert [one.position for one in done] == [1, 2, 5, 6, 7]
        assert await linking.head() == 7

    async def test_a_second_identify_moves_nothing(self, linking: Log) -> None:
        """Whoever is one already stays so; what was recorded is moved once."""
        await linking.append([track("x1"), link("ada", "x1"), link("ada", "x1")])
        await linking.append([link("ada", "x1"), track("x1")])
        assert await log_of(linking) == [
            *("x1", "x1 into ada", "ada with x1", "ada", "ada", "ada", "ada")
        ]

    async def test_a_repeat_links_nothing(self, linking: Log) -> None:
        """A repeated identify is none, also where it names another id; a repeated event neither."""
        await linking.append([track("x1", key=1), link("ada", "x1", key=2)])
        again = await linking.append(
            [link("bo", "x2", key=2), track("x1", key=1), track("ada", key=1), track("x2", key=3)]
        )
        assert [one.position for one in again] == [0, 0, 0, 5]
        assert (await log_of(linking))[4:] == ["x2"]

    async def test_an_id_without_records_is_linked_in_silence(self, linking: Log) -> None:
        """There is nothing to tell of it; later events are the person's."""
        await linking.append([link("ada", "x1")])
        await linking.append([track("x1")])
        assert await log_of(linking) == ["ada", "ada"]

    async def test_one_batch_is_judged_in_its_order(self, linking: Log) -> None:
        """What comes before a link in a batch stays where it is, what comes after moves on."""
        await linking.append(
            [track("x1"), track("x2"), link("ada", "x1"), track("x1"), link("bo", "x2")]
        )
        assert await log_of(linking) == [
            *("x1", "x2", "x1 into ada", "ada with x1", "ada", "ada"),
            *("x2 into bo", "bo with x2", "bo"),
        ]

    async def test_a_shared_device_mixes_nobody_up(self, linking: Log) -> None:
        """An anonymous id is the first one's who is identified by it, and no later one's."""
        await linking.append([track("x1"), link("ada", "x1"), link("bo", "x1")])
        await linking.append([track("x1"), track("bo")])
        assert await log_of(linking) == [
            *("x1", "x1 into ada", "ada with x1", "ada", "bo", "ada", "bo")
        ]

    async def test_known_persons_are_not_merged_by_accident(self, linking: Log) -> None:
        """An id that was ever used for a known person joins nobody by an identify."""
        await linking.append([track("bo"), track("x1"), link("cy", "x1")])
        await linking.append([link("ada", "bo"), link("ada", "cy"), link("ada", "x1")])
        await linking.append([track("dee"), link("ada", "dee"), link("ada", "ada")])
        records = await log_of(linking)
        assert [one for one in records if " " in one] == ["x1 into cy", "cy with x1"]
        await linking.append([track("bo"), track("dee"), track("cy")])
        assert (await log_of(linking))[-3:] == ["bo", "dee", "cy"]

    async def test_an_alias_joins_known_persons(self, linking: Log) -> None:
        """Whoever it names is joined with all that was part of them, once."""
        await linking.append([track("x1"), link("ada", "x1"), track("bo")])
        await linking.append([link("bo", "ada", asked=True), link("bo", "ada", asked=True)])
        await linking.append([link("bo", "x1", asked=True), track("x1"), track("ada")])
        assert (await log_of(linking))[4:] == [
            *("bo", "ada into bo", "bo with ada", "bo", "bo", "bo", "bo", "bo")
        ]

    async def test_an_alias_of_an_id_that_is_part_of_somebody_joins_that_one(
        self, linking: Log
    ) -> None:
        """The id stands for the person by now, so the person is meant."""
        await linking.append([track("x1"), link("ada", "x1"), track("bo")])
        await linking.append([link("bo", "x1", asked=True)])
        assert (await log_of(linking))[5:] == ["ada into bo", "bo with ada", "bo"]
        await linking.append([link("ada", "bo", asked=True)])  # one already, in either order
        assert (await log_of(linking))[8:] == ["bo"]

    async def test_an_id_is_resolved_to_the_profile_that_goes_on(self, linking: Log) -> None:
        """Through all that it became part of; one that stands for itself is left out."""
        done = await linking.append([track("x1"), link("ada", "x1")])
        ids = ["x1", "ada", "nobody"]
        found = await linking.resolve(SPACE, ids, [shard(one) for one in ids])
        assert {name: one.profile for name, one in found.items()} == {"x1": "ada"}
        assert (found["x1"].position, found["x1"].accepted_at) == (3, done[1].accepted_at)
        await linking.append([link("bo", "ada", asked=True)])
        found = await linking.resolve(SPACE, ids, [shard(one) for one in ids])
        assert {name: one.profile for name, one in found.items()} == {"x1": "bo", "ada": "bo"}

    async def test_a_lineage_is_as_of_a_position(self, linking: Log) -> None:
        """A history is made of what had become part of the profile by then."""
        await linking.append([track("x1"), link("ada", "x1")])  # joins at 3
        await linking.append([track("x2"), link("ada", "x2")])  # joins at 7
        await linking.append([track("bo"), link("bo", "ada", asked=True)])  # joins at 11
        assert await lineage(linking, "ada", 2) == ["ada"]
        assert await lineage(linking, "ada", 3) == ["ada", "x1"]
        assert sorted(await lineage(linking, "ada", 7)) == ["ada", "x1", "x2"]
        assert await lineage(linking, "bo", 10) == ["bo"]
        assert sorted(await lineage(linking, "bo", 11)) == ["ada", "bo", "x1", "x2"]
        assert sorted(await lineage(linking, "ada", 11)) == ["ada", "x1", "x2"]

    async def test_an_id_that_is_unlinked_stands_for_itself(
        self, linking: Log, connection: object
    ) -> None:
        """As when a person is deleted: what comes later is of somebody new, and may be linked."""
        await linking.append([track("x1"), link("ada", "x1")])
        await linking.unlink_in(connection, SPACE, [(shard(one), one) for one in ("ada", "x1")])
        await linking.append([track("x1"), track("ada")])
        assert (await log_of(linking))[4:] == ["x1", "ada"]
        assert await lineage(linking, "ada") == ["ada"]
        await linking.append([link("bo", "x1")])
        assert (await log_of(linking))[6:] == ["x1 into bo", "bo with x1", "bo"]

    async def test_workspaces_know_nothing_of_each_other(self, linking: Log) -> None:
        """An id is linked in its own workspace only."""
        await linking.append([track("x1"), track("x1", space="other"), link("ada", "x1")])
        await linking.append([track("x1", space="other"), track("x1")])
        assert (await log_of(linking))[-2:] == ["x1", "ada"]
        assert await linking.resolve("other", ["x1"], [shard("x1")]) == {}

    async def test_long_ids_are_named_whole(self, linking: Log) -> None:
        """The records name any id that is taken, whatever it takes in bytes."""
        long = "x" + "ü" * 254
        await linking.append([track(long), link("ada", long)])
        assert await log_of(linking) == [long, f"{long} into ada", f"ada with {long}", "ada"]

    async def test_ids_that_stand_for_one_profile_are_bounded(
        self, linking: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One more is not linked, and goes on by itself; so is a person with too many."""
        for module in ("links", "postgres"):
            monkeypatch.setattr(f"hairspring.log.{module}.MOST_IDS", 3)
        await linking.append([link("ada", f"x{i}") for i in range(4)])
        await linking.append([track("x1"), track("x2"), track("x3")])
        assert (await log_of(linking))[4:] == ["ada", "x2", "x3"]
        await linking.append([link("bo", "x7"), link("bo", "ada", asked=True), track("ada")])
        assert (await log_of(linking))[-1] == "ada"

    async def test_an_anonymous_id_with_very_many_records_is_no_persons(
        self, linking: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is found out once; only an alias joins it."""
        for module in ("links", "postgres"):
            monkeypatch.setattr(f"hairspring.log.{module}.MOST_RECORDS", 2)
        await linking.append([track("x1") for _ in range(3)])
        await linking.append([link("ada", "x1"), link("ada", "x1"), track("x1")])
        assert (await log_of(linking))[3:] == ["ada", "ada", "x1"]
        await linking.append([link("ada", "x1", asked=True)])
        assert (await log_of(linking))[6:] == ["x1 into ada", "ada with x1", "ada"]

    def test_the_payload_is_that_of_the_contract(self) -> None:
        """What is written by hand is what a message of the contract would be."""
        for name in ("ada", "a" * 122, "a" * 123, "a" * 127, "ü" * 64, "ü" * 255):
            away = event_pb2.EventRecord(merged_away={"into_profile_id": name})
            assert links.naming(MERGING.away, name) == away.SerializeToString()
