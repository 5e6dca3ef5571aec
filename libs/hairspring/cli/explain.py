"""`hairspring explain`: why a profile is in a segment, or is not; now, or at any moment."""

from __future__ import annotations

import click

from hairspring.cli import calls, explained_line, explained_tree
from hairspring.cli.addresses import address_option
from hairspring.cli.output import console, format_option, write_line
from hairspring.cli.readback import moment
from hairspring.contracts.membership.v1 import membership_service_pb2 as service_pb
from hairspring.contracts.membership.v1.membership_service_pb2_grpc import MembershipServiceStub
from hairspring.wire.times import set_ms


@click.command()
@click.argument("segment")
@click.argument("profile")
@click.option(
    "--at", metavar="TIME", help="As it was at this moment, by what was known then; ISO 8601."
)
@click.option(
    "--transition",
    type=click.IntRange(min=1),
    metavar="POSITION",
    help="As this recorded transition was decided; `transitions --why` tells the positions.",
)
@click.option("--hindsight", is_flag=True, help="With --at: by all that is known of it today.")
@format_option
@address_option
def explain(
    segment: str,
    profile: str,
    at: str | None,
    transition: int | None,
    hindsight: bool,
    output_format: str,
    address: str | None,
) -> None:
    """Tell why a profile is in a segment, or is not.

    Each condition is told with whether it holds, the events that make it so, what is missing, and
    when that changes by itself.
    """
    if at is not None and transition is not None:
        raise click.UsageError("--at and --transition both name a moment: give one of them.")
    if hindsight and at is None:
        raise click.UsageError("--hindsight needs --at; as of now, everything is known.")
    request = service_pb.ExplainMembershipRequest(
        segment=segment, profile_id=profile, hindsight=hindsight
    )
    if at is not None:
        set_ms(request.read_time, moment(at))
    if transition is not None:
        request.transition_position = transition
    calls.run(_explain(request, output_format, address))


async def _explain(
    request: service_pb.ExplainMembershipRequest, output_format: str, address: str | None
) -> None:
    async with calls.open_service("evaluator", address) as channel:
        answer = await MembershipServiceStub(channel).ExplainMembership(
            request, timeout=calls.DEADLINE_SECONDS
        )
    if output_format == "jsonl":
        write_line(explained_line.as_line(request, answer))
    else:
        console().print(explained_tree.as_tree(request, answer))
