"""What a turn does to one profile, in the steps by which it can be tried."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hairspring.engine.records import Deleted
from hairspring.services.rule_evaluator.folding import Fold
from hairspring.services.rule_evaluator.histories import Histories
from hairspring.services.rule_evaluator.plans import Plans
from hairspring.services.rule_evaluator.setting_aside import Piece
from hairspring.services.rule_evaluator.work import EventRecord, waiting_rebuilds
from hairspring.store.port import FILL, Key, Rebuild, Stored
from hairspring.store.quarantine import What
from hairspring.wire.inputs import to_engine
from hairspring.wire.times import to_ms


@dataclass(slots=True, kw_only=True)
class Steps:
    """The part of one profile in a turn. Of `passed`: up to when, and whether its timer rang.

    `deletions` come with the segments that it was in before each, and since when.
    """

    deletions: list[tuple[Deleted, Mapping[str, int]]] = field(default_factory=list)
    records: list[EventRecord] = field(default_factory=list)
    passed: list[tuple[int, bool]] = field(default_factory=list)
    activation: Plans | None = None


def pieces_of(steps: Steps, histories: Histories, key: Key, stored: Stored) -> Sequence[Piece]:
    """The steps in their order: deletions, rebuilds that wait, then events, then moments."""
    pieces = [_deletion(key, deletion, standing) for deletion, standing in steps.deletions]
    if not steps.deletions:
        pieces += [_rebuild(todo, histories) for todo in waiting_rebuilds(stored)]
    pieces += [_event(key, record, histories) for record in steps.records]
    pieces += [_passed(key, through, rung) for through, rung in steps.passed]
    if steps.activation is not None:
        pieces.append(_activation(key, steps.activation))
    return pieces


def _deletion(key: Key, deletion: Deleted, standing: Mapping[str, int]) -> Piece:
    return Piece(what=What.STATE, do=_awaited(lambda fold: fold.depart(key, deletion, standing)))


def _event(key: Key, record: EventRecord, histories: Histories) -> Piece:
    body = record.WhichOneof("body")
    if body == "merged":
        return _joined(key, record, histories)
    if body == "merged_away":
        into, at = record.merged_away.into_profile_id, to_ms(record.accept_time)
        return Piece(
            what=What.EVENT,
            do=_awaited(lambda fold: fold.parted(key, into, at)),
            instead=lambda fold: fold.vanish(key),
        )
    if cause := record.event.import_id:
        return Piece(
            what=What.EVENT,
            do=_awaited(lambda fold: fold.touch(key, cause)),
            instead=lambda fold: fold.touch_unread(key, cause),
        )
    return Piece(
        what=What.EVENT, do=_awaited(lambda fold: fold.event(key, to_engine(record))), record=record
    )


def _joined(key: Key, record: EventRecord, histories: Histories) -> Piece:
    async def do(fold: Fold) -> None:
        fold.joined(key, (await histories.joint([record]))[record.position])

    return Piece(what=What.REBUILD, do=do)


def _passed(key: Key, through: int, rung: bool) -> Piece:
    return Piece(what=What.ALARM, do=_awaited(lambda fold: fold.passed(key, through, rung=rung)))


def _activation(key: Key, after: Plans) -> Piece:
    through = after.activation.through if after.activation is not None else 0
    return Piece(what=What.ACTIVATION, do=_awaited(lambda fold: fold.activate(key, after, through)))


def _rebuild(todo: Rebuild, histories: Histories) -> Piece:
    async def do(fold: Fold) -> None:
        found = await histories.read([todo], fold.stored)
        fold.rebuild(todo, found[todo])

    what = What.FILL if todo.cause == FILL else What.REBUILD
    return Piece(what=what, do=do, instead=lambda fold: fold.dismiss(todo))


def _awaited(act: Callable[[Fold], None]) -> Callable[[Fold], Awaitable[None]]:
    async def do(fold: Fold) -> None:
        act(fold)

    return do
