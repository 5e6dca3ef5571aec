"""Waits until imported history has been judged."""

from __future__ import annotations

from collections.abc import Sequence

from hairspring.cli import calls
from hairspring.cli.output import say
from hairspring.contracts.definition.v1 import definition_pb2, definition_service_pb2
from hairspring.contracts.definition.v1.definition_service_pb2_grpc import DefinitionServiceStub
from hairspring.contracts.membership.v1 import membership_service_pb2 as pb
from hairspring.contracts.membership.v1.membership_service_pb2_grpc import MembershipServiceStub

_QUESTIONS = 500
_MOST_PROFILES = 2_000


async def until_evaluated(profiles: Sequence[str]) -> bool:
    """Ask for memberships behind a barrier, whose answers come once all before is judged.

    Returns False where the rule evaluator did not answer: it will judge once it is back.
    """
    try:
        async with calls.open_service("evaluator") as channel:
            listed = await DefinitionServiceStub(channel).ListDefinitions(
                definition_service_pb2.ListDefinitionsRequest(
                    kind=definition_pb2.DEFINITION_KIND_SEGMENT
                ),
                timeout=calls.DEADLINE_SECONDS,
            )
            if not listed.definitions:
                return True
            segment = listed.definitions[0].name
            asked = profiles[:_MOST_PROFILES]
            for start in range(0, len(asked), _QUESTIONS):
                await MembershipServiceStub(channel).CheckMemberships(
                    pb.CheckMembershipsRequest(
                        questions=[
                            pb.MembershipQuestion(profile_id=profile, segment=segment)
                            for profile in asked[start : start + _QUESTIONS]
                        ]
                    ),
                    timeout=calls.DEADLINE_SECONDS,
                )
    except calls.ServiceError as error:
        say(f"Everything is recorded, but not judged yet. {error.message}")
        return False
    return True
