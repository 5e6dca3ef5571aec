"""Definitions: YAML goes in, a checked catalog comes out, or every problem with its place."""

from hairspring.definitions.catalog import (
    Catalog,
    Definition,
    FlowDefinition,
    SegmentDefinition,
    TemplateDefinition,
    catalog_from_bodies,
)
from hairspring.definitions.changes import Change, ChangeType, changes
from hairspring.definitions.files import load_files, read_files
from hairspring.definitions.kinds import Kind
from hairspring.definitions.loading import Manifest, load
from hairspring.definitions.problems import BadDefinitions, Problem

__all__ = [
    "BadDefinitions",
    "Catalog",
    "Change",
    "ChangeType",
    "Definition",
    "FlowDefinition",
    "Kind",
    "Manifest",
    "Problem",
    "SegmentDefinition",
    "TemplateDefinition",
    "catalog_from_bodies",
    "changes",
    "load",
    "load_files",
    "read_files",
]
