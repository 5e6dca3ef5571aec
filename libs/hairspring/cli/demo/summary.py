"""What is said at the end of the demonstration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hairspring.cli.demo.display import milliseconds
from hairspring.cli.demo.measures import Measures
from hairspring.embedded.mail import SunkMail


def summary(measures: Measures, mails: Sequence[SunkMail], logs: Path | None) -> RenderableType:
    """Tell the counts, the times, and where a mail can be read."""
    table = Table.grid(padding=(0, 3))
    table.add_column()
    table.add_column(style="bold")
    table.add_column(style="dim")
    entered, left = measures.entered.total(), measures.left.total()
    table.add_row("events accepted", f"{measures.accepted:,}")
    table.add_row("transitions", f"{entered + left:,}", f"{entered:,} entered, {left:,} left")
    table.add_row("mails delivered", f"{len(mails):,}")
    for title, values in (
        ("event → transition", measures.reactions),
        ("timer lateness", measures.lateness),
    ):
        p50, p99 = milliseconds(values, 0.5), milliseconds(values, 0.99)
        table.add_row(title, f"p50 {p50}, p99 {p99}", f"{len(values):,} measured")
    parts: list[RenderableType] = [Text("\nWhat happened", style="bold green"), table]
    readable = readable_mail(mails)
    if readable is not None:
        # Whole on one line, however narrow the terminal is, so that it can be copied.
        place = Text(f"Read a mail that was delivered: {readable}", overflow="ignore", no_wrap=True)
        parts += [Text(""), place]
    elif logs is not None:
        parts.append(Text(f"\nNo mail was delivered. The logs: {logs}", style="red"))
    return Group(*parts)


def readable_mail(mails: Sequence[SunkMail]) -> Path | None:
    """Choose the mail that shows most: the longest, as it lists most products."""
    pages = [mail.path.with_suffix(".html") for mail in mails if mail.path]
    there = [page for page in pages if page.exists()]
    return max(there, key=lambda page: page.stat().st_size, default=None)
