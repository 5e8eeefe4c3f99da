"""A reply means the same however the network cuts it, and hostile replies end in typed errors."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.client.transcript import EVENT_BYTES_MAX, StreamBroken, Transcript
from dgrid.core.errors import DGridError, NodeMisbehaved

RECEIPT_ID = "0x" + "ab" * 32
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "dgrid": {"receipt_id": RECEIPT_ID, "fee_wei": "7"}}


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def said(text: str) -> bytes:
    return event(model="m", choices=[{"index": 0, "delta": {"content": text}}])


COVERED = said("Tim plays ") + b": keep-alive\n\n" + said("the cello.") + event(choices=[], usage=USAGE)
STREAM = COVERED + f": receipt {RECEIPT_ID}\n\ndata: [DONE]\n\n".encode()


def heard(stream: bytes, cuts: list[int]) -> tuple[Transcript, str, bytes]:
    """The transcript, its text, and the bytes that could be passed on before the receipt was checked."""
    transcript, text, passed = Transcript(streamed=True), "", b""
    edges = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
    for start, end in itertools.pairwise(edges):
        text += transcript.feed(stream[start:end])
        passed += transcript.passable()
    return transcript, text + transcript.finish(), passed


@given(st.lists(st.integers(0, 10_000), max_size=30))
def test_a_stream_means_the_same_however_it_is_cut(cuts: list[int]) -> None:
    transcript, text, passed = heard(STREAM, cuts)
    assert text == transcript.answer.text() == "Tim plays the cello."
    assert transcript.receipt_id == RECEIPT_ID
    assert (transcript.usage.prompt_tokens, transcript.model) == (3, "m")
    assert passed == transcript.covered == COVERED
    assert passed + transcript.rest() == STREAM
    assert transcript.rest() == b""


@pytest.mark.parametrize("end", [0, 5, len(COVERED), len(STREAM) - 3])
def test_a_stream_without_its_end_is_broken(end: int) -> None:
    with pytest.raises(StreamBroken, match="broke off"):
        heard(STREAM[:end] or b"\n", [])


def test_an_error_in_a_stream_is_raised_as_one() -> None:
    with pytest.raises(StreamBroken, match="too bad"):
        heard(said("Tim") + event(error={"message": "too bad"}), [])


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"choices":5}', b"\xff", b'{"x":' + b"[" * 100_000])
def test_what_is_no_completion_is_misbehaviour(data: bytes) -> None:
    with pytest.raises(NodeMisbehaved, match="no completion"):
        Transcript(streamed=True).feed(b"data: " + data + b"\n\n")
    whole = Transcript(streamed=False)
    whole.feed(data)
    with pytest.raises(NodeMisbehaved, match="no completion"):
        whole.finish()


@pytest.mark.parametrize("fee_wei", ["", "x", "-1", "1.5", "٣", "9" * 5_000])
def test_a_fee_that_is_no_amount_is_misbehaviour(fee_wei: str) -> None:
    usage = {**USAGE, "dgrid": {"receipt_id": RECEIPT_ID, "fee_wei": fee_wei}}
    with pytest.raises(NodeMisbehaved, match="no amount"):
        Transcript(streamed=True).feed(event(choices=[], usage=usage))


def test_an_event_without_end_is_refused() -> None:
    transcript = Transcript(streamed=True)
    with pytest.raises(NodeMisbehaved, match="an event"):
        transcript.feed(b"data: " + b"x" * EVENT_BYTES_MAX)


@given(st.binary(max_size=200))
def test_random_bytes_end_in_a_typed_error_or_in_silence(data: bytes) -> None:
    transcript = Transcript(streamed=True)
    try:
        transcript.feed(data + b"\n\n")
        transcript.finish()
    except DGridError:
        return
    assert transcript.ended


def test_a_whole_completion_is_one_text() -> None:
    transcript = Transcript(streamed=False)
    body = json.dumps({"model": "m", "choices": [{"message": {"content": "Hello"}}], "usage": USAGE}).encode()
    assert transcript.feed(body) == ""
    assert transcript.passable() == b""
    assert transcript.finish() == "Hello"
    assert transcript.covered == transcript.rest() == body
