"""`hairspring members`: who is in a segment, and since when."""

from __future__ import annotations

import click

from hairspring.cli import calls, times
from hairspring.cli.addresses import address_option
from hairspring.cli.output import format_option
from hairspring.cli.sheet import Column, Sheet
from hairspring.contracts.membership.v1 import membership_service_pb2 as service_pb
from hairspring.contracts.membership.v1.membership_service_pb2_grpc import MembershipServiceStub
from hairspring.wire.times import iso, to_ms

_PAGE = 5_000
_COLUMNS = (Column(title="profile", style="bold"), Column(title="since", style="dim"))


@click.command()
@click.argument("segment")
@format_option
@address_option
def members(segment: str, output_format: str, address: str | None) -> None:
    """List who is in a segment, by profile."""
    calls.run(_print(segment, output_format, address))


async def _print(segment: str, output_format: str, address: str | None) -> None:
    async with calls.open_service("evaluator", address) as channel:
        stub = MembershipServiceStub(channel)
        with Sheet(output_format, _COLUMNS, empty=f"Nobody is in {segment}.") as sheet:
            token = ""
            while True:
                page = await stub.ListMembers(
                    service_pb.ListMembersRequest(
                        segment=segment, page_size=_PAGE, page_token=token
                    ),
                    timeout=calls.DEADLINE_SECONDS,
                )
                for member in page.members:
                    since = to_ms(member.enter_time)
                    line = {
                        "profile": member.profile_id,
                        "segment": member.segment or segment,
                        "entered_at": iso(since),
                    }
                    sheet.add(line, [member.profile_id, times.to_local(since)])
                token = page.next_page_token
                if not token:
                    return
