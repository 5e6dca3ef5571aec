"""What delivery is told by its environment."""

from __future__ import annotations

from hairspring.ownership.port import LEASE_MS
from hairspring.runtime.config import Settings
from pydantic import Field

REQUIRED = ("postgres_url", "redis_url", "smtp_url", "mail_from")


class DeliverySettings(Settings):
    """The settings of every process, the number of shards of a new installation, and the lease.

    A replica that does not answer for `lease_ms` (milliseconds) loses its shards.
    """

    shards: int = Field(default=256, ge=1, le=65_536)
    lease_ms: int = Field(default=LEASE_MS, ge=500, le=600_000)
