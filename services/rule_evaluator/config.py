"""The settings of the rule evaluator."""

from typing import Literal

from hairspring.log.shards import DEFAULT_SHARD_COUNT
from hairspring.runtime.config import Settings
from pydantic import Field


class EvaluatorSettings(Settings):
    """What the evaluator is told by its environment; durations in milliseconds."""

    shards: int = Field(default=DEFAULT_SHARD_COUNT, ge=1, le=65_536)
    evaluator_log_detail: Literal["nothing", "changes", "events"] = "changes"
    lateness_ms: int = Field(default=0, ge=0, le=3_600_000)
    lease_ms: int = Field(default=10_000, ge=500, le=600_000)
