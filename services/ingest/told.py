"""Checks what calls tell of a profile: its tags. Pure."""

from hairspring.contracts.event.v1 import event_pb2
from hairspring.runtime.errors import InvalidInput
from hairspring.wire.inputs import read_object

MOST_TAGS = 100
LONGEST_TAG = 255


def check(kind: "event_pb2.EventType.ValueType", payload: bytes) -> None:
    """Check the payload of a call. Raises InvalidInput where it tells what cannot be taken."""
    if kind in (event_pb2.EVENT_TYPE_ADD_TAGS, event_pb2.EVENT_TYPE_REMOVE_TAGS):
        _check_tags(payload)


def _check_tags(payload: bytes) -> None:
    tags = _told(payload).get("tags")
    if not isinstance(tags, list) or not 1 <= len(tags) <= MOST_TAGS:
        raise InvalidInput(f"tags is a list of 1 to {MOST_TAGS} texts", field="tags")
    for tag in tags:
        if not isinstance(tag, str) or not tag.strip() or len(tag) > LONGEST_TAG:
            raise InvalidInput(
                f"a tag is a text of 1 to {LONGEST_TAG} characters, not {str(tag)[:40]!r}",
                field="tags",
            )


def _told(payload: bytes) -> dict[str, object]:
    record = event_pb2.EventRecord.FromString(payload)
    return dict(read_object(record.event.properties_json))
