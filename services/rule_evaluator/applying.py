"""Applying: definitions become the next plan version, all or none, which shards then judge by."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration
from hairspring.definitions import Catalog, Change, ChangeType, Definition, Kind, changes
from hairspring.runtime.clock import Clock
from hairspring.services.rule_evaluator.plans import PlanBook, catalog_of
from hairspring.store.definitions import DefinitionStore, PlanMoved, StoredDefinition

USUAL_WAIT = 10.0
LONGEST_WAIT = 60.0
POLL_SECONDS = 0.02

Key = tuple[Kind, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The definitions of a workspace at a plan version."""

    version: int
    catalog: Catalog
    stored: Mapping[Key, StoredDefinition]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What applying did, or in a dry run would do; `version` is the plan version in force now."""

    version: int
    changes: Sequence[Change]
    before: Standing
    after: Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """What is still to come after an apply.

    `shards` do not judge by it yet; `filling` are the segments that are not complete.
    """

    shards: Sequence[int]
    filling: Sequence[str]


NOTHING = Awaited(shards=[], filling=[])

#: Says what shall stand instead of what stands. May run in another thread; may raise.
Decide = Callable[[Standing], Catalog]


class Applying:
    """Puts definitions in force."""

    def __init__(self, definitions: DefinitionStore, book: PlanBook, clock: Clock) -> None:
        self._definitions = definitions
        self._book = book
        self._clock = clock

    async def apply(
        self,
        workspace: str,
        decide: Decide,
        *,
        dry_run: bool = False,
        request_id: str = "",
        with_flows: bool = False,
    ) -> Applied | int:
        """Decides on what stands, and puts it in force; decides anew if that has moved meanwhile.

        Answers only the plan version for a named request that was carried out before.
        """
        while True:
            if request_id:
                done = await self._definitions.requested(workspace, request_id)
                if done is not None:
                    return done
            before = await self.standing(workspace)
            # A large manifest takes a second or two, in which others want to be served.
            after = await asyncio.to_thread(decide, before)
            found = changes(before.catalog, after)
            rows = _rows(found, after)
            version = before.version
            if rows and not dry_run:
                try:
                    version = await self._definitions.apply(
                        workspace,
                        rows,
                        after=version,
                        now=self._clock(),
                        request_id=request_id,
                        with_flows=with_flows,
                    )
                except PlanMoved:
                    continue
            return Applied(version=version, changes=found, before=before, after=after)

    async def standing(self, workspace: str) -> Standing:
        """The definitions in force."""
        latest = await self._definitions.latest()
        stored = await self._definitions.in_force(workspace, latest)
        return Standing(
            version=latest,
            catalog=catalog_of(stored),
            stored={(Kind(one.kind), one.name): one for one in stored},
        )

    async def wait(
        self, workspace: str, names: Collection[str], version: int, wait: Duration | None
    ) -> Awaited:
        """Waits until every shard judges by a version, and none of the segments is being filled.

        Answers what is still to come.
        """
        asked = USUAL_WAIT if wait is None else wait.seconds + wait.nanos / 1e9
        end = asyncio.get_running_loop().time() + min(max(asked, 0.0), LONGEST_WAIT)
        while True:
            awaited = await self._awaited(workspace, names, version)
            if awaited == NOTHING or asyncio.get_running_loop().time() >= end:
                return awaited
            await asyncio.sleep(POLL_SECONDS)

    async def _awaited(self, workspace: str, names: Collection[str], version: int) -> Awaited:
        shards = await self._definitions.waiting_shards(version)
        filling = await self._book.coming(workspace) if names else None
        found = sorted(filling.forms.keys() & names) if filling is not None else []
        return Awaited(shards=shards, filling=found)


def by_key(catalog: Catalog) -> dict[Key, Definition]:
    """The definitions of a catalog by kind and name."""
    return {(definition.kind, definition.name): definition for definition in catalog.all()}


def _rows(found: Sequence[Change], after: Catalog) -> list[StoredDefinition]:
    """The rows to write for what changed."""
    forms = by_key(after)
    rows = []
    for change in found:
        if change.type is ChangeType.UNCHANGED:
            continue
        definition = forms.get((change.kind, change.name))
        rows.append(
            StoredDefinition(
                kind=change.kind,
                name=change.name,
                version=0,
                body=definition.body_json if definition is not None else b"{}",
                source=definition.source if definition is not None else "",
                removed=definition is None,
            )
        )
    return rows
