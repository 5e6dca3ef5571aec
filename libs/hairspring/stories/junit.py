"""JUnit's XML, which continuous integration reads."""

from collections.abc import Iterable, Mapping, Sequence
from xml.etree import ElementTree

from hairspring.stories.running import Result


def junit(results: Iterable[Result], errors: Mapping[str, Sequence[str]]) -> bytes:
    """A report in UTF-8; `errors` are the problems of files that could not be read, by path."""
    by_path: dict[str, list[Result]] = {}
    for result in results:
        by_path.setdefault(result.story.path, []).append(result)
    root = ElementTree.Element("testsuites", name="hairspring test")
    for path in sorted({*by_path, *errors}):
        _suite(root, path, by_path.get(path, []), errors.get(path, ()))
    ElementTree.indent(root)
    content: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _suite(
    root: ElementTree.Element, path: str, results: Sequence[Result], problems: Sequence[str]
) -> None:
    failures = sum(not result.passed for result in results)
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=_text(path),
        tests=str(len(results) + bool(problems)),
        failures=str(failures),
        errors=str(int(bool(problems))),
        skipped="0",
    )
    for result in results:
        case = _case(suite, path, result.story.name)
        case.set("line", str(result.story.line))
        if not result.passed:
            failure = ElementTree.SubElement(case, "failure", message=_text(result.summary))
            failure.text = _text(result.difference)
    if problems:
        case = _case(suite, path, "the file can be read")
        error = ElementTree.SubElement(case, "error", message=f"{len(problems)} problems")
        error.text = _text("\n".join(problems))


def _case(suite: ElementTree.Element, path: str, name: str) -> ElementTree.Element:
    where = {"classname": _text(path), "name": _text(name), "file": _text(path)}
    return ElementTree.SubElement(suite, "testcase", where)


def _text(text: str) -> str:
    """A text without the characters that XML does not have."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text)
