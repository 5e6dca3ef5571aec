"""Settings from the environment."""

from __future__ import annotations

import pytest
from hairspring.runtime.config import BadSettings, Settings, load


def test_settings_are_read_and_secrets_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL is there for whoever connects, and in no representation."""
    monkeypatch.setenv("HAIRSPRING_POSTGRES_URL", "postgresql://a:secret@h/d")
    monkeypatch.setenv("HAIRSPRING_LOG_FORMAT", "console")
    settings = load(Settings, required=["postgres_url"])
    assert settings.postgres_url == "postgresql://a:secret@h/d"
    assert settings.log_format == "console"
    assert "secret" not in repr(settings) + str(settings)


def test_each_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once, and without the values, which may be secrets."""
    monkeypatch.setenv("HAIRSPRING_LOG_FORMAT", "secret")
    monkeypatch.setenv("HAIRSPRING_DRAIN_SECONDS", "soon")
    with pytest.raises(BadSettings) as caught:
        load(Settings)
    assert "HAIRSPRING_LOG_FORMAT cannot be used" in str(caught.value)
    assert "HAIRSPRING_DRAIN_SECONDS cannot be used" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_is_required_and_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an example of what to set."""
    for name in ("POSTGRES_URL", "REDIS_URL"):
        monkeypatch.delenv(f"HAIRSPRING_{name}", raising=False)
    with pytest.raises(BadSettings, match=r"POSTGRES_URL is not set.*REDIS_URL is not set"):
        load(Settings, required=["postgres_url", "redis_url"])


@pytest.mark.parametrize("url", ["here", "http://a:secret@h", "redis://", "redis://h:secret"])
def test_what_is_no_redis_is_told(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A URL that leads to no Redis is refused by its setting, and not quoted."""
    monkeypatch.setenv("HAIRSPRING_REDIS_URL", url)
    with pytest.raises(BadSettings, match="HAIRSPRING_REDIS_URL cannot be used: it") as caught:
        load(Settings)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["redis://:pw@h:1/0", "rediss://h", "unix:///run/redis.sock"])
def test_what_may_be_a_redis_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Every form of URL that the driver knows is taken as it is."""
    monkeypatch.setenv("HAIRSPRING_REDIS_URL", url)
    assert load(Settings).redis_url == url
