"""Every call of every contract, read from the contracts, so that none can be forgotten."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message
from hairspring import contracts

_SERVED_BY = {
    "event": "ingest",
    "key": "ingest",
    "reject": "ingest",
    "flow": "delivery",
    "message": "delivery",
    "privacy": "delivery",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a contract; its name is such as `event.v1.EventService/TrackEvent`."""

    name: str
    method: Any

    @property
    def path(self) -> str:
        """Where gRPC finds it."""
        return f"/hairspring.{self.name}"

    @property
    def service(self) -> str:
        """Which service serves it."""
        return _SERVED_BY.get(self.name.partition(".")[0], "rule_evaluator")

    @property
    def names_workspace(self) -> bool:
        """Whether its request says which workspace it concerns."""
        return "workspace_id" in self.method.input_type.fields_by_name

    def request(self, fields: dict[str, Any]) -> Message:
        """Make a request of what JSON would say."""
        return json_format.ParseDict(fields, _class(self.method.input_type)())

    async def ask(
        self, channel: grpc.aio.Channel, fields: dict[str, Any], token: str = ""
    ) -> list[Message]:
        """Make the call, and answer what came of it: one message, or all of a stream.

        Our own gRPC may say INTERNAL where the other side ends a stream before it was written to;
        then it is asked again.
        """
        while True:
            try:
                return await self._ask(channel, fields, token)
            except grpc.aio.AioRpcError as error:
                ours = "grpc-status-details-bin" not in dict(error.trailing_metadata() or ())
                internal = error.code() is grpc.StatusCode.INTERNAL
                if not (internal and ours and self.method.client_streaming):
                    raise

    async def _ask(
        self, channel: grpc.aio.Channel, fields: dict[str, Any], token: str
    ) -> list[Message]:
        codec = {
            "request_serializer": _class(self.method.input_type).SerializeToString,
            "response_deserializer": _class(self.method.output_type).FromString,
        }
        bearing = (("authorization", f"Bearer {token}"),) if token else ()
        more: dict[str, Any] = {"metadata": bearing, "timeout": 30, "wait_for_ready": True}
        request: Any = self.request(fields)
        if self.method.client_streaming:
            request = iter([request])
        kind = "_".join(
            "stream" if streams else "unary"
            for streams in (self.method.client_streaming, self.method.server_streaming)
        )
        call = getattr(channel, kind)(self.path, **codec)(request, **more)
        if self.method.server_streaming:
            return [answer async for answer in call]
        return [await call]


def every_call() -> dict[str, Call]:
    """Answer all calls by their names."""
    return {call.name: call for call in _calls()}


def _calls() -> Iterator[Call]:
    for module in pkgutil.walk_packages(contracts.__path__, "hairspring.contracts."):
        if not module.name.endswith("_service_pb2"):
            continue
        file = importlib.import_module(module.name).DESCRIPTOR
        for service in file.services_by_name.values():
            for method in service.methods:
                name = f"{service.full_name.removeprefix('hairspring.')}/{method.name}"
                yield Call(name=name, method=method)


def _class(descriptor: Any) -> Any:
    return message_factory.GetMessageClass(descriptor)
