"""Running: a story goes through the engine by a fake clock."""

from dataclasses import dataclass

from hairspring.engine.simulate import simulate_accepted
from hairspring.stories.comparing import Line, Sign, compare
from hairspring.stories.outcomes import outcome
from hairspring.stories.story import Story


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a story came to: every line that was expected or came."""

    story: Story
    lines: tuple[Line, ...]

    @property
    def passed(self) -> bool:
        """Whether everything came as expected, and nothing else."""
        return all(line.sign is Sign.BOTH for line in self.lines)

    @property
    def difference(self) -> str:
        """All lines with their signs: `-` was expected and did not come, `+` came unexpected."""
        return "\n".join(f"{line.sign} {line.written(self.story.starts)}" for line in self.lines)

    @property
    def summary(self) -> str:
        """In a few words, what is different; empty where nothing is."""
        missing = sum(line.sign is Sign.MISSING for line in self.lines)
        unexpected = sum(line.sign is Sign.UNEXPECTED for line in self.lines)
        said = [f"{missing} expected did not come"] if missing else []
        return ", ".join([*said, f"{unexpected} came unexpected"] if unexpected else said)


def run(story: Story) -> Result:
    """Runs a story. Nothing but the story decides what comes of it: there is no clock."""
    told = simulate_accepted(
        story.events,
        story.plan,
        until=story.until,
        lateness=story.lateness,
        horizon=story.horizon,
    )
    found = [one for one in map(outcome, told) if one is not None]
    seen = [one for one in found if one.segment in story.segments]
    return Result(story=story, lines=tuple(compare(story.expected, seen)))
