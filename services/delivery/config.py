"""What delivery is told by its environment."""

from __future__ import annotations

from hairspring.runtime.config import Settings
from pydantic import Field

REQUIRED = ("postgres_url", "redis_url", "smtp_url", "mail_from")


class DeliverySettings(Settings):
    """The settings of every process, and the number of shards of a new installation."""

    shards: int = Field(default=256, ge=1, le=65_536)
