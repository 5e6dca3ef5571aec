"""What is kept of a refused call."""

from __future__ import annotations

from typing import Any

import pytest
from hairspring.services.ingest.collecting.bodies import Damaged
from hairspring.services.ingest.collecting.normalising import Refused
from hairspring.services.ingest.collecting.refusals import Rejected, to_reject


@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        ({"writeKey": "secret", "type": "x"}, b'{"type":"x"}'),
        ([{"writeKey": "a"}, {"writeKey": "b"}], b'[{"writeKey":"***"},{"writeKey":"***"}]'),
        (Damaged(problem="cut", text=b'{"writeKey" : "secret'), b'{"writeKey":"***"'),
        (b'{"writeKey":"secret"', b'{"writeKey":"***"'),
        (b'{"event":"the writeKey"', b'{"event":"the writeKey"'),
    ],
)
def test_write_keys_are_taken_out(payload: Any, kept: bytes) -> None:
    """Of a call, of a list of them, and of what is no JSON; all else stays as it is."""
    refused = Refused(code="invalid_json", problem="it cannot be")
    rejected = Rejected(index=0, refused=refused, payload=payload, received_at=0)
    assert to_reject("shop", rejected).payload == kept
