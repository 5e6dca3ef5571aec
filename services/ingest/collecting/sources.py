"""What browser and mobile SDKs ask before they send: where to, and whether at all. Pure."""

import re
from typing import Any

_HOST = re.compile(r"[A-Za-z0-9.\-_]{1,255}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")


def base_url(*, setting: str, scheme: str, forwarded: str, host: str) -> str:
    """Answer our own address as the sender sees it, without a slash at the end.

    It is the setting, else made of the Host that was asked for, under the scheme that a proxy says
    was used (X-Forwarded-Proto).
    """
    if setting:
        return setting.rstrip("/")
    told = forwarded.partition(",")[0].strip().lower()
    safe = host if _HOST.fullmatch(host) else "localhost"
    return f"{told if told in ('http', 'https') else scheme}://{safe}"


def segment_settings(key: str, base: str) -> dict[str, Any]:
    """Answer the settings of a Segment source whose one destination is this collector."""
    protocol, _, place = base.partition("://")
    enabled = {"__default": {"enabled": True, "integrations": {}}}
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": key,
                "apiHost": f"{place}/v1",
                "protocol": protocol,
                "unbundledIntegrations": [],
                "addBundledMetadata": True,
                "maybeBundledConfigIds": {},
                "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
            }
        },
        "plan": {"track": enabled, "identify": enabled, "group": enabled},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0, "host": f"{place}/v1"},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }


def source_config(key: str, base: str) -> dict[str, Any]:
    """Answer the configuration of a RudderStack source whose data plane is this collector."""
    off = {"enabled": False}
    return {
        "source": {
            "id": "hairspring",
            "name": "Hairspring",
            "writeKey": key,
            "enabled": True,
            "workspaceId": "default",
            "destinations": [],
            "dataplanes": {"US": [{"url": base, "default": True}]},
            "config": {"statsCollection": {"errors": off, "metrics": off}},
            "sourceDefinition": {"name": "Javascript", "category": None},
            "updatedAt": "2026-01-01T00:00:00.000Z",
        },
        "isHosted": False,
        "updatedAt": "2026-01-01T00:00:00.000Z",
    }
