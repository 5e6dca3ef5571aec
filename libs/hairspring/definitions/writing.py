"""Writing: a tree as the YAML that a person could have written."""

from collections.abc import Mapping
from typing import Any

import yaml

_WIDTH = 100


def write(tree: Mapping[str, Any]) -> str:
    """Writes a document; reading it gives the same tree, with texts as texts."""
    return yaml.safe_dump(
        dict(tree), sort_keys=False, allow_unicode=True, width=_WIDTH, default_flow_style=None
    )
