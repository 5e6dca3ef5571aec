"""The stories of the language: each file beside this one is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hairspring.stories import Story, find_files, read_file, run

STORIES = [story for path in find_files([Path(__file__).parent]) for story in read_file(path)]


@pytest.mark.parametrize(
    "story", STORIES, ids=lambda story: f"{Path(story.path).name.split('.')[0]}:{story.name}"
)
def test_the_story_comes_out_as_told(story: Story) -> None:
    """What the story expects comes of its events, and nothing else."""
    result = run(story)

    assert result.passed, f"{story.path}:{story.line}\n{result.difference}"
