"""Definitions in files and folders."""

from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path

from hairspring.definitions import yaml_nodes
from hairspring.definitions.catalog import Catalog
from hairspring.definitions.loading import Manifest, load
from hairspring.definitions.problems import BadDefinitions, Problem

_ENDINGS = (".yaml", ".yml")


def load_files(paths: Iterable[str | PathLike[str]]) -> Catalog:
    """Loads the definitions of files, and of all *.yaml and *.yml files in folders.

    Raises:
        BadDefinitions: If anything is wrong, also with a file itself.
    """
    return load(read_files(paths))


def read_files(paths: Iterable[str | PathLike[str]]) -> list[Manifest]:
    """Reads the files named, and all *.yaml and *.yml files in the folders named, each once.

    Raises:
        BadDefinitions: If a file cannot be read, or a folder has none.
    """
    manifests: list[Manifest] = []
    problems: list[Problem] = []
    seen: set[Path] = set()
    for path in map(Path, paths):
        files = list(_files(path))
        if not files:
            problems.append(_problem(path, "this folder has no *.yaml or *.yml files"))
        for file in files:
            if file.absolute() in seen:
                continue
            seen.add(file.absolute())
            try:
                manifests.append(Manifest(path=str(file), text=_text(file)))
            except (OSError, ValueError) as error:
                problems.append(_problem(file, _reason(error)))
    if problems:
        raise BadDefinitions(problems)
    return manifests


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if file.suffix in _ENDINGS and not hidden and file.is_file():
            yield file


def _text(file: Path) -> str:
    with file.open("rb") as stream:
        data = stream.read(yaml_nodes.LARGEST_BYTES + 1)
    if len(data) > yaml_nodes.LARGEST_BYTES:
        raise ValueError(f"a file of definitions has at most {yaml_nodes.LARGEST_BYTES:,} bytes")
    return data.decode("utf-8-sig")


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "this file is not text in UTF-8"
    if isinstance(error, OSError):
        return f"this file cannot be read: {error.strerror or error}"
    return str(error)


def _problem(path: Path, description: str) -> Problem:
    return Problem(
        manifest_path=str(path), line=0, column=0, field_path="", description=description
    )
