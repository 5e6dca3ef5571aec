"""The sizes of segments: how many are in each, and how far those are that are being filled."""

from collections.abc import Mapping

from hairspring.contracts.membership.v1 import membership_service_pb2
from hairspring.services.rule_evaluator.plans import PlanBook
from hairspring.store.port import SegmentStore

SegmentCount = membership_service_pb2.SegmentCount


class Sizes:
    """Counts members, and what has been filled."""

    def __init__(self, store: SegmentStore, book: PlanBook) -> None:
        self._store = store
        self._book = book

    async def of(self, workspace: str) -> list[SegmentCount]:
        """Every segment of a workspace, by name."""
        plans = await self._book.at(await self._book.latest())
        catalog = plans.catalogs.get(workspace)
        if catalog is None:
            return []
        members = await self._store.count(workspace)
        plan, filling = plans.by_workspace[workspace], await self._book.coming(workspace)
        versions = {segment.name: segment.version for segment in plan.segments}
        coming: Mapping[str, int] = filling.versions if filling is not None else {}
        percent = 0
        if filling is not None and await self._book.adopted(filling.version):
            progress = await self._store.progress(workspace)
            total = progress.filled + progress.waiting
            percent = 100 * progress.filled // total if total else 100
        return [
            SegmentCount(
                segment=name,
                members=members.get(name, 0) if name in versions else 0,
                status=membership_service_pb2.SEGMENT_STATUS_FILLING
                if name in coming
                else membership_service_pb2.SEGMENT_STATUS_ACTIVE,
                filled_percent=percent if name in coming else 100,
                version=versions.get(name, 0),
                filling_version=coming.get(name, 0),
            )
            for name in catalog.segments
        ]
