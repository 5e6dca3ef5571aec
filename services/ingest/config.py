"""The settings of ingest."""

from hairspring.runtime.config import Settings
from pydantic import Field


class IngestSettings(Settings):
    """What ingest is told by its environment, beside what every process is told.

    `shards` is how many shards an installation is to have (256 unless told); it is decided once.
    Spans of time are in seconds, sizes in bytes.
    """

    shards: int | None = Field(default=None, ge=1, le=32768)
    import_silence: float = Field(default=600.0, gt=0, le=86_400)
    ingest_writers: int = Field(default=2, ge=1, le=16)
    ingest_queue_events: int = Field(default=50_000, ge=1)
    ingest_queue_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    ingest_patience: float = Field(default=5.0, gt=0, le=300)
