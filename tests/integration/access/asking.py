"""What is asked of each call by somebody to whom a workspace does not belong."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

HIDDEN = "hidden-from-others"
PROFILE = "ada"
SEGMENT = "cart-leavers"


def encoded(value: object) -> str:
    """Bytes of JSON, as JSON has bytes."""
    return base64.b64encode(json.dumps(value).encode()).decode()


def yaml(description: str, after: str) -> str:
    """A segment, a flow and a template that say something of their own."""
    return f"""
kind: Segment
name: {SEGMENT}
description: {description}
enter: {{performed: {{event: Product Added}}}}
---
kind: Flow
name: reminder
trigger: {{entered: {SEGMENT}}}
steps:
  - wait: {after}
  - send: {{template: reminder}}
---
kind: Template
name: reminder
channel: email
subject: "{description} {{{{ profile.name }}}}"
html: "<p>{description}</p>"
"""


def event(message_id: str, name: str = "Product Added", word: str = HIDDEN) -> dict[str, Any]:
    """An event whose properties say a word."""
    return {
        "profileId": PROFILE,
        "name": name,
        "messageId": message_id,
        "propertiesJson": encoded({"word": word}),
    }


Shows = Callable[[Sequence[Any]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A request that would show what is in a workspace, and whether an answer does."""

    fields: dict[str, Any]
    shows: Shows


def says_hidden(answers: Sequence[Any]) -> bool:
    """Whether the word that is hidden from others stands in an answer."""
    return any(HIDDEN.encode() in answer.SerializeToString() for answer in answers)


def holds(field: str) -> Shows:
    """Whether a field of an answer holds anything."""
    return lambda answers: any(len(getattr(answer, field)) for answer in answers)


_MANIFEST = {"path": "x.yaml", "text": yaml("preview", "1d")}
_TYPED = {
    "name": SEGMENT,
    "enter": {"performed": {"pattern": {"eventNames": ["Product Added"]}}},
}

READINGS: dict[str, Reading] = {
    "definition.v1.DefinitionService/ListDefinitions": Reading(fields={}, shows=says_hidden),
    "definition.v1.DefinitionService/GetDefinition": Reading(
        fields={"kind": "DEFINITION_KIND_SEGMENT", "name": SEGMENT}, shows=says_hidden
    ),
    "definition.v1.DefinitionService/ListDefinitionVersions": Reading(
        fields={"kind": "DEFINITION_KIND_SEGMENT", "name": SEGMENT}, shows=says_hidden
    ),
    "event.v1.EventLogService/TailEvents": Reading(fields={"stopAtHead": True}, shows=says_hidden),
    "event.v1.EventLogService/ListEvents": Reading(
        fields={"profileIds": [PROFILE]}, shows=says_hidden
    ),
    "event.v1.EventLogService/ResolveProfiles": Reading(
        fields={"profileIds": ["visitor"]}, shows=holds("profiles")
    ),
    "event.v1.EventLogService/GetEvents": Reading(
        fields={"positions": list(range(1, 10))}, shows=says_hidden
    ),
    "flow.v1.FlowService/ListRuns": Reading(fields={}, shows=holds("runs")),
    "key.v1.KeyService/ListKeys": Reading(fields={}, shows=says_hidden),
    "membership.v1.MembershipService/ListMembers": Reading(
        fields={"segment": SEGMENT}, shows=holds("members")
    ),
    "membership.v1.MembershipService/CountMembers": Reading(fields={}, shows=holds("counts")),
    "membership.v1.MembershipService/CheckMemberships": Reading(
        fields={"questions": [{"profileId": PROFILE, "segment": SEGMENT}]},
        shows=lambda answers: answers[0].answers[0].member or says_hidden(answers),
    ),
    "membership.v1.MembershipService/ExplainMembership": Reading(
        fields={"profileId": PROFILE, "segment": SEGMENT},
        shows=lambda answers: answers[0].member or says_hidden(answers),
    ),
    "message.v1.MessageService/ListMessages": Reading(fields={}, shows=says_hidden),
    "message.v1.MessageService/CountMessages": Reading(fields={}, shows=holds("counts")),
    "preview.v1.PreviewService/PreviewSegment": Reading(
        fields={"manifests": [_MANIFEST], "segment": SEGMENT},
        shows=lambda answers: answers[-1].preview.members > 0,
    ),
    "privacy.v1.PrivacyService/GetDeletion": Reading(
        fields={"deletionId": "d1"}, shows=lambda answers: answers[0].HasField("deletion")
    ),
    "privacy.v1.PrivacyService/ExportProfile": Reading(
        fields={"profileId": PROFILE}, shows=says_hidden
    ),
    "profile.v1.ProfileService/GetProfile": Reading(
        fields={"profileId": PROFILE}, shows=says_hidden
    ),
    "reject.v1.RejectService/ListRejects": Reading(fields={}, shows=holds("rejects")),
    "reject.v1.RejectService/GetReject": Reading(fields={"rejectId": 1}, shows=says_hidden),
    "segment.v1.SegmentService/GetSegment": Reading(fields={"name": SEGMENT}, shows=says_hidden),
    "segment.v1.SegmentService/ListSegments": Reading(fields={}, shows=says_hidden),
    "transition.v1.TransitionService/TailRecords": Reading(
        fields={"stopAtHead": True}, shows=holds("records")
    ),
    "transition.v1.TransitionService/ListTransitions": Reading(fields={}, shows=holds("records")),
    # Nothing is in quarantine here.
    "quarantine.v1.QuarantineService/ListQuarantineEntries": Reading(
        fields={}, shows=holds("entries")
    ),
    # Tells how far the log is, and nothing of what is in it.
    "event.v1.EventLogService/ReachBarrier": Reading(fields={}, shows=says_hidden),
}
SHOWS_NOTHING = {
    "quarantine.v1.QuarantineService/ListQuarantineEntries",
    "event.v1.EventLogService/ReachBarrier",
}

WRITINGS: dict[str, dict[str, Any]] = {
    "event.v1.EventService/TrackEvent": {"event": event("m1", word="rival")},
    "event.v1.EventService/BatchTrackEvents": {"events": [event("m2", "Removed", word="rival")]},
    "event.v1.EventService/StreamEvents": {"events": [event("m3", "Streamed", word="rival")]},
    "event.v1.EventService/IdentifyProfile": {
        "profileId": PROFILE,
        "traitsJson": encoded({"name": "rival", "email": "rival@example.com"}),
    },
    "event.v1.EventService/AliasProfile": {"profileId": "mallory", "previousId": "visitor"},
    "event.v1.EventService/AddTags": {"profileId": PROFILE, "tags": ["rival"]},
    "event.v1.EventService/RemoveTags": {"profileId": PROFILE, "tags": ["vip"]},
    "event.v1.EventService/ImportEvents": {
        "importId": "history",
        "events": [event("i1", word="rival")],
    },
    "event.v1.EventService/FinishImport": {"importId": "history"},
    "definition.v1.DefinitionService/ApplyDefinitions": {
        "manifests": [{"path": "x.yaml", "text": yaml("rival", "1s")}]
    },
    "quarantine.v1.QuarantineService/RetryProfiles": {"allProfiles": True},
    "segment.v1.SegmentService/CreateSegment": {"segment": _TYPED},
    "segment.v1.SegmentService/UpdateSegment": {"segment": _TYPED},
    "segment.v1.SegmentService/DeleteSegment": {"name": SEGMENT},
    "privacy.v1.PrivacyService/DeleteProfile": {"profileId": PROFILE, "deletionId": "d1"},
    "reject.v1.RejectService/ReplayRejects": {"rejectIds": [1]},
    "key.v1.KeyService/CreateKey": {"name": "rival", "scopes": ["SCOPE_WRITE"]},
    "key.v1.KeyService/RevokeKey": {"keyId": "KEY"},
}

FOR_SERVICES = {
    "event.v1.EventLogService/ReportProgress",
    "key.v1.KeyService/LookUpKeys",
    "shard.v1.ShardService/ListShards",
}

WITHOUT_WORKSPACE = {*FOR_SERVICES, "event.v1.EventLogService/ReachBarrier"}
"""The calls that concern no workspace: the log as a whole, and what services alone may ask."""
