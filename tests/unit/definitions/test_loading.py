from pathlib import Path

import pytest
from hairspring.definitions import (
    BadDefinitions,
    Catalog,
    Change,
    ChangeType,
    Kind,
    Manifest,
    catalog_from_bodies,
    changes,
    load,
    load_files,
)
from hairspring.definitions.problems import MOST_PROBLEMS

from tests.unit.definitions.samples import FLOWS, SEGMENTS, loaded, problems_of, segment, told

STAFF = "kind: Segment\nname: staff\nenter: {performed: {event: A}}\n"


def test_a_catalog_has_everything() -> None:
    """Definitions of several files make one catalog, by kind and name."""
    catalog = loaded(FLOWS, SEGMENTS)
    assert [(definition.kind, definition.name) for definition in catalog.all()] == [
        (Kind.SEGMENT, "cart-abandoners"),
        (Kind.SEGMENT, "staff"),
        (Kind.FLOW, "cart-recovery"),
        (Kind.TEMPLATE, "cart-recovery"),
    ]


def test_each_definition_keeps_its_own_source() -> None:
    """The source of a definition is its own document, comments included, and loads by itself."""
    catalog = loaded(SEGMENTS, FLOWS)
    assert catalog.segments["cart-abandoners"].source.startswith("# who forgot her cart\nkind:")
    again = loaded(*(definition.source for definition in catalog.all()))
    assert catalog == again
    assert [it.source for it in catalog.all()] == [it.source for it in again.all()]


def test_a_stored_catalog_is_rebuilt() -> None:
    """What was stored gives the same catalog, also what would be refused today."""
    catalog = loaded(SEGMENTS, FLOWS)
    stored = [(it.kind.value, it.name, it.body_json, it.source) for it in catalog.all()]
    assert catalog == catalog_from_bodies(stored)
    flow = [item for item in stored if item[0] == "flow"]
    assert list(catalog_from_bodies(flow).flows) == ["cart-recovery"]


def test_loading_goes_over_what_is_there() -> None:
    """Without prune, what the manifests do not name stays, and can be referred to."""
    before = loaded(SEGMENTS, FLOWS)
    new = load([Manifest(path="new.yaml", text=STAFF)], before)
    kinds = {
        change.name: change.type for change in changes(before, new) if change.kind == "segment"
    }
    assert kinds == {"cart-abandoners": ChangeType.UNCHANGED, "staff": ChangeType.CHANGED}
    assert before.segments["cart-abandoners"] is new.segments["cart-abandoners"]


def test_pruning_removes_the_rest() -> None:
    """With prune, what is not named is removed, and can no longer be referred to."""
    before = loaded(SEGMENTS, FLOWS)
    new = load([Manifest(path="new.yaml", text=STAFF)], before, prune=True)
    assert [Change(kind=Kind.SEGMENT, name="staff", type=ChangeType.CHANGED)] == [
        change for change in changes(before, new) if change.type is not ChangeType.REMOVED
    ]
    with pytest.raises(BadDefinitions, match="there is no segment cart-abandoners"):
        load([Manifest(path="new.yaml", text=STAFF + "---\n" + FLOWS)], before, prune=True)


def test_changes_compare_what_is_meant() -> None:
    """Another way of writing the same is no change."""
    other = STAFF.replace("{event: A}", '{times: ">=1", event: [A]}') + "# a remark\n"
    assert [it.type for it in changes(loaded(STAFF), loaded(other))] == [ChangeType.UNCHANGED]
    assert [it.type for it in changes(Catalog(), loaded(STAFF))] == [ChangeType.ADDED]


def test_a_circle_through_what_is_there_is_refused() -> None:
    """A new definition that closes a circle with existing ones is refused at its own reference."""
    before = loaded(SEGMENTS)
    text = "kind: Segment\nname: staff\nenter: {segment: cart-abandoners}\n"
    with pytest.raises(BadDefinitions) as caught:
        load([Manifest(path="new.yaml", text=text)], before)
    [problem] = caught.value.problems
    assert (problem.manifest_path, problem.line, problem.column) == ("new.yaml", 3, 18)


def test_a_name_may_be_there_once() -> None:
    """The same kind and name twice is refused, with the place of the first."""
    [problem] = problems_of(STAFF, "\n" + STAFF)
    assert (problem.manifest_path, problem.line) == ("1.yaml", 3)
    assert "0.yaml, line 2" in problem.description


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("- a", 1, 1, "a document is a mapping that begins with kind"),
        ("name: x", 1, 1, "`kind` is missing"),
        ("kind: segment", 1, 7, "'segment' is no kind"),
        ("kind: [a]", 1, 7, "is no kind"),
        ("kind: Segment\nname: A\nenter: {segment: a}", 2, 7, "a would do"),
        (f"kind: Segment\nname: {'a' * 64}\nenter: {{segment: a}}", 2, 7, "at most 63"),
        ("kind: Segment\nname: 1a\nenter: {segment: a}", 2, 7, "starts with a letter"),
        ("kind: Segment\nname: 12\nenter: {segment: a}", 2, 7, "put it in quotes"),
        ("kind: Segment\nenter: {performed: {event: A}}", 1, 1, "needs `name`"),
        ("kind: Segment\nname: a", 1, 1, "needs `enter`"),
        (STAFF + "on: 1", 4, 1, "YAML reads the key 'on' as true or false"),
        (STAFF + "<<: {a: b}", 4, 1, "merge keys"),
        ("a: [", 1, 1, "this is not YAML"),
        ("a:\tb: c", 1, 5, "this is not YAML"),
        ("a: !!python/object:os.system x", 1, 4, "tags such as"),
        ("a: *b", 1, 4, "no finished anchor &b"),
        ("a: &a [*a]", 1, 8, "no finished anchor &a"),
        ("%YAML 1.1\n---\na: b", 1, 1, "directives"),
        ("{[a]: b}", 1, 2, "a key must be a text"),
        ("ok: 1\nb: \x07", 2, 4, "U+0007"),
        ("ok: \ud800", 1, 5, "U+D800"),
        ("[" * 200_000, 1, 61, "nested at most"),
        ("- " * 200_000, 1, 121, "nested at most"),
        ("x" * 1_000_001, 0, 0, "1,000,000 bytes"),
        ("[" + "a, " * 60_000 + "]", 1, 150_002, "50,000 values"),
    ],
)
def test_bad_files_are_refused(text: str, line: int, column: int, words: str) -> None:
    """A file that is no definitions is refused at its place, in words."""
    found = problems_of(text)
    assert any(
        (it.line, it.column) == (line, column) and words in it.description for it in found
    ), found


def test_bombs_do_not_go_off() -> None:
    """Aliases count as what they stand for, so that doubling them again and again is refused."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    [problem] = problems_of("\n".join(lines))
    assert "50,000 values" in problem.description


def test_aliases_work() -> None:
    """What is written once can be used twice in a document."""
    text = segment(
        "{any: [{performed: &p {event: A, where: properties.n > 1}}, {not: {performed: *p}}]}"
    )
    first, second = loaded(text).segments["some"].body["enter"]["any"]
    assert first["performed"] == second["not"]["performed"]


def test_windows_files_and_marks_are_taken() -> None:
    """A byte order mark and line ends of Windows change nothing."""
    assert loaded("\ufeff" + SEGMENTS.replace("\n", "\r\n")) == loaded(SEGMENTS)
    text = "\ufeff" + segment("{segment: b}").replace("\n", "\r\n")
    assert told(text) == [(3, 18, "enter.segment")]


def test_empty_documents_are_nothing() -> None:
    """Documents with nothing but comments are passed over."""
    assert loaded("", "# nothing\n---\n---\n# more\n...\n") == Catalog()


def test_the_problems_are_bounded() -> None:
    """With very many problems, the first ones are told, and how many there are."""
    found = problems_of(
        segment("{performed: {event: A}}", "".join(f"k{i}: 1\n" for i in range(700)))
    )
    assert len(found) == MOST_PROBLEMS + 1
    assert found[-1].description == "and 200 more problems"


def test_files_and_folders_are_loaded(tmp_path: Path) -> None:
    """Folders are searched for YAML, each file is read once, hidden ones not at all."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "segments.yaml").write_text(SEGMENTS)
    (tmp_path / "deep" / "flows.yml").write_text(FLOWS)
    (tmp_path / "deep" / ".hidden.yaml").write_text("[")
    (tmp_path / "README.md").write_text("[")
    assert loaded(SEGMENTS, FLOWS) == load_files([tmp_path, tmp_path / "segments.yaml"])


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """A missing file, an empty folder, bytes that are no text: each is a problem of its own."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    (tmp_path / "large.yaml").write_text("#" * 1_000_001)
    with pytest.raises(BadDefinitions) as caught:
        load_files(tmp_path / name for name in ("empty", "latin.yaml", "large.yaml", "none.yaml"))
    words = ("no *.yaml", "not text in UTF-8", "1,000,000 bytes", "No such file")
    told = [problem.description for problem in caught.value.problems]
    assert all(word in description for word, description in zip(words, told, strict=True)), told
    assert all(problem.line == 0 for problem in caught.value.problems)
