"""Referring: which definitions name another one."""

from hairspring.definitions import drafts
from hairspring.definitions.catalog import Catalog
from hairspring.definitions.kinds import Kind
from hairspring.definitions.loading import Manifest, parse


def referring(catalog: Catalog, kind: Kind, name: str) -> list[tuple[Kind, str]]:
    """The kind and the name of each definition that refers to this one, read from its source."""
    found = []
    for definition in catalog.all():
        parsed = parse(Manifest(path="", text=definition.source))
        report = parsed.report()
        for document in parsed.documents:
            drafts.read(document, report)
        if any((one.kind, one.name) == (kind, name) for one in report.references):
            found.append((definition.kind, definition.name))
    return found
