"""Metrics are told of where people look for them."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.resources import files

from prometheus_client import REGISTRY


def test_every_metric_is_in_the_table() -> None:
    """The README names each metric that a service has, and none that no service has."""
    for service in ("ingest", "rule_evaluator", "delivery"):
        import_module(f"hairspring.services.{service}.metrics")
    text = (files("hairspring.runtime") / "README.md").read_text()
    told = set(re.findall(r"^\| `(hairspring_\w+)", text, re.MULTILINE))

    found = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in REGISTRY.collect()
        if family.name.startswith("hairspring_")
    }

    assert found == told
