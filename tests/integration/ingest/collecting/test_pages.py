"""What pages of a shop load: our script, the lines to paste, and Segment's bundle where it is."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from aiohttp import ClientSession
from hairspring.runtime.errors import StartFailed
from hairspring.services.ingest.collecting.pages import HERE, Bundle, Script, snippet

from tests.integration.ingest.running import ingest

BUNDLE = "var AnalyticsNext={AnalyticsBrowser:{load:()=>0}};//" + "x" * 100
PART = "407.bundle.61efa1acb302134c434b.js"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle with a part of its own beside it, and with something that is none."""
    (tmp_path / PART).write_text("part")
    (tmp_path / "secret.js").write_text("secret")
    path = tmp_path / "index.js"
    path.write_text(BUNDLE)
    return path


async def test_our_script_is_served_small_and_is_asked_for_once(http: ClientSession) -> None:
    """It has under 6 kB packed, and a browser that has it is not sent it again."""
    plain = (HERE / "hairspring.js").read_bytes()
    for packing, tag in (("identity", None), ("gzip, br", "-gzip")):
        headers = {"Accept-Encoding": packing}
        async with http.get("/hairspring.js", headers=headers) as answer:
            assert await answer.read() == plain
            assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert "max-age=600" in answer.headers["Cache-Control"]
            known = answer.headers["ETag"]
            assert known.startswith('"')
            assert (tag or "") in known
            if tag:
                assert int(answer.headers["Content-Length"]) < 6_000
        async with http.get(
            "/hairspring.js", headers={**headers, "If-None-Match": f'"other", {known}'}
        ) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
            assert answer.headers["ETag"] == known


async def test_the_lines_to_paste_have_the_address_and_the_key(http: ClientSession) -> None:
    """They are text, so that nobody's key becomes a page of ours; a strange key is refused."""
    async with http.get("/snippet?writeKey=shop-1") as answer:
        lines = await answer.text()
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert f'"{answer.url.origin()}", "shop-1");' in lines
    for query in ("", "?writeKey=", '?writeKey=a"<script>'):
        async with http.get(f"/snippet{query}") as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, "bad_key")


async def test_without_segments_bundle_it_is_told_how_it_comes_here(http: ClientSession) -> None:
    """By a command and a setting."""
    for path in ("/analytics.js", "/analytics.js/v1/shop/analytics.min.js"):
        async with http.get(path) as answer:
            told = await answer.text()
            assert answer.status == 404
            assert "npm install" in told
            assert "HAIRSPRING_INGEST_ANALYTICS_JS" in told
    async with http.get(f"/analytics-next/bundles/{PART}") as answer:
        assert answer.status == 404


async def test_segments_bundle_is_served_where_segment_has_it(
    database_url: str, bundle: Path
) -> None:
    """At the path of their CDN and at a short one; its parts too, and nothing else beside it."""
    async with (
        ingest(database_url, ingest_analytics_js=str(bundle)) as service,
        ClientSession(service.http) as http,
    ):
        for path in ("/analytics.js?writeKey=k", "/analytics.js/v1/k/analytics.min.js"):
            async with http.get(path) as answer:
                script = await answer.text()
                assert answer.status == 200
                assert BUNDLE in script
                assert '"Segment.io":{"apiKey"' in script
        async with http.get(f"/analytics-next/bundles/{PART}") as answer:
            assert await answer.text() == "part"
        for name in ("secret.js", "index.js", "..%2Findex.js"):
            async with http.get(f"/analytics-next/bundles/{name}") as answer:
                assert answer.status == 404


def test_the_lines_to_paste_are_printed_as_they_are_served() -> None:
    """Whoever copies them from the page about the collector has the same."""
    printed = (HERE.parent / "README.md").read_text()
    assert snippet("https://events.shop.example", "shop") in printed


def test_what_is_no_bundle_is_told_at_the_start(tmp_path: Path) -> None:
    """A file that is not there, another script, and one that is far too large."""
    path = tmp_path / "index.js"
    with pytest.raises(StartFailed, match="cannot be read"):
        Bundle(path)
    path.write_text("var other")
    with pytest.raises(StartFailed, match="dist/umd/index"):
        Bundle(path)
    path.write_bytes(b"AnalyticsNext" * 400_000)
    with pytest.raises(StartFailed, match="larger"):
        Bundle(path)


def test_the_same_script_is_packed_the_same_everywhere() -> None:
    """So that replicas agree on its tag."""
    first, again = Script.of(b"text"), Script.of(b"text")
    assert first == again
    assert gzip.decompress(first.packed) == b"text"
    assert first.tag != Script.of(b"other").tag
