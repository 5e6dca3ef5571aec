"""`hairspring messages`: what was sent to whom, and what was not and why."""

from __future__ import annotations

from typing import Any

import click

from hairspring.cli import calls, times
from hairspring.cli.addresses import address_option
from hairspring.cli.output import format_option
from hairspring.cli.sheet import Column, Sheet
from hairspring.contracts.message.v1 import message_pb2 as pb
from hairspring.contracts.message.v1 import message_service_pb2 as service_pb
from hairspring.contracts.message.v1.message_service_pb2_grpc import MessageServiceStub
from hairspring.wire.times import iso, to_ms

STATUSES = {
    "pending": pb.MESSAGE_STATUS_PENDING,
    "sending": pb.MESSAGE_STATUS_SENDING,
    "sent": pb.MESSAGE_STATUS_SENT,
    "skipped": pb.MESSAGE_STATUS_SKIPPED,
    "failed": pb.MESSAGE_STATUS_FAILED,
    "unknown": pb.MESSAGE_STATUS_UNKNOWN,
}
_NAMES = {number: name for name, number in STATUSES.items()}
_COLUMNS = (
    Column(title="due", style="dim"),
    Column(title="status"),
    Column(title="profile", style="bold"),
    Column(title="to", detail=True),
    Column(title="flow", style="cyan"),
    Column(title="subject", detail=True),
    Column(title="reason", detail=True),
)


@click.command()
@click.option("--profile", default="", help="Only this profile.")
@click.option("--flow", default="", help="Only this flow.")
@click.option("--status", type=click.Choice(list(STATUSES)), help="Only this status.")
@click.option("--last", type=click.IntRange(1), default=100, show_default=True, help="How many.")
@format_option
@address_option
def messages(
    profile: str,
    flow: str,
    status: str | None,
    last: int,
    output_format: str,
    address: str | None,
) -> None:
    """List what was sent, and what was not and why; the latest first."""
    request = service_pb.ListMessagesRequest(
        profile_id=profile,
        flow=flow,
        status=STATUSES[status] if status else pb.MESSAGE_STATUS_UNSPECIFIED,
    )
    calls.run(_print(request, last, output_format, address))


async def _print(
    request: service_pb.ListMessagesRequest, last: int, output_format: str, address: str | None
) -> None:
    async with calls.open_service("delivery", address) as channel:
        stub = MessageServiceStub(channel)
        with Sheet(output_format, _COLUMNS, empty="No messages.") as sheet:
            while last > 0:
                request.page_size = min(last, 1_000)
                page = await stub.ListMessages(request, timeout=calls.DEADLINE_SECONDS)
                for message in page.messages:
                    sheet.add(_line(message), _cells(message))
                last -= len(page.messages)
                request.page_token = page.next_page_token
                if not page.next_page_token:
                    return


def _line(message: pb.Message) -> dict[str, Any]:
    line: dict[str, Any] = {
        "message_id": message.message_id,
        "profile": message.profile_id,
        "flow": message.flow,
        "step": message.step,
        "template": message.template,
        "channel": message.channel,
        "recipient": message.recipient,
        "subject": message.subject,
        "status": _NAMES.get(message.status, ""),
        "reason": message.reason,
        "attempts": message.attempts,
    }
    for name in ("due_time", "send_time"):
        if message.HasField(name):
            at = to_ms(getattr(message, name))
            line["due_at" if name == "due_time" else "sent_at"] = iso(at)
    return line


def _cells(message: pb.Message) -> list[str]:
    return [
        times.to_local(to_ms(message.due_time)),
        _NAMES.get(message.status, ""),
        message.profile_id,
        message.recipient,
        message.flow,
        message.subject,
        message.reason,
    ]
