"""The arrows go down only."""

from __future__ import annotations

import re
import sys

import pytest

from tests.architecture.imports import folders, imports_of

CEL = "cel_expr_python"
#: What may import what of Hairspring; each may import itself.
ARROWS = {
    "contracts": set[str](),
    "engine": set[str](),
    "expressions": {"engine"},
    "definitions": {"expressions", "engine"},
    "stories": {"definitions", "engine"},
    "wire": {"engine", "definitions", "contracts"},
}
#: Serve services and the command line, and know neither.
BELOW = ("database", "embedded", "log", "ownership", "runtime", "store", "timers")
STANDARD = {*sys.stdlib_module_names, "__future__"}


def own(imported: str) -> bool:
    """Whether a package is one of Hairspring's."""
    return imported in folders() or imported.startswith("services")


@pytest.mark.parametrize("package", ARROWS)
def test_the_core_imports_only_what_lies_below(package: str) -> None:
    """Contracts and the engine know nothing else of the project, the others what they stand on."""
    allowed = {package, *ARROWS[package]}

    wrong = [str(i) for i in imports_of(package) if own(i.package) and i.package not in allowed]

    assert wrong == []


def test_the_engine_imports_the_standard_library_alone() -> None:
    """And of that nothing that reads a clock, rolls dice, or talks to the world."""
    barred = {"asyncio", "os", "pathlib", "random", "socket", "threading", "time"}

    found = [i for i in imports_of("engine") if i.package != "engine"]

    assert [str(i) for i in found if i.package not in STANDARD - barred] == []


def test_dates_are_handed_in() -> None:
    """One file of the engine reads dates as traits give them, and none asks what day it is."""
    files = [file for file in folders()["engine"].rglob("*.py") if "datetime" in file.read_text()]

    assert [file.name for file in files] == ["calendar.py"]
    assert not re.search(r"\.(now|today|utcnow|fromtimestamp)\(", files[0].read_text())


def test_one_module_knows_the_expression_library() -> None:
    """Everybody else is handed compiled predicates."""
    knowing = {
        str(i.file.name) for package in folders() for i in imports_of(package) if i.package == CEL
    }
    others = [
        str(i)
        for package in folders()
        for i in imports_of(package)
        if i.package == CEL and package != "expressions"
    ]

    assert others == []
    assert len(knowing) == 1


@pytest.mark.parametrize("package", [package for package in BELOW if package in folders()])
def test_libraries_know_no_service_and_no_command(package: str) -> None:
    """They can be used by any of them."""
    wrong = [
        str(i) for i in imports_of(package) if i.package == "cli" or i.package.startswith("serv")
    ]

    assert wrong == []


@pytest.mark.parametrize("package", [name for name in folders() if name.startswith("services.")])
def test_services_do_not_import_each_other(package: str) -> None:
    """They meet in contracts alone; nor do they know the command line."""
    wrong = [
        str(i)
        for i in imports_of(package)
        if i.package == "cli" or (i.package.startswith("services") and i.package != package)
    ]

    assert wrong == []


def test_the_command_line_starts_services_by_name() -> None:
    """It imports none of their modules."""
    assert [str(i) for i in imports_of("cli") if i.package.startswith("services")] == []


def test_the_pictures_names_are_there() -> None:
    """The packages that these rules are about exist, so that no rule holds of nothing."""
    assert {*ARROWS, *BELOW, "cli"} <= set(folders())
    assert {"services.ingest", "services.rule_evaluator", "services.delivery"} <= set(folders())
