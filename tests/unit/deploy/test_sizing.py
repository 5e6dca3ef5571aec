"""The page on large deployments says what its arithmetic gives."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"


def told(*options: str) -> str:
    command = [sys.executable, str(DEPLOY / "sizing.py"), *options]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_the_page_shows_what_is_computed() -> None:
    """The table of the README is that of the script, and the text names no other figures."""
    page, found = (DEPLOY / "README.md").read_text(), told()
    assert found in page
    for name, figure in re.findall(r"^(.+?)  +(\S.*)$", found, re.MULTILINE):
        if name in (
            "write-ahead log, a cell",
            "events of 90 days, in all",
            "profiles on disk, a cell",
        ):
            assert page.count(figure) > 1, f"the text says something else than {figure} of {name}"


def test_other_figures_give_other_answers() -> None:
    """Each figure is an option: twice the cells have half the profiles each."""
    usual, twice = told(), told("--cells", "128")
    assert "15.6 million" in usual
    assert "7.8 million" in twice
    assert re.search(r"cores in all +206", twice)
    assert re.search(r"cores in all +103", told("--load", "1"))


def test_no_figure_is_without_effect() -> None:
    """Each option changes what comes out."""
    sizing = runpy.run_path(str(DEPLOY / "sizing.py"))
    usual, told_of = sizing["Figures"](), sizing["told"]
    for one in fields(usual):
        other = replace(usual, **{one.name: 2 * getattr(usual, one.name)})
        assert told_of(other) != told_of(usual), one.name
