"""Names of definitions."""

import re

LONGEST_NAME = 63
_NAME = re.compile(rf"[a-z][a-z0-9-]{{0,{LONGEST_NAME - 1}}}")
_RULE = (
    f"a name has a-z, 0-9 and '-', starts with a letter and has at most {LONGEST_NAME} characters"
)


def flaw_in(name: str) -> str | None:
    """What is wrong with a name, in a sentence; None where nothing is."""
    if _NAME.fullmatch(name):
        return None
    better = re.sub(r"[^a-z0-9]+", "-", name.lower()[:LONGEST_NAME]).strip("-")
    hint = f"; {better} would do" if _NAME.fullmatch(better) else ""
    return f"{_RULE}{hint}"
