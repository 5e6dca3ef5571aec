"""Drafts: documents as they were read, before they are checked against each other."""

from dataclasses import dataclass

from hairspring.definitions import flows, names, segments, templates
from hairspring.definitions.fields import Field, Report
from hairspring.definitions.kinds import Kind
from hairspring.definitions.patterns import Body
from hairspring.definitions.problems import listed, quoted
from hairspring.definitions.yaml_nodes import Document, Entries, Scalar

LONGEST_DESCRIPTION = 2_000

_PARTS = {Kind.SEGMENT: segments, Kind.FLOW: flows, Kind.TEMPLATE: templates}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A definition as it was read; its body is whole only where its report has no problems."""

    kind: Kind
    name: str
    name_field: Field
    body: Body
    source: str
    report: Report


def read(document: Document, report: Report) -> Draft | None:
    """Reads a document; None where not even its kind and its name can be told."""
    root = Field(path="", node=document.root, report=report)
    kind = _kind(root)
    if kind is None:
        return None
    part = _PARTS[kind]
    entries = root.entries(
        f"a {kind.written}", ("kind", "name", *part.KEYS), required=("name", *part.REQUIRED)
    )
    name = _name(entries["name"]) if "name" in entries else None
    body: Body = {"name": name, "description": ""}
    if "description" in entries:
        field = entries["description"]
        text = field.text("`description`", longest=LONGEST_DESCRIPTION, empty=True)
        body["description"] = text.strip() if text is not None else None
    body |= part.read(entries)
    if name is None:
        return None
    return Draft(
        kind=kind,
        name=name,
        name_field=entries["name"],
        body=body,
        source=document.text,
        report=report,
    )


def _kind(root: Field) -> Kind | None:
    node = root.node
    kinds = listed([kind.written for kind in Kind])
    if not isinstance(node, Entries):
        root.refuse(f"a document is a mapping that begins with kind: {kinds}")
        return None
    for key, value in node.entries:
        if key.value == "kind":
            for kind in Kind:
                if isinstance(value, Scalar) and value.value == kind.written:
                    return kind
            field = Field(path="kind", node=value, report=root.report)
            shown = quoted(value.value) if isinstance(value, Scalar) else "this"
            hint = "; stories are run by hairspring test" if shown == "'Story'" else ""
            field.refuse(f"{shown} is no kind of definition; there are {kinds}{hint}")
            return None
    root.refuse(f"`kind` is missing; it says what this defines: {kinds}")
    return None


def _name(field: Field) -> str | None:
    name = field.text("`name`", longest=10 * names.LONGEST_NAME)
    if name is None:
        return None
    flaw = names.flaw_in(name)
    if flaw is not None:
        field.refuse(flaw)
        return None
    return name
