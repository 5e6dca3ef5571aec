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

_BAR_WIDTH = 12


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
        Layout(name="middle", ratio=3),
        Layout(_panel("mails", _mails(mails)), ratio=2, minimum_size=5),
    )
    layout["middle"].split_row(
        Layout(_panel("segments", _segments(measures, segments)), ratio=2),
        Layout(_panel("transitions", _transitions(measures.latest)), ratio=5),
    )
    return layout


def _head(
    measures: Measures, mails: Sequence[SunkMail], elapsed: float, seconds: float
) -> RenderableType:
    said = Text()
    said.append("Hairspring", style="bold green")
    said.append("  a small shop, live    ", style="dim")
    said.append(f"{measures.accepted}", style="bold")
    said.append(" events  ", style="dim")
    said.append(f"{measures.transitions}", style="bold")
    said.append(" transitions  ", style="dim")
    said.append(f"{len(mails)}", style="bold")
    said.append(" mails    ", style="dim")
    said.append(f"event → transition p50 {milliseconds(measures.reactions, 0.5)}, ", style="dim")
    said.append(f"timer lateness p50 {milliseconds(measures.lateness, 0.5)}", style="dim")
    bar = ProgressBar(total=seconds, completed=min(elapsed, seconds), complete_style="green")
    waiting = Text("waiting for the last mails" if elapsed > seconds else "", style="dim")
    return Group(said, bar, waiting)


def _segments(measures: Measures, segments: Sequence[str]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(justify="right", style="bold")
    table.add_column(no_wrap=True, overflow="crop")
    largest = max((measures.size(segment) for segment in segments), default=0)
    for segment in segments:
        size = measures.size(segment)
        width = round(_BAR_WIDTH * size / largest) if largest > 0 else 0
        table.add_row(segment, str(size), Text("█" * width, style="green"))
    return table


def _transitions(latest: Sequence[pb.Record]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    for style in ("dim", "", "cyan", "bold", "dim"):
        table.add_column(style=style, no_wrap=True)
    for record in latest:
        line = transition_json(record)
        effective = to_ms(record.transition.effective_time)
        change = Text(line["change"], style="green" if line["change"] == "entered" else "yellow")
        table.add_row(
            times.to_local(effective)[11:],
            change,
            line["segment"],
            line["profile"],
            records.reason(line),
        )
    return table


def _mails(mails: Sequence[SunkMail]) -> RenderableType:
    if not mails:
        return Align.center(Text("none yet", style="dim"), vertical="middle")
    table = Table.grid(padding=(0, 1))
    table.add_column(style="magenta", no_wrap=True)
    table.add_column(no_wrap=True)
    for mail in reversed(mails[-12:]):
        table.add_row(", ".join(mail.recipients), str(mail.message["Subject"] or ""))
    return table


def _panel(title: str, content: RenderableType) -> Panel:
    return Panel(content, title=title, title_align="left", border_style="dim", padding=(0, 1))


def milliseconds(values: Sequence[float], share: float) -> str:
    """Write a quantile in milliseconds."""
    found = quantile(values, share)
    return "-" if found is None else f"{found:.1f} ms"
