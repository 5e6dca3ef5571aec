"""The SDKs, installed unmodified from their registries."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PYTHON = ("segment-analytics-python==2.4.0", "rudder-sdk-python==2.1.9")
NODE = (
    "@segment/analytics-node@3.1.0",
    "@rudderstack/rudder-sdk-node@3.0.13",
    "@segment/analytics-next@1.84.3",
    "@rudderstack/analytics-js@3.34.1",
)
SENDERS = Path(__file__).parent / "senders"
WANTED = os.environ.get("HAIRSPRING_SDKS") == "1"
_SECONDS = 300


def program(*names: str) -> str:
    """Find a program, or skip the test."""
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.skip(f"there is no {names[0]} here")


def python_with_sdks(directory: Path) -> Path:
    """Make an environment with the SDKs for Python, and answer its interpreter."""
    made = directory / "venv"
    _run([sys.executable, "-m", "venv", str(made)], directory)
    python = made / "bin" / "python"
    _run([str(python), "-m", "pip", "install", "-q", *PYTHON], directory)
    return python


def node_with_sdks(directory: Path) -> Path:
    """Install the SDKs for Node and for browsers, and answer the directory of the modules."""
    npm = program("npm")
    program("node")
    _run(
        [npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", *NODE],
        directory,
    )
    return directory / "node_modules"


def _run(command: list[str], directory: Path) -> None:
    try:
        subprocess.run(
            command, cwd=directory, check=True, capture_output=True, text=True, timeout=_SECONDS
        )
    except (subprocess.SubprocessError, OSError) as error:
        said = str(getattr(error, "stderr", "") or error)[-400:]
        pytest.skip(f"the SDKs cannot be installed here: {said}")
