"""Which module imports which, read from the source without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LIBRARIES = REPOSITORY / "libs" / "hairspring"
SERVICES = REPOSITORY / "services"


@dataclass(frozen=True)
class Import:
    """One import: where it stands and what it names, such as `hairspring.engine.events`."""

    file: Path
    line: int
    module: str

    @property
    def package(self) -> str:
        """The package of Hairspring that is imported from, `services.ingest` for a service.

        The top-level module for everything else.
        """
        return package_of(self.module)

    def __str__(self) -> str:
        return f"{self.file.relative_to(REPOSITORY)}:{self.line} imports {self.module}"


def package_of(module: str) -> str:
    """`engine` of `hairspring.engine.events`, `services.ingest` of its handlers, `json` of json."""
    top, *rest = module.split(".")
    if top != "hairspring" or not rest:
        return top
    return ".".join(rest[:2]) if rest[0] == "services" else rest[0]


def folders() -> dict[str, Path]:
    """Every package of Hairspring by its name, as `package_of` gives it."""
    found = {path.name: path for path in _packages(LIBRARIES) if path.name != "services"}
    found.update({f"services.{path.name}": path for path in _packages(SERVICES)})
    return found


def imports_of(package: str) -> Iterator[Import]:
    """All imports in a package's modules, those within functions and for type checking too."""
    folder = folders()[package]
    for file in sorted(folder.rglob("*.py")):
        inner = file.relative_to(folder).with_suffix("").parts
        module = (*f"hairspring.{package}".split("."), *inner)
        yield from _imports(file, module)


def _packages(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and any(path.rglob("*.py")):
            yield path


def _imports(file: Path, module: tuple[str, ...]) -> Iterator[Import]:
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(file, node.lineno, name.name)
        elif isinstance(node, ast.ImportFrom):
            base = list(module[: -node.level]) if node.level else []
            base += node.module.split(".") if node.module else []
            for name in node.names:
                yield Import(file, node.lineno, ".".join([*base, name.name]))
