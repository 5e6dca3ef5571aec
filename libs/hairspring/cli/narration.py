"""Tells what happens in lines for people: transitions, runs of flows, mails; pure but for print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from hairspring.cli import records, times
from hairspring.cli.output import console, printable
from hairspring.contracts.transition.v1 import transition_pb2 as pb
from hairspring.embedded.mail import SunkMail
from hairspring.wire.times import to_ms
from hairspring.wire.transitions import transition_json

_STYLES = {"entered": "green", "left": "yellow", "mail": "magenta", "flow": "cyan", "note": "red"}
_KIND_WIDTH = 8


class Narrator:
    """Prints one line for each thing that happens."""

    def __init__(self) -> None:
        self._console = console()

    def note(self, text: str) -> None:
        """Tell something about the running of Hairspring itself."""
        self._print(told(now(), "note", text))

    def hear_records(self, heard: Sequence[pb.Record]) -> None:
        """Tell the transitions among the records."""
        for record in heard:
            if record.WhichOneof("body") == "transition":
                self._print(transition(record))

    def hear_delivery(self, entry: dict[str, Any]) -> None:
        """Tell a line of delivery's log where it is about a run or a message."""
        text = delivery(entry)
        if text is not None:
            self._print(text)

    def mail(self, mail: SunkMail) -> None:
        """Tell a mail that came into the sink."""
        text = told(now(), "mail", "")
        text.append(f"{', '.join(mail.recipients):<33} ", style="bold")
        self._print(text.append(str(mail.message["Subject"] or ""), style="dim"))

    def _print(self, text: Text) -> None:
        text.plain = printable(text.plain)
        self._console.print(text, soft_wrap=True)
        sys.stdout.flush()


def transition(record: pb.Record) -> Text:
    """Tell one transition; one that time brought about says so: a timer fired."""
    line = transition_json(record)
    effective = to_ms(record.transition.effective_time)
    why = records.reason(line)
    if record.transition.cause.WhichOneof("kind") == "time" and "origin" not in line:
        late = to_ms(record.record_time) - effective
        why = f"timer fired ({late} ms)"
    text = told(_when(effective), line["change"], "")
    text.append(f"{line['segment']:<16} ", style="cyan")
    text.append(f"{line['profile']:<16} ", style="bold")
    return text.append(why, style="dim")


def delivery(entry: dict[str, Any]) -> Text | None:
    """Tell a line of delivery's log; None where it is nothing for people."""
    tell = _DELIVERY.get(str(entry.get("event")))
    if tell is None:
        return None
    kind, words = tell(entry)
    moment = times.parse(entry.get("timestamp"))
    text = told(_when(moment.at) if moment else now(), kind, "")
    text.append(f"{entry.get('flow') or '':<16} ", style="cyan")
    text.append(f"{entry.get('profile') or entry.get('profile_id') or '':<16} ", style="bold")
    return text.append(words, style="dim")


def told(at: str, kind: str, words: str) -> Text:
    """Begin a line: when, what kind of thing, and words."""
    text = Text()
    text.append(f"{at}  ", style="dim")
    text.append(f"{kind:<{_KIND_WIDTH}} ", style=_STYLES.get(kind, ""))
    return text.append(words)


def _when(at: int) -> str:
    """Write the time of day, with the date where that is not today."""
    date, _, time = times.to_local(at).partition(" ")
    return time if date == f"{datetime.now():%Y-%m-%d}" else f"{date} {time}"


def now() -> str:
    """Write the time of day on this machine's clock."""
    return f"{datetime.now():%H:%M:%S.%f}"[:-3]


_Words = Callable[[dict[str, Any]], tuple[str, str]]

_DELIVERY: dict[str, _Words] = {
    "run_started": lambda entry: ("flow", "run started"),
    "run_not_started": lambda entry: ("flow", f"run not started: {entry.get('reason', '')}"),
    "run_ended": lambda entry: ("flow", f"run ended: {entry.get('reason', '')}"),
    "message_sent": lambda entry: ("mail", "sent"),
    "message_retried": lambda entry: ("mail", f"is tried again: {entry.get('reason', '')}"),
    "message_skipped": lambda entry: ("mail", f"not sent: {entry.get('reason', '')}"),
    "message_failed": lambda entry: ("mail", f"failed: {entry.get('reason', '')}"),
    "message_unknown": lambda entry: ("mail", f"may have gone out: {entry.get('reason', '')}"),
}
