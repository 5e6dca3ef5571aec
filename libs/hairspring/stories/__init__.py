"""Stories: what people do, by a fake clock, and what should come of it for some definitions."""

from hairspring.stories.comparing import Line, Sign
from hairspring.stories.files import find_files, read_file
from hairspring.stories.junit import junit
from hairspring.stories.outcomes import Outcome, OutcomeType
from hairspring.stories.running import Result, run
from hairspring.stories.story import Expectation, Story

__all__ = [
    "Expectation",
    "Line",
    "Outcome",
    "OutcomeType",
    "Result",
    "Sign",
    "Story",
    "find_files",
    "junit",
    "read_file",
    "run",
]
