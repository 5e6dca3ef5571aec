import re
from pathlib import Path
from typing import Any

import hairspring.expressions
import pytest
from hairspring.engine.events import Event

README = Path(hairspring.expressions.__file__).with_name("README.md").read_text()
EVENT = Event(
    name="Product Added", time=1, order=1, accepted_at=1, properties={"price": 39, "cart_id": "c1"}
)


def test_the_example_runs() -> None:
    """The README's lines of Python give what stands beside them."""
    names: dict[str, Any] = {"event": EVENT}
    values: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        for line in filter(None, code.splitlines()):
            exec(line, names)
            if "  # " in line:
                values[line.partition("  # ")[2]] = eval(line, names)

    assert values == {
        "True or False, never an error": True,
        "True": True,
        '("traits.plan",)': ("traits.plan",),
        "the JSON value, or None": "c1",
    }


@pytest.mark.parametrize("path", re.findall(r"^\| `(\w+\.py)`", README, re.MULTILINE))
def test_the_files_are_there(path: str) -> None:
    """What the README names exists."""
    assert Path(hairspring.expressions.__file__).with_name(path).is_file()
