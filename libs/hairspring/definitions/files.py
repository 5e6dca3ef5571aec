"""Definitions in files and folders."""

from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path

from hairspring.definitions import yaml_nodes
from hairspring.definitions.catalog import Catalog
from hairspring.definitions.loading import Manifest, load
from hairspring.definitions.problems import BadDefinitions, Problem

_ENDINGS = (".yaml", ".yml")
#: Files of stories (`hairspring.stories`) may lie beside the definitions that they are about.
STORY_ENDINGS = (".story.yaml", ".story.yml")


def load_files(paths: Iterable[str | PathLike[str]]) -> Catalog:
    """Loads the definitions of files, and of all *.yaml and *.yml files in folders.

    Files of stories in folders are left out.

    Raises:
        BadDefinitions: If anything is wrong, also with a file itself.
    """
    return load(read_files(paths))


def read_files(paths: Iterable[str | PathLike[str]]) -> list[Manifest]:
    """Reads the files named, and all *.yaml and *.yml files in the folders named, each once.

    Files of stories in folders are left out.

    Raises:
        BadDefinitions: If a file cannot be read, or a folder has none.
    """
    manifests: list[Manifest] = []
    problems: list[Problem] = []
    seen: set[Path] = set()
    for path in map(Path, paths):
        files = list(files_in(path))
        if not files:
            problems.append(whole_file(path, "this folder has no *.yaml or *.yml files"))
        for file in files:
            if file.absolute() in seen:
                continue
            seen.add(file.absolute())
            try:
                manifests.append(Manifest(path=str(file), text=read_text(file)))
            except (OSError, ValueError) as error:
                problems.append(whole_file(file, reason(error)))
    if problems:
        raise BadDefinitions(problems)
    return manifests


def files_in(path: Path) -> Iterator[Path]:
    """A file itself, or the files of definitions in a folder by name, hidden ones left out."""
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        named = file.suffix in _ENDINGS and not file.name.endswith(STORY_ENDINGS)
        if named and not hidden and file.is_file():
            yield file


def read_text(file: Path) -> str:
    """The text of a file of bounded size; raises OSError or ValueError."""
    with file.open("rb") as stream:
        data = stream.read(yaml_nodes.LARGEST_BYTES + 1)
    if len(data) > yaml_nodes.LARGEST_BYTES:
        raise ValueError(f"a file of definitions has at most {yaml_nodes.LARGEST_BYTES:,} bytes")
    return data.decode("utf-8-sig")


def reason(error: OSError | ValueError) -> str:
    """Why `read_text` failed, for people."""
    if isinstance(error, UnicodeDecodeError):
        return "this file is not text in UTF-8"
    if isinstance(error, OSError):
        return f"this file cannot be read: {error.strerror or error}"
    return str(error)


def whole_file(path: Path, description: str) -> Problem:
    """A problem of a file as a whole."""
    return Problem(
        manifest_path=str(path), line=0, column=0, field_path="", description=description
    )
