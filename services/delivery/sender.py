"""Looks at the runs that are due, and sends what they are to send: once, and only to members.

For each message: its row is PENDING before anything else; the evaluator is asked behind a barrier
whether the profile is still there; the mail is written; the row becomes SENDING, which is committed
before the mail server hears of it; then comes what the mail server said. So a mail is sent at most
once, whatever dies when.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hairspring.database.pool import DRIVER_ERRORS, DatabaseUnavailable
from hairspring.log.shards import shard_of
from hairspring.runtime.clock import Clock
from hairspring.runtime.errors import is_outage
from hairspring.runtime.logging import get_logger
from hairspring.services.delivery.adapters.calls import Away
from hairspring.services.delivery.adapters.definitions import Catalog, Definitions
from hairspring.services.delivery.adapters.evaluator import Evaluator
from hairspring.services.delivery.composing import (
    Composed,
    Facts,
    NotSent,
    Ready,
    as_it_counts,
    compose,
    has_left,
    is_behind,
    marked,
    passed,
    still_there,
    unmoved,
    yields,
)
from hairspring.services.delivery.facts import FactFinder, Wanted
from hairspring.services.delivery.ledger import Ledger
from hairspring.services.delivery.mail import Sender
from hairspring.services.delivery.mailing import CONNECTIONS, Mailer
from hairspring.services.delivery.messages import (
    BEHIND,
    STOPPED,
    Message,
    MessageStatus,
    Report,
    by_run,
    settle,
)
from hairspring.services.delivery.questions import Answer, in_order, question_of
from hairspring.services.delivery.rendering import CannotRender, Prepared, Renderer
from hairspring.services.delivery.runs import Run
from hairspring.services.delivery.store import DeliveryStore
from hairspring.services.delivery.taking_up import Due, Look, look
from hairspring.services.delivery.telling import tell_messages, tell_runs
from hairspring.services.delivery.waits import Waits, Wake, wake_of
from hairspring.wire.flows import EMAIL

RETRY_SECONDS = 0.5
"""How long to wait before what the mail server said is committed again, while Postgres is away."""

BEHIND_MS = 500
"""After how long a run is looked at again whose evaluator is ahead of what was read of its log."""

log = get_logger()


class Sending:
    """The use case of sending. One call at a time; raises Away where a service does not answer."""

    def __init__(
        self,
        *,
        store: DeliveryStore,
        ledger: Ledger,
        waits: Waits,
        definitions: Definitions,
        evaluator: Evaluator,
        facts: FactFinder,
        mailer: Mailer,
        sender: Sender,
        clock: Clock,
        shard_count: int,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._waits = waits
        self._definitions = definitions
        self._evaluator = evaluator
        self._facts = facts
        self._mailer = mailer
        self._sender = sender
        self._clock = clock
        self._shard_count = shard_count
        self._renderer = Renderer()
        self._in_hand: set[str] = set()

    async def look_at(self, wakes: Sequence[Wake]) -> None:
        """Carry every one of these runs as far as it goes now.

        Raises Away, before anything was sent: the same wake-ups are then to come again.
        """
        due = await self._take_up(list(dict.fromkeys(wakes)))
        if not due:
            return
        try:
            composed = await self._compose(due)
        except Away as error:
            await self._put_off(due, str(error))
            raise
        for first in range(0, len(composed), CONNECTIONS):
            await self._send(composed[first : first + CONNECTIONS])

    async def settle_interrupted(self) -> None:
        """Settle what is marked as being handed over, and is not: nobody knows what became of it.

        So it is where a former owner stopped, or where marking it got no answer. Such a message is
        never sent again; its run goes on when it is next looked at.
        """
        async with self._ledger.turn():
            found = await self._store.sending_in(list(self._ledger.owned))
            lost = [one for one in found if one.message_id not in self._in_hand]
            interrupted = [message.unknown(STOPPED) for message in lost]
            await self._write([], interrupted)
        tell_messages(interrupted)

    async def _send(self, composed: Sequence[Composed]) -> None:
        """Mark messages as being handed over, and hand them over."""
        in_hand = {one.message.message_id for one in composed if isinstance(one, Ready)}
        self._in_hand |= in_hand
        try:
            ready = await self._begin(composed)
            if ready:
                await self._hand_over(ready)
        finally:
            self._in_hand -= in_hand

    async def _take_up(self, wakes: Sequence[Wake]) -> list[Due]:
        """Pass the waits that are over, and find the messages that are due."""
        catalogs = await self._catalogs(await self._store.runs_of(wakes))
        async with self._ledger.turn():
            runs = await self._store.runs_of(wakes)
            messages = by_run(await self._store.messages_of(wakes))
            now = self._clock()
            before = {run.run_id: run for run in runs}
            looks = [
                look(
                    run,
                    catalogs[_version(run)].flows.get(run.flow),
                    messages.get(run.run_id, {}),
                    now,
                )
                for run in runs
                if run.active
            ]
            moved = [one.run for one in looks if one.run is not before[one.run.run_id]]
            await self._write_looks(looks, moved)
        tell_runs(moved)
        waiting = [one.run for one in looks if one.due is None]
        await self._waits.follow([run for run in waiting if run is not before[run.run_id]])
        # What did not move rang too early, or by a wake-up of the past.
        still = [run for run in waiting if run is before[run.run_id]]
        await self._waits.ring_later(still, now)
        return [one.due for one in looks if one.due is not None]

    async def _write_looks(self, looks: Sequence[Look], moved: Sequence[Run]) -> None:
        messages = [message for one in looks for message in one.messages]
        if not moved and not messages:
            return
        shards = {one.run.shard for one in looks}
        async with self._ledger.effect(shards) as connection:
            await self._store.save_runs(connection, moved)
            await self._store.save_messages(connection, messages)
            await self._store.skip_pending(connection, moved)
        unknown = [message for message in messages if message.status is MessageStatus.UNKNOWN]
        tell_messages(unknown, [one.run for one in looks])

    async def _answers(self, due: Sequence[Due]) -> dict[str, Answer]:
        """Ask who is still there; answers by run. Raises Away."""
        questions = {one.run.run_id: question_of(one.run) for one in due}
        answers = await self._evaluator.check(sorted(set(questions.values()), key=in_order))
        return {run_id: answers[question] for run_id, question in questions.items()}

    async def _compose(self, due: Sequence[Due]) -> list[Composed]:
        """Ask who is still there, and write the mails. Raises Away."""
        answers = await self._answers(due)
        behind = [one for one in due if is_behind(one, answers[one.run.run_id])]
        if behind:
            await self._put_off(behind, BEHIND)
            await self._waits.ring_again([one.run for one in behind], BEHIND_MS)
            due = [one for one in due if one not in behind]
        running = await self._running(due, [answers[one.run.run_id] for one in due])
        now = self._clock()
        composed: list[Composed] = []
        wanted: list[Wanted] = []
        for one in due:
            answer = answers[one.run.run_id]
            if not still_there(one, answer):
                composed.append(has_left(one, now))
                continue
            if one.run.run_id in running:
                composed.append(yields(one, now))
                continue
            prepared = await self._prepare(one, now)
            if isinstance(prepared, NotSent):
                composed.append(prepared)
            else:
                profile = answer.profile or one.run.profile
                wanted.append(Wanted(due=one, prepared=prepared, profile=profile))
        facts = await self._facts.facts_of(wanted)
        return composed + [self._written(one, answers[one.due.run.run_id], facts) for one in wanted]

    async def _running(self, due: Sequence[Due], answers: Sequence[Answer]) -> set[str]:
        """Find the runs of ids that became part of profiles which have runs of the same flows."""
        moved = [
            (
                one.run,
                (
                    shard_of(one.run.workspace, answer.profile, self._shard_count),
                    one.run.workspace,
                    answer.profile,
                ),
            )
            for one, answer in zip(due, answers, strict=True)
            if answer.profile not in ("", one.run.profile)
        ]
        if not moved:
            return set()
        active = await self._store.active_of(sorted({place for _, place in moved}))
        known = {((run.shard, run.workspace, run.profile), run.flow) for run in active}
        return {run.run_id for run, place in moved if (place, run.flow) in known}

    def _written(self, one: Wanted, answer: Answer, facts: Mapping[str, Facts]) -> Composed:
        """Write one mail. One that cannot be written fails alone, and is logged whole."""
        due, now = one.due, self._clock()
        known = facts.get(due.run.run_id, Facts())
        try:
            return compose(due, answer, one.prepared, known, self._sender, now)
        except Exception as error:
            log.exception("mail_not_written", message_id=due.message.message_id)
            reason = f"the mail cannot be written: {type(error).__name__}"
            return passed(due, due.message.failed(reason), now)

    async def _prepare(self, due: Due, now: int) -> Prepared | NotSent:
        """Find and parse the template as it was when the run started."""
        catalog = await self._definitions.at(*_version(due.run))
        template = catalog.templates.get(due.message.template)
        if template is None:
            failed = due.message.failed(f"there is no template {due.message.template}")
            return passed(due, failed, now)
        if due.message.channel != EMAIL:
            failed = due.message.failed(f"there is no channel {due.message.channel}")
            return passed(due, failed, now)
        try:
            return self._renderer.prepare(template)
        except CannotRender as error:
            failed = due.message.failed(f"the template cannot be read: {error}")
            return passed(due, failed, now)

    async def _begin(self, composed: Sequence[Composed]) -> list[Ready]:
        """Commit what is not sent, and mark as SENDING what is; answers what may go out.

        What ended or moved on meanwhile is left as it is.
        """
        async with self._ledger.turn():
            current = await self._current([one.due.run for one in composed])
            valid = [one for one in composed if unmoved(one, current)]
            settled = [as_it_counts(one, current) for one in valid if isinstance(one, NotSent)]
            ready = [marked(one) for one in valid if isinstance(one, Ready)]
            runs = [one.run for one in settled]
            messages = [one.message for one in settled] + [one.message for one in ready]
            await self._write(runs, messages)
        tell_messages([one.message for one in settled], runs)
        tell_runs(runs)
        await self._waits.follow(runs)
        return ready

    async def _hand_over(self, ready: Sequence[Ready]) -> None:
        """Hand the mails over, a few at a time, and commit what the mail server said."""
        reports = await asyncio.gather(*(self._mailer.hand_over(one.envelope) for one in ready))
        said = dict(zip((one.message.message_id for one in ready), reports, strict=True))
        while True:
            try:
                await self._settle(ready, said)
                return
            except (*DRIVER_ERRORS, DatabaseUnavailable) as error:
                if not isinstance(error, DatabaseUnavailable) and not is_outage(error):
                    raise
                log.warning("messages_not_committed", messages=len(ready), error=str(error))
            await asyncio.sleep(RETRY_SECONDS)

    async def _settle(self, ready: Sequence[Ready], said: Mapping[str, Report]) -> None:
        async with self._ledger.turn():
            current = await self._current([one.due.run for one in ready])
            settled = [
                settle(
                    one.message,
                    current[one.due.run.run_id],
                    one.due.flow,
                    said[one.message.message_id],
                )
                for one in ready
                if one.due.run.run_id in current
            ]
            runs = [run for _, run in settled]
            messages = [message for message, _ in settled]
            await self._write([run for run in runs if run is not current[run.run_id]], messages)
        tell_messages(messages, runs)
        tell_runs([run for run in runs if run is not current[run.run_id] and not run.active])
        await self._waits.follow(runs)

    async def _put_off(self, due: Sequence[Due], reason: str) -> None:
        """Note why these messages wait, where that is new."""
        log.warning("messages_put_off", messages=len(due), reason=reason)
        async with self._ledger.turn():
            current = await self._current([one.run for one in due])
            waiting = [
                replace(one.message, reason=reason)
                for one in due
                if unmoved(one, current) and one.message.reason != reason
            ]
            await self._write([], waiting)

    async def _write(self, runs: Sequence[Run], messages: Sequence[Message]) -> None:
        """Commit runs and messages in one effect. Only in a turn."""
        shards = {run.shard for run in runs} | {message.shard for message in messages}
        if not shards:
            return
        async with self._ledger.effect(shards) as connection:
            await self._store.save_runs(connection, runs)
            await self._store.save_messages(connection, messages)

    async def _current(self, runs: Sequence[Run]) -> dict[str, Run]:
        """Read how these runs stand now. Only in a turn."""
        found = await self._store.runs_of([wake_of(run) for run in runs])
        return {run.run_id: run for run in found}

    async def _catalogs(self, runs: Iterable[Run]) -> dict[tuple[str, int], Catalog]:
        versions = dict.fromkeys(map(_version, runs))
        return {version: await self._definitions.at(*version) for version in versions}


def _version(run: Run) -> tuple[str, int]:
    return (run.workspace, run.plan_version)
