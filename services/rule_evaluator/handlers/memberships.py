"""MembershipService and ProfileService: who is where, and why."""

from collections.abc import Collection, Mapping, Sequence

import grpc
import orjson
from hairspring.contracts.membership.v1 import membership_pb2, membership_service_pb2
from hairspring.contracts.membership.v1.membership_service_pb2_grpc import (
    MembershipServiceServicer,
)
from hairspring.contracts.profile.v1 import profile_pb2, profile_service_pb2
from hairspring.contracts.profile.v1.profile_service_pb2_grpc import ProfileServiceServicer
from hairspring.engine.explain import Account, account, references
from hairspring.log.shards import shard_of
from hairspring.runtime.clock import Clock
from hairspring.runtime.errors import InvalidInput, NotFound, Unavailable
from hairspring.runtime.workspaces import workspace_of
from hairspring.services.rule_evaluator.adapters.event_log import EventLog
from hairspring.services.rule_evaluator.evaluation import Evaluation
from hairspring.services.rule_evaluator.explaining import Explained, Explaining, Moment, latest
from hairspring.services.rule_evaluator.going_back import notes
from hairspring.services.rule_evaluator.handlers.explained import to_response
from hairspring.services.rule_evaluator.handlers.pages import (
    make_token,
    page_size,
    read_token,
)
from hairspring.services.rule_evaluator.handlers.sizes import Sizes
from hairspring.services.rule_evaluator.plans import Plans
from hairspring.services.rule_evaluator.work import Reader
from hairspring.store.port import Key, SegmentStore, Stored
from hairspring.wire.times import from_ms, set_ms, to_ms

MOST_QUESTIONS = 500


class MembershipHandlers(MembershipServiceServicer, ProfileServiceServicer):
    """Serves MembershipService and ProfileService."""

    def __init__(
        self,
        evaluation: Evaluation,
        store: SegmentStore,
        events: EventLog,
        explaining: Explaining,
        clock: Clock,
        shard_count: int,
    ) -> None:
        self._evaluation = evaluation
        self._store = store
        self._events = events
        self._explaining = explaining
        self._clock = clock
        self._shard_count = shard_count
        self._sizes = Sizes(store, evaluation.book)

    async def ListMembers(
        self,
        request: membership_service_pb2.ListMembersRequest,
        context: grpc.aio.ServicerContext,
    ) -> membership_service_pb2.ListMembersResponse:
        """Lists the members of a segment, by profile."""
        workspace = workspace_of(request.workspace_id)
        await self._require_segment(workspace, request.segment, filled=False)
        size = page_size(request.page_size)
        after = read_token(request.page_token)
        page = await self._store.members(workspace, request.segment, after, size)
        return membership_service_pb2.ListMembersResponse(
            members=[
                membership_pb2.Membership(
                    profile_id=member.profile,
                    segment=request.segment,
                    enter_time=from_ms(member.entered_at),
                )
                for member in page
            ],
            next_page_token=make_token(page[-1].profile) if len(page) == size else "",
        )

    async def CountMembers(
        self,
        request: membership_service_pb2.CountMembersRequest,
        context: grpc.aio.ServicerContext,
    ) -> membership_service_pb2.CountMembersResponse:
        """Counts the members of every segment, and tells which are being filled."""
        workspace = workspace_of(request.workspace_id)
        return membership_service_pb2.CountMembersResponse(counts=await self._sizes.of(workspace))

    async def CheckMemberships(
        self,
        request: membership_service_pb2.CheckMembershipsRequest,
        context: grpc.aio.ServicerContext,
    ) -> membership_service_pb2.CheckMembershipsResponse:
        """Answers behind a barrier: everything accepted before has been evaluated."""
        workspace = workspace_of(request.workspace_id)
        if len(request.questions) > MOST_QUESTIONS:
            raise InvalidInput(f"at most {MOST_QUESTIONS} questions can be asked at once")
        keys = {
            question.profile_id: self._key(workspace, question.profile_id)
            for question in request.questions
        }
        asked: dict[str, set[str]] = {}
        for question in request.questions:
            asked.setdefault(question.profile_id, set()).add(question.segment)
        answers: dict[tuple[str, str], membership_service_pb2.MembershipAnswer] = {}
        unknown: list[str] = []

        def read(key: Key, stored: Stored) -> None:
            for segment in asked[key.profile]:
                answers[key.profile, segment] = _answer(key.profile, stored, segment)
            if stored.state.clock is None:
                unknown.append(key.profile)

        await self._look(list(keys.values()), read)
        if unknown:
            await self._name_survivors(workspace, unknown, asked, answers)
        return membership_service_pb2.CheckMembershipsResponse(
            answers=[answers[q.profile_id, q.segment] for q in request.questions]
        )

    async def _name_survivors(
        self,
        workspace: str,
        unknown: Sequence[str],
        asked: Mapping[str, Collection[str]],
        answers: dict[tuple[str, str], membership_service_pb2.MembershipAnswer],
    ) -> None:
        """Names in the answers whose profile those are by now of whom nothing is known any more.

        They are asked about only after the look: an id that was linked before it is found.
        """
        for profile, now in (await self.survivors(workspace, unknown)).items():
            for segment in asked[profile]:
                answers[profile, segment].profile_id = now

    async def survivors(self, workspace: str, profiles: Sequence[str]) -> dict[str, str]:
        """Tells of which profiles these ids are part by now, as ingest has it."""
        try:
            found = await self._events.resolve(workspace, profiles)
        except grpc.aio.AioRpcError as error:
            raise Unavailable(
                f"ingest cannot say just now whose ids these are ({error.details()}); try again"
            ) from error
        return {former: one.profile_id for former, one in found.items()}

    async def explained_profile(
        self, request: membership_service_pb2.ExplainMembershipRequest
    ) -> str:
        """Tells whom an explanation of an id is about: the profile that it is part of by now.

        Of a moment before it became that, and of a transition of its own, it is about the id.
        """
        workspace, profile = workspace_of(request.workspace_id), request.profile_id
        try:
            found = (await self._events.resolve(workspace, [profile])).get(profile)
        except grpc.aio.AioRpcError:
            return profile  # Whoever explains it will hear of that too.
        kind = request.WhichOneof("moment")
        if found is None:
            return profile
        if kind == "read_time" and to_ms(request.read_time) < to_ms(found.merge_time):
            return profile
        if kind == "transition_position":
            own = await self._explaining.records(self._key(workspace, profile))
            if any(record.position == request.transition_position for record in own):
                return profile
        return found.profile_id

    async def ExplainMembership(
        self,
        request: membership_service_pb2.ExplainMembershipRequest,
        context: grpc.aio.ServicerContext,
    ) -> membership_service_pb2.ExplainMembershipResponse:
        """Explains why a profile is in a segment, or is not: as of now, or of any moment."""
        workspace = workspace_of(request.workspace_id)
        key = self._key(workspace, request.profile_id)
        kind = request.WhichOneof("moment")
        if kind is not None:
            moment = Moment(
                at=to_ms(request.read_time) if kind == "read_time" else None,
                position=request.transition_position if kind == "transition_position" else None,
                hindsight=request.hindsight,
            )
            if moment.hindsight and moment.position is not None:
                raise InvalidInput("hindsight needs a read_time, not a transition_position")
            explained = await self._explaining.explain(key, request.segment, moment, self._clock())
            return to_response(explained, key.profile)
        if request.hindsight:
            raise InvalidInput("hindsight needs a read_time; as of now, everything is known")
        return to_response(await self._explain_now(key, request.segment), key.profile)

    async def _explain_now(self, key: Key, name: str) -> Explained:
        await self._require_segment(key.workspace, name)
        plan = (await self._plans()).by_workspace[key.workspace]
        segment = plan.segments[plan.number[name]]
        now = self._clock()
        accounts: list[Account] = []

        def read(_key: Key, stored: Stored) -> None:
            accounts.append(account(segment, stored.state, now))

        await self._look([key], read)
        return Explained(
            at=now,
            segment=segment,
            account=accounts[0],
            events=await self._events.get(key.workspace, references(accounts[0])),
            records=latest(await self._explaining.records(key), name, now),
            notes=notes(await self._explaining.set_aside(key)),
        )

    async def GetProfile(
        self, request: profile_service_pb2.GetProfileRequest, context: grpc.aio.ServicerContext
    ) -> profile_service_pb2.GetProfileResponse:
        """Reads one profile, behind a barrier."""
        key = self._key(workspace_of(request.workspace_id), request.profile_id)
        profiles: list[profile_pb2.Profile] = []

        def read(key: Key, stored: Stored) -> None:
            if stored.state.clock is not None or stored.incomplete:
                profiles.append(_profile(key, stored))

        await self._look([key], read)
        if not profiles:
            raise NotFound(f"nothing is known of the profile {request.profile_id!r}")
        return profile_service_pb2.GetProfileResponse(profile=profiles[0])

    async def _look(self, keys: Sequence[Key], reader: Reader) -> None:
        if keys:
            await self._evaluation.look(keys, through=self._clock(), reader=reader)

    async def _plans(self) -> Plans:
        book = self._evaluation.book
        return await book.at(await book.latest())

    async def _require_segment(self, workspace: str, name: str, *, filled: bool = True) -> None:
        """Raises NotFound, or, where it has to be `filled` and is not yet, Unavailable."""
        plans = await self._plans()
        plan, filling = plans.by_workspace.get(workspace), plans.fillings.get(workspace)
        if plan is not None and name in plan.number:
            return
        if filling is None or name not in filling.forms:
            raise NotFound(f"there is no segment {name!r}; `hairspring get segments` lists them")
        if filled:
            raise Unavailable(
                f"the segment {name!r} is being filled from the recorded history; "
                "`hairspring get segments` tells how far it is"
            )

    def _key(self, workspace: str, profile: str) -> Key:
        if not profile:
            raise InvalidInput("profile_id is empty; say whose membership is meant")
        return Key(shard_of(workspace, profile, self._shard_count), workspace, profile)


def _answer(profile: str, stored: Stored, segment: str) -> membership_service_pb2.MembershipAnswer:
    answer = membership_service_pb2.MembershipAnswer(
        profile_id=profile,
        traits_json=orjson.dumps(stored.state.current_traits()),
        incomplete=stored.incomplete,
    )
    state = stored.state.segments.get(segment)
    if state is not None and state.member:
        answer.member = True
        set_ms(answer.enter_time, state.entered_at or 0)
    return answer


def _profile(key: Key, stored: Stored) -> profile_pb2.Profile:
    state = stored.state
    profile = profile_pb2.Profile(
        profile_id=key.profile,
        traits_json=orjson.dumps(state.current_traits()),
        segments=sorted(name for name, segment in state.segments.items() if segment.member),
        incomplete=stored.incomplete,
    )
    if state.clock is not None:
        set_ms(profile.clock_time, state.clock)
    if (alarm := state.alarm()) is not None:
        set_ms(profile.due_time, alarm)
    return profile
