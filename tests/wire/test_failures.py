"""What a failed request is called, and how much of it the log holds."""

import logging

import pytest

from dgrid.core.errors import ModelNotFound, RateLimited
from dgrid.wire.exchange import Request
from dgrid.wire.failures import LINES_A_MINUTE, MINUTE_S, Failures


def asked(order_id: bytes = b"") -> Request:
    return Request("POST", "/v1/chat/completions", b"", {}, b"", "", order_id=order_id)


@pytest.mark.parametrize(
    ("told", "order_id", "name"),
    [("", b"", "req_1"), ("", b"\x07" * 32, "0x" + "07" * 32), ("req_theirs", b"\x07" * 32, "req_theirs")],
    ids=["its own", "its receipt's", "what another gateway told"],
)
def test_reply_and_line_have_the_same_name(
    caplog: pytest.LogCaptureFixture, told: str, order_id: bytes, name: str
) -> None:
    error = ModelNotFound("no model is called xyzzy")
    error.request_id = told
    with caplog.at_level(logging.INFO):
        reply = Failures(name=lambda: "req_1").reply(error, asked(order_id))
    assert (b"x-request-id", name.encode()) in reply.headers
    assert isinstance(reply.body, bytes)
    assert f'"request_id":"{name}"'.encode() in reply.body
    assert caplog.messages == [f"request {name} failed: 404 model_not_found"]


def test_a_flood_fills_no_disk_and_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 0.0
    failures = Failures(now_s=lambda: now_s)
    with caplog.at_level(logging.INFO):
        for _ in range(LINES_A_MINUTE + 5):
            assert failures.reply(RateLimited("slow down")).status == 429
        assert len(caplog.messages) == LINES_A_MINUTE
        now_s = MINUTE_S
        failures.reply(RateLimited("slow down"))
    assert caplog.messages[LINES_A_MINUTE].startswith("5 more requests failed")
    assert len(caplog.messages) == LINES_A_MINUTE + 2
