"""The settings of the rule evaluator."""

from typing import Literal

from hairspring.log.shards import DEFAULT_SHARD_COUNT
from hairspring.ownership.port import LEASE_MS
from hairspring.runtime.config import Settings
from pydantic import Field, field_validator


class EvaluatorSettings(Settings):
    """What the evaluator is told by its environment; durations in milliseconds.

    `evaluator_advertise` is where other replicas reach this one, as host:port; empty for where it
    listens.
    """

    evaluator_advertise: str = ""

    shards: int = Field(default=DEFAULT_SHARD_COUNT, ge=1, le=65_536)
    evaluator_log_detail: Literal["nothing", "changes", "events"] = "changes"
    lateness_ms: int = Field(default=0, ge=0, le=3_600_000)
    lease_ms: int = Field(default=LEASE_MS, ge=500, le=600_000)

    @field_validator("evaluator_advertise")
    @classmethod
    def _is_an_address(cls, told: str) -> str:
        host, _, port = told.rpartition(":")
        if told and not (host and port.isdecimal() and 0 < int(port) < 65_536):
            raise ValueError("it must look like host:port, for instance 10.0.0.7:7302")
        return told
