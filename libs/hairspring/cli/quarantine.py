"""`hairspring quarantine`: what could not be evaluated and was set aside, and trying it again."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import click

from hairspring.cli import calls, times
from hairspring.cli.addresses import address_option
from hairspring.cli.output import format_option, printable, say
from hairspring.cli.sheet import Column, Sheet
from hairspring.contracts.quarantine.v1 import quarantine_pb2 as pb
from hairspring.contracts.quarantine.v1 import quarantine_service_pb2 as service_pb
from hairspring.contracts.quarantine.v1.quarantine_service_pb2_grpc import QuarantineServiceStub
from hairspring.wire.times import iso, ms_of, to_ms

_PAGE = 1_000
_COLUMNS = (
    Column(title="since", style="dim"),
    Column(title="profile", style="bold"),
    Column(title="what"),
    Column(title="event"),
    Column(title="error", style="red"),
    Column(title="position", right=True),
    Column(title="held"),
    Column(title="retries", right=True),
    Column(title="message", detail=True),
)
_OUTCOMES = (
    Column(title="profile", style="bold"),
    Column(title="status"),
    Column(title="error", detail=True),
)
_EMPTY = "Nothing is in quarantine."


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def quarantine() -> None:
    """Tell what could not be evaluated and was set aside, and have it tried again.

    An event whose evaluation raises an error is set aside after three tries, and the others go on.
    A profile that cannot be evaluated at all is held: nothing of it is evaluated, and it is tried
    again by itself, at intervals that grow to an hour.
    """


@quarantine.command("list")
@format_option
@address_option
def list_(output_format: str, address: str | None) -> None:
    """List what is set aside, by profile."""
    calls.run(_print("", output_format, address))


@quarantine.command()
@click.argument("profile")
@format_option
@address_option
def show(profile: str, output_format: str, address: str | None) -> None:
    """Tell what is set aside of one profile, with where in the code each error was raised."""
    calls.run(_print(profile, output_format, address))


@quarantine.command()
@click.argument("profiles", nargs=-1, metavar="[PROFILE]...")
@click.option("--all", "everybody", is_flag=True, help="All of which anything is set aside.")
@click.option("--with-flows", is_flag=True, help="What this brings about may set off flows.")
@format_option
@address_option
def retry(
    profiles: tuple[str, ...],
    everybody: bool,
    with_flows: bool,
    output_format: str,
    address: str | None,
) -> None:
    """Have profiles folded anew from their recorded history, with what was set aside of them.

    The exit code is 1 if any of them failed again.
    """
    if bool(profiles) == everybody:
        raise click.UsageError("Name profiles, or give --all.")
    request = service_pb.RetryProfilesRequest(
        profile_ids=profiles, all_profiles=everybody, with_flows=with_flows
    )
    calls.run(_retry(request, output_format, address))


async def _print(profile: str, output_format: str, address: str | None) -> None:
    empty = f"Nothing of {printable(profile)} is in quarantine." if profile else _EMPTY
    async with calls.open_service("evaluator", address) as channel:
        stub = QuarantineServiceStub(channel)
        with Sheet(output_format, _COLUMNS, empty=empty) as sheet:
            async for entry in _entries(stub, profile):
                sheet.add(_line(entry), _cells(entry))
                if entry.traceback and output_format == "table":
                    sheet.flush()
                    click.echo(printable(entry.traceback))


async def _entries(stub: QuarantineServiceStub, profile: str) -> AsyncIterator[pb.QuarantineEntry]:
    request = service_pb.ListQuarantineEntriesRequest(profile_id=profile, page_size=_PAGE)
    while True:
        page = await stub.ListQuarantineEntries(request, timeout=calls.DEADLINE_SECONDS)
        for entry in page.entries:
            yield entry
        request.page_token = page.next_page_token
        if not request.page_token:
            return


async def _retry(
    request: service_pb.RetryProfilesRequest, output_format: str, address: str | None
) -> None:
    async with calls.open_service("evaluator", address) as channel:
        stub = QuarantineServiceStub(channel)
        answer = await stub.RetryProfiles(request, timeout=calls.DEADLINE_SECONDS)
    found = {outcome.profile_id for outcome in answer.outcomes}
    with Sheet(output_format, _OUTCOMES, empty=_EMPTY) as sheet:
        for outcome in answer.outcomes:
            status = service_pb.RetryStatus.Name(outcome.status)
            status = status.removeprefix("RETRY_STATUS_").lower()
            line = {"profile": outcome.profile_id, "status": status}
            sheet.add(
                {**line, "error": outcome.error} if outcome.error else line,
                [printable(outcome.profile_id), status, printable(outcome.error)],
            )
    for profile in request.profile_ids:
        if profile not in found:
            say(f"Nothing of {printable(profile)} is in quarantine.")
    if any(outcome.status == service_pb.RETRY_STATUS_FAILED for outcome in answer.outcomes):
        sys.exit(1)


def _what(entry: pb.QuarantineEntry) -> str:
    return pb.QuarantineKind.Name(entry.kind).removeprefix("QUARANTINE_KIND_").lower()


def _line(entry: pb.QuarantineEntry) -> dict[str, Any]:
    line: dict[str, Any] = {
        "profile": entry.profile_id,
        "what": _what(entry),
        "held": entry.holds_profile,
        "position": entry.position,
        "message_id": entry.message_id,
        "event": entry.event_name,
        "plan_version": entry.plan_version,
        "error": entry.error_type,
        "message": entry.error_message,
        "tries": entry.tries,
        "failed_at": iso(to_ms(entry.fail_time)),
        "retries": entry.retries,
    }
    if (at := ms_of(entry, "retry_time")) is not None:
        line |= {"retried_at": iso(at), "retry_error": entry.retry_error}
    if (at := ms_of(entry, "next_retry_time")) is not None:
        line["next_retry_at"] = iso(at)
    if entry.traceback:
        line["traceback"] = entry.traceback
    return line


def _cells(entry: pb.QuarantineEntry) -> list[str]:
    return [
        times.to_local(to_ms(entry.fail_time)),
        printable(entry.profile_id),
        _what(entry),
        printable(entry.event_name),
        printable(entry.error_type),
        str(entry.position),
        "held" if entry.holds_profile else "",
        str(entry.retries),
        printable(entry.error_message),
    ]
