"""MessageService: tells what was sent."""

from __future__ import annotations

from typing import Any

import grpc
from hairspring.contracts.message.v1 import (
    message_pb2,
    message_service_pb2,
    message_service_pb2_grpc,
)
from hairspring.runtime.workspaces import workspace_of
from hairspring.services.delivery.adapters.listing import Listing
from hairspring.services.delivery.handlers.requests import page_size_of
from hairspring.services.delivery.messages import Message, MessageStatus
from hairspring.wire.times import set_ms

_STATUSES = {
    MessageStatus.PENDING: message_pb2.MESSAGE_STATUS_PENDING,
    MessageStatus.SENDING: message_pb2.MESSAGE_STATUS_SENDING,
    MessageStatus.SENT: message_pb2.MESSAGE_STATUS_SENT,
    MessageStatus.SKIPPED: message_pb2.MESSAGE_STATUS_SKIPPED,
    MessageStatus.FAILED: message_pb2.MESSAGE_STATUS_FAILED,
    MessageStatus.UNKNOWN: message_pb2.MESSAGE_STATUS_UNKNOWN,
}


class MessageHandlers(message_service_pb2_grpc.MessageServiceServicer):
    """Answers from the table of messages."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    async def ListMessages(
        self,
        request: message_service_pb2.ListMessagesRequest,
        context: grpc.aio.ServicerContext,
    ) -> message_service_pb2.ListMessagesResponse:
        """List messages, the latest first."""
        told = {"profile": request.profile_id, "flow": request.flow, "status": request.status}
        filters: dict[str, Any] = {column: value for column, value in told.items() if value}
        messages, more = await self._listing.messages(
            workspace_of(request.workspace_id),
            filters,
            page_size_of(request.page_size),
            request.page_token,
        )
        return message_service_pb2.ListMessagesResponse(
            messages=[to_contract(message) for message in messages], next_page_token=more
        )

    async def CountMessages(
        self,
        request: message_service_pb2.CountMessagesRequest,
        context: grpc.aio.ServicerContext,
    ) -> message_service_pb2.CountMessagesResponse:
        """Count messages by status."""
        counts = await self._listing.count_messages(workspace_of(request.workspace_id))
        return message_service_pb2.CountMessagesResponse(
            counts=[
                message_service_pb2.MessageCount(status=_STATUSES[status], messages=number)
                for status, number in counts.items()
            ]
        )


def to_contract(message: Message) -> message_pb2.Message:
    """Translate a message."""
    out = message_pb2.Message(
        message_id=message.message_id,
        profile_id=message.profile,
        flow=message.flow,
        run_id=message.run_id,
        step=message.step,
        template=message.template,
        channel=message.channel,
        recipient=message.recipient,
        subject=message.subject,
        status=_STATUSES[message.status],
        reason=message.reason,
        attempts=message.attempts,
    )
    set_ms(out.due_time, message.due_at)
    if message.sent_at is not None:
        set_ms(out.send_time, message.sent_at)
    return out
