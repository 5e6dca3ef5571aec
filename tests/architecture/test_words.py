"""One word for each thing, and every package tells its story."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.imports import REPOSITORY, folders

AVOIDED = {"user", "attribute", "audience", "journey", "campaign", "job"}
PROTOS = REPOSITORY / "protos" / "hairspring"

_DECLARED = re.compile(
    r"^\s*(?:message|enum|service|rpc|oneof)\s+(\w+)"  # what is declared by a keyword
    r"|^\s*(?:optional\s+|repeated\s+)?[\w.<>, ]+\s+(\w+)\s*=\s*\d+"  # a field
    r"|^\s*([A-Z][A-Z0-9_]*)\s*=\s*\d+",  # a value of an enum
    re.MULTILINE,
)


def declared(text: str) -> Iterator[str]:
    """The names that a proto file declares."""
    without_comments = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
    for match in _DECLARED.finditer(without_comments):
        yield next(group for group in match.groups() if group)


def words(name: str) -> set[str]:
    """The words of a name in any of the usual spellings, plurals taken back."""
    found = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return {word.lower().removesuffix("s") for word in found}


def test_names_are_told_apart() -> None:
    """The reading itself works, so that the next test holds of something."""
    said = """
    // message NotThis {}
    message UserJob { repeated string audience_names = 1; map<string, Trait> traits = 2; }
    enum Kind { JOURNEY_STARTED = 0; }
    """.replace("{ ", "{\n").replace("; ", ";\n")

    assert [*declared(said)] == ["UserJob", "audience_names", "traits", "Kind", "JOURNEY_STARTED"]
    assert words("UserJobs") == {"user", "job"}
    assert words("JOURNEY_STARTED") == {"journey", "started"}


@pytest.mark.parametrize(
    "file", sorted(PROTOS.rglob("*.proto")), ids=lambda file: file.relative_to(PROTOS).as_posix()
)
def test_contracts_use_the_projects_words(file: Path) -> None:
    """No message, field, value or call is named by a word that stands for something else here."""
    names = [*declared(file.read_text())]

    assert names
    assert [name for name in names if words(name) & AVOIDED] == []


@pytest.mark.parametrize("package", [name for name in folders() if name != "contracts"])
def test_every_package_has_a_readme(package: str) -> None:
    """What is not generated tells its story beside its code."""
    assert (folders()[package] / "README.md").is_file()
