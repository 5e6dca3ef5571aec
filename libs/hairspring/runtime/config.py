"""Settings from the environment: every name begins with HAIRSPRING_."""

from collections.abc import Iterable
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from hairspring.runtime.keys import service_tokens

PREFIX = "HAIRSPRING_"

_HINTS = {
    "postgres_url": "for instance postgresql://hairspring@localhost/hairspring",
    "redis_url": "for instance redis://localhost:6379/0",
    "smtp_url": "for instance smtp://localhost:25",
    "mail_from": "for instance shop@example.com",
    "service_token": "the same for all services of the deployment, for instance to what "
    "`openssl rand -hex 24` says; HAIRSPRING_AUTH=off does without keys, and lets anybody in",
}

_REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster")
_OTHERS = "rediss://, unix:// or redis+cluster://"


class BadSettings(Exception):
    """The settings cannot be used as they are."""


class Settings(BaseSettings):
    """What the processes are told by their environment. Addresses are host:port.

    `..._metrics` is where a service offers its metrics; empty for nowhere. `service_token` is what
    the services of a deployment show each other: several may be parted by commas, all are good, and
    the first is shown.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    postgres_url: str = Field(default="", repr=False)
    redis_url: str = Field(default="", repr=False)
    smtp_url: str = Field(default="", repr=False)
    mail_from: str = ""

    ingest_address: str = "127.0.0.1:7301"
    evaluator_address: str = "127.0.0.1:7302"
    delivery_address: str = "127.0.0.1:7303"

    ingest_listen: str = "127.0.0.1:7301"
    evaluator_listen: str = "127.0.0.1:7302"
    delivery_listen: str = "127.0.0.1:7303"

    ingest_metrics: str = ""
    evaluator_metrics: str = ""
    delivery_metrics: str = ""

    auth: Literal["on", "off"] = "on"
    service_token: str = Field(default="", repr=False)

    horizon_days: int = Field(default=90, ge=1, le=3_650)
    timers_ahead_hours: float = Field(default=6.0, ge=0.001, le=8_760)

    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    drain_seconds: float = Field(default=10.0, ge=0, le=600)
    start_seconds: float = Field(default=10.0, ge=0, le=3600)
    ready_file: str = ""
    parent_pid: int = Field(default=0, ge=0)

    @field_validator("redis_url")
    @classmethod
    def _names_a_redis(cls, url: str) -> str:
        """The driver's own complaints would come late, and might quote the password."""
        parts = urlsplit(url)
        if url and (parts.scheme not in _REDIS_SCHEMES or not (parts.netloc or parts.path)):
            raise ValueError(f"it must look like redis://host:6379/0, or begin with {_OTHERS}")
        try:
            parts.port  # noqa: B018 - reading it checks it
        except ValueError:
            raise ValueError("its port is no number up to 65535") from None
        return url

    @field_validator("service_token")
    @classmethod
    def _cannot_be_guessed(cls, told: str) -> str:
        service_tokens(told)
        return told

    @property
    def service_tokens(self) -> list[str]:
        """The tokens of the deployment; empty where it does without keys."""
        return service_tokens(self.service_token) if self.auth == "on" else []

    @property
    def own_token(self) -> str:
        """The token to show to the other services; empty where they want none."""
        return next(iter(self.service_tokens), "")

    @property
    def horizon_ms(self) -> int:
        """How far back history is judged, in milliseconds."""
        return self.horizon_days * 86_400_000

    @property
    def timers_ahead_ms(self) -> int:
        """How far ahead timers are held in Redis, in milliseconds; later ones wait in Postgres."""
        return round(self.timers_ahead_hours * 3_600_000)


S = TypeVar("S", bound=Settings)


def load(kind: type[S], *, required: Iterable[str] = (), serves: bool = False) -> S:
    """Read the settings from the environment.

    A process that `serves` needs the token of the deployment too, unless it does without keys.
    Raises BadSettings with a sentence for every setting that is wrong, or required and not set.
    """
    try:
        settings = kind()
    except ValidationError as error:
        raise BadSettings(_sentence(error)) from None
    needed = [*required, *(["service_token"] if serves and settings.auth == "on" else [])]
    missing = [name for name in needed if not getattr(settings, name)]
    if missing:
        raise BadSettings(" ".join(_missing(name) for name in missing))
    return settings


def variable(name: str) -> str:
    """Name the environment variable of a setting."""
    return PREFIX + name.upper()


def _missing(name: str) -> str:
    hint = _HINTS.get(name)
    return f"{variable(name)} is not set; set it" + (f", {hint}." if hint else ".")


def _sentence(error: ValidationError) -> str:
    """Tell what is wrong by setting. The value is left out: it may hold a password."""
    return " ".join(
        f"{variable('.'.join(str(part) for part in problem['loc']))} cannot be used: "
        f"{_said(problem['msg'])}."
        for problem in error.errors(include_url=False, include_input=False)
    )


def _said(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
