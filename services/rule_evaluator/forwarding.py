"""Calls for profiles whose shards another replica owns: they are passed on to it, one hop far.

So a caller needs the address of any one replica. While shards change hands, a call waits a little
for whoever owns them next.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import grpc
from hairspring.contracts.membership.v1 import membership_service_pb2
from hairspring.contracts.membership.v1.membership_service_pb2_grpc import MembershipServiceStub
from hairspring.contracts.profile.v1 import profile_service_pb2
from hairspring.contracts.profile.v1.profile_service_pb2_grpc import ProfileServiceStub
from hairspring.runtime.errors import (
    Exhausted,
    InvalidInput,
    NotFound,
    NotNow,
    Problem,
    Unavailable,
)
from hairspring.runtime.workspaces import workspace_of
from hairspring.services.rule_evaluator.evaluation import NotOwned
from hairspring.services.rule_evaluator.handlers.memberships import (
    MOST_QUESTIONS,
    MembershipHandlers,
)
from hairspring.services.rule_evaluator.peers import Peers
from hairspring.services.rule_evaluator.work import TermEnded

FORWARDED = "hairspring-forwarded"
"""The metadata of a call that was passed on: whoever gets it answers it, or says no."""

PATIENCE_SECONDS = 5.0
PAUSE_SECONDS = 0.05
CALL_SECONDS = 15.0
HERE = "here"

_SAID = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidInput,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: NotNow,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Exhausted,
}
_AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)

R = TypeVar("R")
Local = Callable[[], Awaitable[R]]
Remote = Callable[[grpc.aio.Channel, dict[str, Any]], Awaitable[R]]


class ForwardedMemberships(MembershipHandlers):
    """Serves MembershipService and ProfileService for the profiles of all replicas."""

    def __init__(self, peers: Peers, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._peers = peers

    async def CheckMemberships(
        self,
        request: membership_service_pb2.CheckMembershipsRequest,
        context: grpc.aio.ServicerContext,
    ) -> membership_service_pb2.CheckMembershipsResponse:
        """Has each owner answer its questions, and joins the answers in the order asked.

        Where a profile has become part of another, that one is asked about.
        """
        if _was_forwarded(context) or len(request.questions) > MOST_QUESTIONS:
            return await super().CheckMemberships(request, context)
        asked = membership_service_pb2.CheckMembershipsRequest()
        asked.CopyFrom(request)
        workspace = workspace_of(request.workspace_id)
        answers: dict[int, membership_service_pb2.MembershipAnswer] = {}
        waiting = list(range(len(asked.questions)))
        patience = Patience(context)
        while waiting:
            parts: dict[str, list[int]] = {}
            moved: set[int] = set()
            for number in waiting:
                shard = self._key(workspace, asked.questions[number].profile_id).shard
                parts.setdefault(await self._place(shard), []).append(number)
            for part, response in zip(
                parts.values(),
                await asyncio.gather(
                    *(self._check(place, asked, part, patience) for place, part in parts.items())
                ),
                strict=True,
            ):
                if response is None:
                    continue
                for number, answer in zip(part, response.answers, strict=True):
                    question = asked.questions[number]
                    if answer.profile_id in ("", question.profile_id):
                        answers[number] = answer
                    else:
                        question.profile_id = answer.profile_id
                        moved.add(number)
            waiting = [number for number in waiting if number not in answers]
            if any(number not in moved for number in waiting):
                await self._pause(patience)
        return membership_service_pb2.CheckMembershipsResponse(
            answers=[answers[number] for number in range(len(asked.questions))]
        )

    async def _check(
        self,
        place: str,
        request: membership_service_pb2.CheckMembershipsRequest,
        part: Sequence[int],
        patience: "Patience",
    ) -> membership_service_pb2.CheckMembershipsResponse | None:
        some = membership_service_pb2.CheckMembershipsRequest(
            workspace_id=request.workspace_id,
            questions=[request.questions[number] for number in part],
        )
        return await self._ask(
            place,
            lambda: MembershipHandlers.CheckMemberships(self, some, patience.context),
            lambda channel, more: MembershipServiceStub(channel).CheckMemberships(some, **more),
            patience,
        )

    async def ExplainMembership(
        self,
        request: membership_service_pb2.ExplainMembershipRequest,
        context: grpc.aio.ServicerContext,
    ) -> membership_service_pb2.ExplainMembershipResponse:
        """Has the owner of the profile explain it."""
        if not _was_forwarded(context) and request.profile_id:
            profile, asked = await self.explained_profile(request), request
            request = membership_service_pb2.ExplainMembershipRequest()
            request.CopyFrom(asked)
            request.profile_id = profile
        return await self._answer(
            request,
            lambda: MembershipHandlers.ExplainMembership(self, request, context),
            lambda channel, more: MembershipServiceStub(channel).ExplainMembership(request, **more),
            context,
        )

    async def GetProfile(
        self, request: profile_service_pb2.GetProfileRequest, context: grpc.aio.ServicerContext
    ) -> profile_service_pb2.GetProfileResponse:
        """Has the owner of the profile read it, or of the one that it has become part of."""
        try:
            return await self._get_profile(request, context)
        except NotFound:
            if _was_forwarded(context):
                raise
            workspace, asked = workspace_of(request.workspace_id), request.profile_id
            now = (await self.survivors(workspace, [asked])).get(asked)
            if now is None:
                raise
        moved = profile_service_pb2.GetProfileRequest(workspace_id=workspace, profile_id=now)
        return await self._get_profile(moved, context)

    async def _get_profile(
        self, request: profile_service_pb2.GetProfileRequest, context: grpc.aio.ServicerContext
    ) -> profile_service_pb2.GetProfileResponse:
        return await self._answer(
            request,
            lambda: MembershipHandlers.GetProfile(self, request, context),
            lambda channel, more: ProfileServiceStub(channel).GetProfile(request, **more),
            context,
        )

    async def _answer(
        self, request: Any, local: Local[R], remote: Remote[R], context: grpc.aio.ServicerContext
    ) -> R:
        """Answers a request about one profile, here or by its owner."""
        if _was_forwarded(context):
            return await local()
        shard = self._key(workspace_of(request.workspace_id), request.profile_id).shard
        patience = Patience(context)
        while True:
            found = await self._ask(await self._place(shard), local, remote, patience)
            if found is not None:
                return found
            await self._pause(patience)

    async def _place(self, shard: int) -> str:
        """Who answers for a shard: HERE, or the address of its owner; empty while nobody does."""
        return HERE if self._evaluation.owns(shard) else await self._peers.address_of(shard)

    async def _ask(
        self, place: str, local: Local[R], remote: Remote[R], patience: "Patience"
    ) -> R | None:
        """Asks who owns the shard; None if that one cannot answer, or not any more."""
        if not place:
            return None
        if place == HERE:
            try:
                return await local()
            except (NotOwned, TermEnded):
                return None
        more = {"metadata": ((FORWARDED, "1"),), "timeout": patience.call_seconds()}
        try:
            return await remote(await self._peers.channel(place), more)
        except grpc.aio.AioRpcError as error:
            if error.code() not in _AGAIN:
                raise _problem(error) from error
            patience.said = error.details() or patience.said
            return None

    async def _pause(self, patience: "Patience") -> None:
        if patience.is_over():
            raise Unavailable(patience.said)
        self._peers.forget()
        await asyncio.sleep(PAUSE_SECONDS)


class Patience:
    """How long a call waits for shards that change hands, within its own deadline.

    `said` is what its caller is told when that was in vain.
    """

    def __init__(self, context: grpc.aio.ServicerContext) -> None:
        self.context = context
        self.said = "the shard of that profile is changing its owner just now; ask again"
        self._time = asyncio.get_running_loop().time
        self._until = self._time() + PATIENCE_SECONDS

    def is_over(self) -> bool:
        """Tells whether there is no time left for another try."""
        left = self.context.time_remaining()
        ends = left is not None and left < 2 * PAUSE_SECONDS
        return ends or self._time() > self._until

    def call_seconds(self) -> float:
        """How long the owner may take to answer."""
        left = self.context.time_remaining()
        return CALL_SECONDS if left is None else min(left, CALL_SECONDS)


def _was_forwarded(context: grpc.aio.ServicerContext) -> bool:
    return any(key == FORWARDED for key, _ in context.invocation_metadata() or ())


def _problem(error: grpc.aio.AioRpcError) -> Exception:
    """What the owner said, to be said in its words."""
    kind: type[Problem] | None = _SAID.get(error.code())
    return error if kind is None else kind(error.details() or "")
