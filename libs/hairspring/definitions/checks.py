"""Checks across definitions: names that are there twice, names that are not there, circles."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from hairspring.definitions.catalog import Catalog
from hairspring.definitions.drafts import Draft
from hairspring.definitions.fields import Reference, Report
from hairspring.definitions.kinds import Kind
from hairspring.engine.plan import references

#: How long a chain of segments that refer to each other may be.
LONGEST_CHAIN = 100

#: For how many missing names at most a near one is looked for, which takes a while.
MOST_HINTS = 50

#: The names that are known of each kind.
Known = Mapping[Kind, set[str]]


def check_duplicates(drafts: Sequence[Draft]) -> None:
    """Notes each name that a kind has more than once within the manifests."""
    first: dict[tuple[Kind, str], Draft] = {}
    for draft in drafts:
        other = first.setdefault((draft.kind, draft.name), draft)
        if other is not draft:
            where = f"{other.report.manifest_path}, line {other.name_field.node.start.line}"
            draft.name_field.refuse(f"the {draft.kind} {draft.name} is defined twice; see {where}")


def check_references(reports: Iterable[Report], known: Known) -> None:
    """Notes each name that a document refers to and nothing has."""
    hints = MOST_HINTS
    for report in reports:
        for reference in report.references:
            names = known[reference.kind]
            if reference.name not in names:
                reference.field.refuse(_missing(reference, names if hints > 0 else set()))
                hints -= 1


def check_circles(drafts: Sequence[Draft], standing: Catalog) -> None:
    """Notes each circle of segments once, at a reference that is part of it, and chains too long.

    `standing` are the definitions that stay as they are.
    """
    graph: dict[str, dict[str, Reference | None]] = {
        name: dict.fromkeys(sorted(references(definition.segment)))
        for name, definition in standing.segments.items()
    }
    for draft in drafts:
        if draft.kind is Kind.SEGMENT:
            graph[draft.name] = {
                reference.name: reference
                for reference in draft.report.references
                if reference.kind is Kind.SEGMENT
            }
    circles, heights = _walk(graph)
    for draft in drafts:
        if draft.kind is Kind.SEGMENT and heights[draft.name] == LONGEST_CHAIN + 1:
            draft.name_field.refuse(
                f"segments refer to each other at most {LONGEST_CHAIN} deep, and this one is deeper"
            )
    for circle in circles:
        steps = pairwise(circle)
        found = (graph[here][there] for here, there in steps)
        for reference in found:
            if reference is not None:
                path = " → ".join(circle)
                reference.field.refuse(f"segments refer to each other in a circle: {path}")
                break


def _walk(
    graph: Mapping[str, Mapping[str, object]],
) -> tuple[list[tuple[str, ...]], dict[str, int]]:
    """A circle for each reference that leads back, and how deep the references of each name go.

    A walk in depth, without recursion.
    """
    heights: dict[str, int] = {}
    found: list[tuple[str, ...]] = []
    for start in graph:
        path: dict[str, None] = {}
        walks = [iter([start])]
        while walks:
            name = next(walks[-1], None)
            if name is None:
                walks.pop()
                if path:
                    done = path.popitem()[0]
                    heights[done] = 1 + max((heights.get(to, 0) for to in graph[done]), default=0)
            elif name in path:
                trail = list(path)
                found.append((*trail[trail.index(name) :], name))
            elif name not in heights and name in graph:
                path[name] = None
                walks.append(iter(graph[name]))
    return found, heights


def _missing(reference: Reference, known: set[str]) -> str:
    close = difflib.get_close_matches(reference.name, sorted(known), n=1, cutoff=0.6)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"there is no {reference.kind} {reference.name}{hint}"
