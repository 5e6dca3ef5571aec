"""Templates: from YAML to their canonical form, with their Liquid checked."""

from collections.abc import Mapping

from hairspring.definitions import liquid_text
from hairspring.definitions.fields import Field
from hairspring.definitions.flows import CHANNELS, read_channel
from hairspring.definitions.patterns import Body

KEYS = ("description", "channel", "subject", "html", "text")
REQUIRED = ("subject", "html")
LONGEST_SUBJECT = 1_000
LONGEST_PART = 100_000


def read(entries: Mapping[str, Field]) -> Body:
    """The canonical form of what a template has besides name and description."""
    body: Body = {"channel": CHANNELS[0], "subject": None, "html": None, "text": ""}
    if "channel" in entries:
        body["channel"] = read_channel(entries["channel"])
    if "subject" in entries:
        body["subject"] = _subject(entries["subject"])
    if "html" in entries:
        body["html"] = _liquid(entries["html"], "`html`", LONGEST_PART)
    if "text" in entries:
        body["text"] = _liquid(entries["text"], "`text`", LONGEST_PART)
    return body


def _subject(field: Field) -> str | None:
    text = _liquid(field, "`subject`", LONGEST_SUBJECT)
    if text is None:
        return None
    if "\n" in text.strip() or "\r" in text.strip():
        field.refuse("`subject` is one line")
        return None
    return text.strip()


def _liquid(field: Field, what: str, longest: int) -> str | None:
    text = field.text(what, longest=longest)
    if text is None:
        return None
    flaws = liquid_text.flaws_in(text)
    for flaw in flaws:
        field.refuse_inside(flaw.line, flaw.column, flaw.message)
    return text if not flaws else None
