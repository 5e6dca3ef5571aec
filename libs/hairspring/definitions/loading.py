"""Loading: manifests go in; a checked catalog comes out, or every problem at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hairspring.definitions import catalog, checks, drafts, yaml_nodes
from hairspring.definitions.catalog import Catalog
from hairspring.definitions.drafts import Draft
from hairspring.definitions.fields import Report
from hairspring.definitions.kinds import Kind
from hairspring.definitions.problems import BadDefinitions, Problem
from hairspring.definitions.yaml_nodes import BadYaml, Document

_EMPTY = Catalog()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A file of definitions: where it came from, and its YAML."""

    path: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A manifest as nodes; `flaw` says why it has none."""

    path: str
    text: str  #: Without a byte order mark.
    documents: tuple[Document, ...] = ()
    flaw: BadYaml | None = None

    def report(self) -> Report:
        """An empty note of what is wrong, with what `flaw` says."""
        report = Report(manifest_path=self.path, text=self.text)
        if self.flaw is not None:
            report.add(self.flaw.line, self.flaw.column, "", self.flaw.description)
        return report


def load(
    manifests: Sequence[Manifest], existing: Catalog | None = None, *, prune: bool = False
) -> Catalog:
    """Checks definitions as a whole and puts them over the existing ones.

    With `prune`, what the manifests do not name is left out.

    Raises:
        BadDefinitions: If anything is wrong, with every problem in the order of the manifests.
    """
    return load_parsed([parse(manifest) for manifest in manifests], existing, prune=prune)


def parse(manifest: Manifest) -> Parsed:
    """Reads a manifest as YAML, and nothing more."""
    text = manifest.text.removeprefix("\ufeff")
    try:
        documents = tuple(yaml_nodes.documents(text))
    except BadYaml as error:
        return Parsed(path=manifest.path, text=text, flaw=error)
    return Parsed(path=manifest.path, text=text, documents=documents)


def load_parsed(
    parsed: Sequence[Parsed], existing: Catalog | None = None, *, prune: bool = False
) -> Catalog:
    """Does what `load` does with manifests that are nodes already. Raises BadDefinitions."""
    reports: list[Report] = []
    found: list[Draft] = []
    for one in parsed:
        found += _read(one, reports)
    standing = _standing(existing if existing is not None and not prune else _EMPTY, found)
    checks.check_duplicates(found)
    checks.check_references(reports, _known(standing, found))
    checks.check_circles(found, standing)
    problems = [problem for report in reports for problem in in_order(report.problems)]
    if problems:
        raise BadDefinitions(problems)
    made = [catalog.define(draft.kind, draft.body, draft.source) for draft in found]
    return catalog.collect([*standing.all(), *made])


def _read(parsed: Parsed, reports: list[Report]) -> list[Draft]:
    if parsed.flaw is not None:
        reports.append(parsed.report())
    found: list[Draft] = []
    for document in parsed.documents:
        report = parsed.report()
        reports.append(report)
        draft = drafts.read(document, report)
        if draft is not None:
            found.append(draft)
    return found


def _standing(existing: Catalog, found: Iterable[Draft]) -> Catalog:
    """What stays of the existing definitions."""
    replaced = {(draft.kind, draft.name) for draft in found}
    return catalog.collect(
        definition
        for definition in existing.all()
        if (definition.kind, definition.name) not in replaced
    )


def _known(standing: Catalog, found: Iterable[Draft]) -> dict[Kind, set[str]]:
    known: dict[Kind, set[str]] = {kind: set() for kind in Kind}
    for definition in standing.all():
        known[definition.kind].add(definition.name)
    for draft in found:
        known[draft.kind].add(draft.name)
    return known


def in_order(problems: list[Problem]) -> list[Problem]:
    """Problems of one file by their places."""
    return sorted(problems, key=lambda problem: (problem.line, problem.column))
