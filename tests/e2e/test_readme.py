"""The README's examples, run as a reader would run them.

Fenced blocks of YAML and JSON are files, named behind the language. A block `console` is a session:
each line after `$ ` is run at a terminal, and what follows is what it says, where `...` stands for
anything. A block `console up` runs in a terminal of its own until the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.terminal import Shell, make_shell, running_up
from tests.support.shared_data import REPOSITORY
from tests.support.waiting import eventually

_BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ASKING = {"transitions", "members", "messages", "explain", "get", "runs"}


@dataclass(slots=True)
class Step:
    """A command of a session, and what it is to say."""

    command: str
    says: list[str] = field(default_factory=list)

    @property
    def asks(self) -> bool:
        """Whether it only asks, so that it may be asked until the answer has come."""
        return self.command.split()[1] in _ASKING


async def test_every_example_runs(tmp_path: Path) -> None:
    """Whoever follows the README from its first line to its last sees what it shows."""
    shell = make_shell(tmp_path)
    seen = 0
    async with AsyncExitStack() as stack:
        for language, name, content in _BLOCK.findall((REPOSITORY / "README.md").read_text()):
            if language in ("yaml", "json"):
                (tmp_path / name).write_text(content)
            if language != "console":
                continue
            for step in _steps(content):
                seen += 1
                if name == "up":
                    up = await stack.enter_async_context(running_up(shell))
                    await eventually(lambda up=up, step=step: _check(step, up.output))
                else:
                    await _run(shell, step)
    assert seen >= 9


async def _run(shell: Shell, step: Step) -> None:
    async def is_right() -> bool:
        said = await shell.show(step.command)
        assert said.code == 0, said.out
        return _check(step, said.out)

    if step.asks:
        await eventually(is_right, timeout=30, every=0.3)
    else:
        assert await is_right()


def _check(step: Step, said: str) -> bool:
    """Compare what was said with what is to be said, but for the number of spaces."""
    lines = [" ".join(line.split()) for line in said.splitlines()]
    expected = "\n".join(" ".join(line.split()) for line in step.says)
    pattern = re.escape(expected).replace(r"\.\.\.", ".*")
    found = "\n".join(line for line in lines if line)
    assert re.fullmatch(pattern, found, re.DOTALL), f"$ {step.command}\n{found}\n--\n{expected}"
    return True


def _steps(session: str) -> Iterator[Step]:
    step: Step | None = None
    for line in session.splitlines():
        if line.startswith("$ "):
            if step is not None:
                yield step
            step = Step(line[2:])
        elif step is not None:
            step.says.append(line)
    if step is not None:
        yield step
