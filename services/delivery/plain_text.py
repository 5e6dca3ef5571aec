"""Makes the text part of a mail from its HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_BLOCKS = re.compile(
    r"address|article|aside|blockquote|body|center|d[dlt]|div|fieldset|figure|footer|form|h[1-6]|"
    r"header|html|main|nav|ol|p|pre|section|table|tbody|thead|tfoot|tr|ul"
)
_APART = re.compile(r"h[1-6]|p|ul|ol|table|blockquote")
_HIDDEN = frozenset({"head", "script", "style", "title", "template"})
_SPACES = re.compile(r"[ \t\r\n\f\v]+")


def plain_text(html: str) -> str:
    """Turn HTML into text that can be read: paragraphs, lists, links with their addresses."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = [""]
        self._hidden = 0
        self._links: list[str] = []

    def text(self) -> str:
        """Answer what was read, with at most one empty line in a row."""
        lines = [line.strip() for line in self._lines]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line, an item or a link."""
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag == "br":
            self._lines.append("")
        elif tag == "li":
            self._break()
            self._write("- ")
        elif tag in ("td", "th"):
            self._write(" ")
        elif tag == "img":
            self._write(dict(attrs).get("alt") or "")
        elif tag == "a":
            self._links.append(dict(attrs).get("href") or "")
        elif _BLOCKS.fullmatch(tag):
            self._break(apart=bool(_APART.fullmatch(tag)))

    def handle_endtag(self, tag: str) -> None:
        """End a line, or write where a link leads."""
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag == "a" and self._links:
            href = self._links.pop()
            if href.startswith(("http:", "https:")) and not self._lines[-1].endswith(href):
                self._write(f" ({href})")
        elif _BLOCKS.fullmatch(tag) or tag == "li":
            self._break(apart=bool(_APART.fullmatch(tag)))

    def handle_data(self, data: str) -> None:
        """Write text, its spaces as one."""
        if not self._hidden:
            self._write(_SPACES.sub(" ", data))

    def _write(self, text: str) -> None:
        line = self._lines[-1]
        if (not line or line.endswith(" ")) and text.startswith(" "):
            text = text[1:]
        self._lines[-1] = line + text

    def _break(self, *, apart: bool = False) -> None:
        if self._lines[-1].strip():
            self._lines.append("")
        if apart and len(self._lines) > 1 and self._lines[-2].strip():
            self._lines.append("")
