"""Which entries begin a run, and which follow another start too soon, by whatever id that was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from hairspring.contracts.transition.v1 import transition_pb2
from hairspring.log.port import Record
from hairspring.services.delivery.runs import Run, RunStatus
from hairspring.wire.flows import Flow

from tests.simulation.delivery import WatchedRuns


class Cooldowns:
    """Judges by the evaluators' log and by what was committed when delivery decided.

    Of her own starts, those of all earlier entries count. Those of a former id are in a shard that
    may be read later: they count as far as delivery had committed them when it read the starts.
    They count from the `merged` on, unless that came in the same batch as the entry.
    """

    def __init__(self, rows: WatchedRuns) -> None:
        self.rows = rows
        self._links: dict[str, list[tuple[int, str]]] = {}

    def read(self, told: Sequence[tuple[Record, transition_pb2.Record]]) -> None:
        """Read from the log which ids became part of which profile, and where that stands."""
        self._links = defaultdict(list)
        for at, one in told:
            if one.WhichOneof("body") == "merged":
                self._links[at.profile].append((at.position, one.merged.former_profile_id))

    def missing(self) -> Iterator[str]:
        """Name the former ids that delivery knows nothing of."""
        for profile, links in self._links.items():
            for position, former in links:
                if (profile, former) not in self.rows.linked:
                    yield f"it is not known that {former} became part of {profile} at {position}"

    def allow(self, run: Run, flow: Flow, runs: Iterable[Run]) -> bool:
        """Tell whether a run was to begin, after what `runs` had begun before."""
        if flow.cooldown_ms is None:
            return True
        formers, knew = self._formers(run), self.rows.decided[run.run_id].knew
        for one in runs:
            if one.flow != run.flow or one.status is RunStatus.NOT_STARTED:
                continue
            hers = one.profile == run.profile and one.entry_position < run.entry_position
            known = one.profile in formers and self.rows.decided[one.run_id].commit <= knew
            if (hers or known) and run.started_at - one.started_at < flow.cooldown_ms:
                return False
        return True

    def _formers(self, run: Run) -> set[str]:
        """The ids whose starts count: hers by the log, and theirs as far as delivery knew."""
        decided, linked = self.rows.decided[run.run_id], self.rows.linked
        found = [
            former
            for position, former in self._links.get(run.profile, ())
            if position < run.entry_position and linked.get((run.profile, former)) != decided.commit
        ]
        for one in found:
            for _, former in self._links.get(one, ()):
                commit = linked.get((one, former))
                if commit is not None and commit <= decided.knew:
                    found.append(former)
        return set(found)
