"""What one sees while the shop is played: segments, transitions and mails."""

from __future__ import annotations

from collections.abc import Sequence

from rich.align import Align
from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hairspring.cli import records, times
from hairspring.cli.demo.measures import Measures, quantile
from hairspring.contracts.transition.v1 import transition_pb2 as pb
from hairspring.embedded.mail import SunkMail
from hairspring.wire.times import to_ms
from hairspring.wire.transitions import transition_json

_BAR_WIDTH = 8
_SIZE_WIDTH = 3
_BORDERS = 2
_MAILS_SHOWN = 12


def screen(
    measures: Measures,
    mails: Sequence[SunkMail],
    segments: Sequence[str],
    *,
    elapsed: float,
    seconds: float,
) -> Layout:
    """Draw everything as it stands; `elapsed` of `seconds` have passed."""
    layout = Layout()
    layout.split_column(
        Layout(_head(measures, mails, elapsed, seconds), size=3),
        Layout(_panel("transitions", _transitions(measures.latest)), ratio=3),
        Layout(name="below", ratio=2, minimum_size=len(segments) + _BORDERS),
    )
    name = max((len(segment) for segment in segments), default=0)
    layout["below"].split_row(
        Layout(
            _panel("segments", _segments(measures, segments)),
            size=name + _SIZE_WIDTH + _BAR_WIDTH + 2 * _BORDERS + 2,
        ),
        Layout(_panel("mails", _mails(mails))),
    )
    return layout


def _head(
    measures: Measures, mails: Sequence[SunkMail], elapsed: float, seconds: float
) -> RenderableType:
    counts = Text("Hairspring", style="bold green", no_wrap=True, overflow="ellipsis")
    counts.append("  a small shop, live", style="not bold dim")
    for number, what in (
        (measures.accepted, "event"),
        (measures.transitions, "transition"),
        (len(mails), "mail"),
    ):
        counts.append(f"  {number:,}", style="bold default")
        counts.append(f" {what}" if number == 1 else f" {what}s", style="not bold dim")
    took = Text(no_wrap=True, overflow="ellipsis", style="dim")
    took.append(f"event → transition p50 {milliseconds(measures.reactions, 0.5)}, ")
    took.append(f"timer lateness p50 {milliseconds(measures.lateness, 0.5)}")
    if elapsed > seconds:
        took.append("  waiting for the last mails")
    bar = ProgressBar(total=seconds, completed=min(elapsed, seconds), complete_style="green")
    return Group(counts, took, bar)


def _segments(measures: Measures, segments: Sequence[str]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(justify="right", style="bold", width=_SIZE_WIDTH)
    table.add_column(no_wrap=True, overflow="crop")
    largest = max((measures.size(segment) for segment in segments), default=0)
    for segment in segments:
        size = measures.size(segment)
        width = round(_BAR_WIDTH * size / largest) if largest > 0 else 0
        table.add_row(segment, str(size), Text("█" * width, style="green"))
    return table


def _transitions(latest: Sequence[pb.Record]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    for style in ("dim", "", "cyan", "bold"):
        table.add_column(style=style, no_wrap=True)
    table.add_column(style="dim")
    for record in latest:
        line = transition_json(record)
        effective = to_ms(record.transition.effective_time)
        change = Text(line["change"], style="green" if line["change"] == "entered" else "yellow")
        table.add_row(
            times.to_local(effective)[11:],
            change,
            line["segment"],
            line["profile"],
            _giving_way(records.reason(line)),
        )
    return table


def _mails(mails: Sequence[SunkMail]) -> RenderableType:
    if not mails:
        return Align.center(Text("none yet", style="dim"), vertical="middle")
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(style="magenta")
    for mail in reversed(mails[-_MAILS_SHOWN:]):
        table.add_row(str(mail.message["Subject"] or ""), _giving_way(", ".join(mail.recipients)))
    return table


def _giving_way(text: str) -> Text:
    """Make a cell that is cut first where there is no room for all of a row."""
    return Text(text, no_wrap=True, overflow="ellipsis")


def _panel(title: str, content: RenderableType) -> Panel:
    return Panel(content, title=title, title_align="left", border_style="dim", padding=(0, 1))


def milliseconds(values: Sequence[float], share: float) -> str:
    """Write a quantile in milliseconds."""
    found = quantile(values, share)
    return "-" if found is None else f"{found:.1f} ms"
