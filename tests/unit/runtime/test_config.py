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
