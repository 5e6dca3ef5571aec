"""The settings of ingest."""

from hairspring.runtime.config import Settings
from pydantic import Field, ValidationInfo, field_validator


class IngestSettings(Settings):
    """What ingest is told by its environment, beside what every process is told.

    `shards` is how many shards an installation is to have (256 unless told); it is decided once.
    Spans of time are in seconds unless their name says otherwise, sizes in bytes. `ingest_http` is
    where the collector listens, empty for nowhere; `ingest_url` is how senders reach it, where the
    Host that they ask for does not say so; `ingest_analytics_js` is the file of Segment's bundle
    for browsers, where it is to be served. `ingest_key_events` is how many events a second may come
    with each key that says nothing else, 0 for any number. `ingest_retention_days` is for how long
    events are kept, 0 for ever.
    """

    shards: int | None = Field(default=None, ge=1, le=32768)
    import_silence: float = Field(default=600.0, gt=0, le=86_400)
    ingest_writers: int = Field(default=2, ge=1, le=16)
    ingest_queue_events: int = Field(default=50_000, ge=1)
    ingest_queue_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    ingest_patience: float = Field(default=5.0, gt=0, le=300)

    ingest_http: str = ""
    ingest_url: str = ""
    ingest_analytics_js: str = ""
    ingest_event_bytes: int = Field(default=32 * 1024, ge=1024)
    ingest_batch_bytes: int = Field(default=512 * 1024, ge=1024)
    ingest_batch_events: int = Field(default=2_500, ge=1)
    ingest_body_bytes: int = Field(default=1024 * 1024, ge=1024)
    ingest_rejects_a_day: int = Field(default=20_000, ge=0)
    ingest_reject_bytes_a_day: int = Field(default=64 * 1024 * 1024, ge=0)
    ingest_key_events: int = Field(default=0, ge=0)
    ingest_requests: int = Field(default=512, ge=1)
    ingest_retention_days: float = Field(default=0.0, ge=0, le=36_500)
    ingest_skew_days: float = Field(default=7.0, ge=0, le=36_500)

    @field_validator("ingest_retention_days")
    @classmethod
    def _keeps_what_is_judged(cls, days: float, info: ValidationInfo) -> float:
        horizon = info.data.get("horizon_days", 0)
        if 0 < days < horizon:
            raise ValueError(
                f"it is {days:g}, but events of {horizon} days are judged "
                "(HAIRSPRING_HORIZON_DAYS): keep them as long, or 0 for ever"
            )
        return days

    @field_validator("ingest_url")
    @classmethod
    def _is_a_url(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("it must look like https://events.shop.example")
        return url
