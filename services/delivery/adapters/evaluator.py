"""The rule evaluator as delivery sees it: its log, its answers, its definitions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from hairspring.contracts.definition.v1 import (
    definition_pb2,
    definition_service_pb2,
    definition_service_pb2_grpc,
)
from hairspring.contracts.event.v1 import event_log_service_pb2
from hairspring.contracts.membership.v1 import (
    membership_service_pb2,
    membership_service_pb2_grpc,
)
from hairspring.contracts.transition.v1 import (
    transition_pb2,
    transition_service_pb2,
    transition_service_pb2_grpc,
)
from hairspring.services.delivery.adapters.calls import CALL_SECONDS, Refused, answered
from hairspring.services.delivery.questions import Answer, Question
from hairspring.wire.times import ms_of

SERVICE = "the rule evaluator"
MOST_QUESTIONS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """A batch of the evaluator's log: all that there is of our shards up to `through`."""

    records: Sequence[transition_pb2.Record]
    through: int


class Evaluator:
    """Asks the rule evaluator. Every method raises Away when it does not answer."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._transitions = transition_service_pb2_grpc.TransitionServiceStub(channel)
        self._memberships = membership_service_pb2_grpc.MembershipServiceStub(channel)
        self._definitions = definition_service_pb2_grpc.DefinitionServiceStub(channel)

    async def tail(self, positions: Mapping[int, int], max_batch: int) -> AsyncIterator[Records]:
        """Follow the log from after these positions, by shard, without end."""
        request = transition_service_pb2.TailRecordsRequest(
            shards=[
                event_log_service_pb2.ShardPosition(shard=shard, position=position)
                for shard, position in positions.items()
            ],
            max_batch_size=max_batch,
        )
        stream = self._transitions.TailRecords(request)
        try:
            while (got := await answered(SERVICE, stream.read())) is not grpc.aio.EOF:
                yield Records(records=got.records, through=got.through_position)
        finally:
            stream.cancel()

    async def check(self, questions: Sequence[Question]) -> dict[Question, Answer]:
        """Ask whether these are members once everything accepted before now has been evaluated.

        A question that the evaluator refuses, as for a segment that is gone, is answered with no.
        """
        answers: dict[Question, Answer] = {}
        for workspace in {question.workspace for question in questions}:
            asked = [question for question in questions if question.workspace == workspace]
            for first in range(0, len(asked), MOST_QUESTIONS):
                answers |= await self._check(workspace, asked[first : first + MOST_QUESTIONS])
        return answers

    async def _check(self, workspace: str, asked: list[Question]) -> dict[Question, Answer]:
        try:
            return await self._ask(workspace, asked)
        except Refused:
            if len(asked) == 1:
                return {asked[0]: Answer(member=False)}
        middle = len(asked) // 2
        return await self._check(workspace, asked[:middle]) | await self._check(
            workspace, asked[middle:]
        )

    async def _ask(self, workspace: str, asked: list[Question]) -> dict[Question, Answer]:
        request = membership_service_pb2.CheckMembershipsRequest(
            workspace_id=workspace,
            questions=[
                membership_service_pb2.MembershipQuestion(
                    profile_id=question.profile, segment=question.segment
                )
                for question in asked
            ],
        )
        call = self._memberships.CheckMemberships(request, timeout=CALL_SECONDS)
        response = await answered(SERVICE, call)
        return {
            question: _answer(told) for question, told in zip(asked, response.answers, strict=True)
        }

    async def definitions(
        self, workspace: str, plan_version: int
    ) -> Sequence[definition_pb2.Definition]:
        """List the definitions as they are at a plan version."""
        request = definition_service_pb2.ListDefinitionsRequest(
            workspace_id=workspace, plan_version=plan_version
        )
        call = self._definitions.ListDefinitions(request, timeout=CALL_SECONDS)
        response = await answered(SERVICE, call)
        return list(response.definitions)


def _answer(told: membership_service_pb2.MembershipAnswer) -> Answer:
    return Answer(
        member=told.member,
        incomplete=told.incomplete,
        entered_at=ms_of(told, "enter_time"),
        profile=told.profile_id,
        traits=mapping_of(told.traits_json),
    )


def mapping_of(told: bytes) -> Mapping[str, Any]:
    """Read a JSON object; what is none counts as empty."""
    try:
        value = json.loads(told or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
