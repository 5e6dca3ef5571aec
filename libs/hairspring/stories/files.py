"""Files of stories: definitions and stories about them, in one file or beside each other."""

from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path

from hairspring.definitions import BadDefinitions, Catalog, Kind, Manifest, Problem
from hairspring.definitions import files as definition_files
from hairspring.definitions.checks import check_references
from hairspring.definitions.fields import Field, Report
from hairspring.definitions.loading import Parsed, in_order, load_parsed, parse
from hairspring.stories import reading
from hairspring.stories.reading import Draft
from hairspring.stories.story import Story

ENDINGS = definition_files.STORY_ENDINGS


def find_files(paths: Iterable[str | PathLike[str]]) -> list[Path]:
    """The files named, and all *.story.yaml and *.story.yml files in the folders named, each once.

    Raises:
        BadDefinitions: If one is not there, or a folder has none.
    """
    found: dict[Path, Path] = {}
    problems: list[Problem] = []
    for path in map(Path, paths):
        files = list(_files(path))
        if not files:
            missing = "this folder has no *.story.yaml files"
            if not path.exists():
                missing = "there is no such file or folder"
            problems.append(definition_files.whole_file(path, missing))
        for file in files:
            found.setdefault(file.absolute(), file)
    if problems:
        raise BadDefinitions(problems)
    return list(found.values())


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        for file in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            if file.name.endswith(ENDINGS) and not hidden and file.is_file():
                yield file


def read_file(path: str | PathLike[str]) -> tuple[Story, ...]:
    """Reads the stories of a file, each with the definitions that it is about.

    These are the ones in the file itself and those of the `definitions` that a story names.

    Raises:
        BadDefinitions: If anything is wrong with the stories or the definitions: every problem.
    """
    file = Path(path)
    try:
        parsed = parse(Manifest(path=str(file), text=definition_files.read_text(file)))
    except (OSError, ValueError) as error:
        reason = definition_files.reason(error)
        raise BadDefinitions([definition_files.whole_file(file, reason)]) from None
    report = parsed.report()
    drafts = [
        reading.read(Field(path="", node=document.root, report=report))
        for document in parsed.documents
        if reading.is_story(document.root)
    ]
    reading.check_names(drafts)
    if not drafts and not report.problems:
        report.add(0, 0, "", "there is no document with `kind: Story` in this file")
    catalogs = _Catalogs(file, parsed)
    stories = [_story(draft, catalogs.of(draft), str(file)) for draft in drafts]
    problems = [*in_order(report.problems), *catalogs.problems.values()]
    if problems:
        raise BadDefinitions(problems)
    return tuple(stories)


class _Catalogs:
    """The definitions of a file's stories; those of the same places are read once."""

    def __init__(self, file: Path, parsed: Parsed) -> None:
        self._folder = file.parent
        documents = tuple(one for one in parsed.documents if not reading.is_story(one.root))
        self._own = Parsed(path=parsed.path, text=parsed.text, documents=documents)
        self._known: dict[tuple[str, ...], Catalog | None] = {}
        self.problems: dict[str, Problem] = {}

    def of(self, draft: Draft) -> Catalog | None:
        """The definitions of a story; None where they cannot be had."""
        if not draft.definitions and not self._own.documents:
            draft.root.refuse(
                "there is nothing to test: write the segments into this file, with --- between "
                "them, or name their file or folder by `definitions`"
            )
            return None
        missing = [
            (path, field) for path, field in draft.definitions if not self._place(path).exists()
        ]
        for path, field in missing:
            field.refuse(f"there is no {path} in {self._folder}, the folder of this file")
        if missing:
            return None
        key = tuple(path for path, _ in draft.definitions)
        if key not in self._known:
            self._known[key] = self._load(key)
        return self._known[key]

    def _place(self, path: str) -> Path:
        return self._folder / path

    def _load(self, paths: tuple[str, ...]) -> Catalog | None:
        try:
            manifests = definition_files.read_files(self._place(path) for path in paths)
            return load_parsed([self._own, *map(parse, manifests)])
        except BadDefinitions as error:
            self.problems.update((str(problem), problem) for problem in error.problems)
            return None


def _story(draft: Draft, catalog: Catalog | None, path: str) -> Story:
    known = catalog.segments if catalog is not None else {}
    if catalog is not None:
        _check_segments(draft.root.report, draft, known)
    looked_at = known if draft.segments is None else draft.segments
    return Story(
        name=draft.name,
        path=path,
        line=draft.root.node.start.line,
        plan=(catalog or Catalog()).plan(),
        starts=draft.starts,
        events=tuple(draft.events),
        expected=tuple(draft.expected),
        segments=frozenset(looked_at),
        until=draft.until,
        lateness=draft.lateness,
        horizon=draft.horizon,
    )


def _check_segments(report: Report, draft: Draft, known: Mapping[str, object]) -> None:
    names = {kind: set[str]() for kind in Kind} | {Kind.SEGMENT: set(known)}
    check_references([report], names)
    report.references.clear()
