"""One event at the door."""

from __future__ import annotations

import pytest
from google.protobuf.struct_pb2 import Struct
from hairspring.contracts.event.v1 import event_pb2
from hairspring.log.shards import shard_of
from hairspring.services.ingest.judging import (
    Refused,
    Sound,
    judge,
    judge_imported,
    repeat_key,
)


def judged(**fields: object) -> Sound | Refused:
    """Judge a live event with these fields, in an installation of 16 shards."""
    event = event_pb2.Event(**{"profile_id": "anna", "name": "Viewed"} | fields)
    return judge(event, workspace="default", shards=16, new_id=lambda: "made")


def imported(**fields: object) -> Sound | Refused:
    """Judge an imported event with these fields."""
    event = event_pb2.Event(**{"profile_id": "anna", "name": "Viewed"} | fields)
    return judge_imported(event, workspace="default", shards=16, import_id="may")


def test_a_sound_event_is_ready_for_the_log() -> None:
    """Its shard is that of the profile, its key that of the message id."""
    sound = judged(message_id="m1")
    assert isinstance(sound, Sound)
    assert sound.message_id == "m1"
    assert sound.entry.shard == shard_of("default", "anna", 16)
    assert (sound.entry.workspace, sound.entry.profile) == ("default", "anna")
    assert sound.entry.repeat_key == repeat_key("default", "m1")
    assert event_pb2.EventRecord.FromString(sound.entry.payload).event.name == "Viewed"


def test_a_profile_is_its_known_id_else_its_anonymous_one() -> None:
    """The anonymous id is used where there is no other."""
    both, only = judged(anonymous_id="a1"), judged(profile_id="", anonymous_id="a1")
    assert isinstance(both, Sound)
    assert isinstance(only, Sound)
    assert (both.entry.profile, only.entry.profile) == ("anna", "a1")


def test_an_id_is_made_at_the_door() -> None:
    """A live event without an id gets a new one."""
    sound = judged()
    assert isinstance(sound, Sound)
    assert sound.message_id == "made"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"profile_id": ""}, "neither profile_id nor anonymous_id"),
        *[
            ({"profile_id": nobody}, "stands for nobody")
            for nobody in ("null", "NULL", "undefined", "0", "guest", " Guest ", "[object Object]")
        ],
        ({"profile_id": "", "anonymous_id": "null"}, "anonymous_id 'null'"),
        ({"profile_id": "  "}, "profile_id is empty"),
        ({"profile_id": "x" * 256}, "256 characters"),
        ({"profile_id": "a\0b"}, "U\\+0000"),
        ({"message_id": "m" * 256}, "message_id has 256"),
        ({"message_id": "undefined"}, "message_id 'undefined'"),
        ({"name": ""}, "name is empty"),
        ({"name": " "}, "name is empty"),
        ({"name": "n" * 256}, "name has 256"),
        ({"name": "a\0"}, "U\\+0000"),
        ({"type": 77}, "type 77"),
        ({"properties_json": b"null"}, "must be a JSON object"),
        ({"context_json": b"{"}, "context cannot be read"),
    ],
)
def test_what_can_never_be_accepted_is_refused(fields: dict[str, object], words: str) -> None:
    """Live and imported alike, with a sentence."""
    for refused in (judged(**fields), imported(**fields)):
        assert isinstance(refused, Refused)
        with pytest.raises(AssertionError, match=words):
            raise AssertionError(refused.problem)


def test_an_id_of_255_characters_is_taken() -> None:
    """Characters are counted, not bytes."""
    assert isinstance(judged(profile_id="ü" * 255, name="ü" * 255, message_id="ü" * 255), Sound)


def test_an_identify_needs_no_name() -> None:
    """Only a track does."""
    assert isinstance(judged(name="", type=event_pb2.EVENT_TYPE_IDENTIFY), Sound)


def test_imported_events_without_an_id_are_known_by_their_content() -> None:
    """The same content is the same id, in whatever order a Struct has its keys."""
    forth, back = Struct(), Struct()
    forth.update({"a": 1, "b": 2})
    back.update({"b": 2, "a": 1})
    one, same = imported(properties=forth), imported(properties=back)
    other = imported(properties=forth, anonymous_id="a1", profile_id="")
    assert isinstance(one, Sound)
    assert isinstance(same, Sound)
    assert isinstance(other, Sound)
    assert one.entry == same.entry
    assert one.message_id.startswith("content-")
    assert other.message_id != one.message_id


def test_the_parts_of_a_repeat_key_do_not_run_together() -> None:
    """Another border between workspace and message id is another key."""
    assert repeat_key("ab", "c") != repeat_key("a", "bc")
