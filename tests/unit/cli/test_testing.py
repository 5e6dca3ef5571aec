"""`hairspring test`: what it prints, and how it ends."""

from __future__ import annotations

import json
import re
from pathlib import Path

import hairspring.stories
import pytest
from click.testing import CliRunner
from hairspring.cli.main import main

README = Path(hairspring.stories.__file__).with_name("README.md")
_YAML = re.compile(r"^```yaml (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CONSOLE = re.compile(r"^```console\n\$ hairspring (.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FAILS = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The page about stories, with its file in the current directory."""
    monkeypatch.chdir(tmp_path)
    page = README.read_text()
    [(name, content)] = _YAML.findall(page)
    (tmp_path / name).write_text(content)
    return page


def test_the_page_shows_what_the_command_says(readme: str) -> None:
    """A story that passes is one line, and the summary another."""
    [(command, says)] = _CONSOLE.findall(readme)

    result = CliRunner().invoke(main, command.split())

    assert result.output == says
    assert result.exit_code == 0


def test_the_page_shows_a_failure(readme: str) -> None:
    """What was expected and what came stand side by side, and the command ends with 1."""
    path = Path("cart.story.yaml")
    path.write_text(path.read_text().replace("at: 11:00, entered", "at: 10:30, entered"))

    result = CliRunner().invoke(main, ["test", str(path)])

    [shown] = _FAILS.findall(readme)
    assert result.stdout.startswith(shown)
    assert result.exit_code == 1
    assert result.stderr == "2 stories: 1 passed, 1 failed.\n"


def test_json_lines_and_a_report_for_programs(readme: str, tmp_path: Path) -> None:
    """One line for each story and each file that cannot be read, and the same in JUnit's XML."""
    (tmp_path / "bad.story.yaml").write_text("kind: Story\n")

    result = CliRunner().invoke(
        main, ["test", str(tmp_path), "--format", "jsonl", "--junit", "out/report.xml"]
    )

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["passed"] for line in lines] == [False, True, True]
    assert any("a story needs `expect`" in problem for problem in lines[0]["problems"])
    assert lines[1] | {"file": ""} == {
        "file": "",
        "line": 6,
        "story": "Ada leaves her cart and comes back the next day",
        "passed": True,
        "missing": [],
        "unexpected": [],
    }
    assert (tmp_path / "out" / "report.xml").read_text().count("<testcase") == 3
    assert result.exit_code == 1


def test_a_place_without_stories(tmp_path: Path) -> None:
    """A folder that has none, or a path that is not there, is an error and no success."""
    result = CliRunner().invoke(main, ["test", str(tmp_path), str(tmp_path / "none")])

    assert result.exit_code == 1
    assert "this folder has no *.story.yaml files" in result.output
    assert "there is no such file or folder" in result.output
