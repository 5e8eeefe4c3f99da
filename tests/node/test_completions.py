from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dgrid.engines.engine import EngineUsage, Finish, Piece, Token
from dgrid.node.completions import Counts, Heading, StreamWriter, WholeWriter, writer_for
from dgrid.wire.answers import Answer
from dgrid.wire.frames import FrameReader
from dgrid.wire.openai import ChatRequest, decode_chat, decode_chunk

HEADING = Heading(b"\x01" * 32, "tiny", 1)
CALL = {"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"a":'}}
MORE = {"index": 0, "function": {"arguments": "1}"}}

pieces = st.lists(st.tuples(st.integers(0, 2), st.text(max_size=5)), max_size=12)


def chat(**fields: Any) -> ChatRequest:
    return decode_chat(msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "x"}], **fields}))


def heard(frames: bytes) -> tuple[Answer, list[dict[str, Any]]]:
    answer, objects = Answer(), []
    for _, payload in FrameReader().feed(frames):
        answer.add(decode_chunk(payload))
        objects.append(msgspec.json.decode(payload))
    return answer, objects


@given(said=pieces)
def test_what_is_signed_is_what_is_sent_streamed_or_whole(said: list[tuple[int, str]]) -> None:
    texts = []
    for stream in (True, False):
        writer = writer_for(HEADING, chat(stream=stream, n=3))
        frames = b"".join(writer.take(Piece(choice, text, (Token(text),))) for choice, text in said)
        frames += writer.finish(Finish(("stop",) * 3, EngineUsage(1, 2)), lambda _: Counts(1, 2))
        answer, _ = heard(frames)
        assert answer.text() == writer.answer.text()
        texts.append(answer.text())
    assert texts[0] == texts[1]


def test_tool_calls_are_put_together_and_signed() -> None:
    writer, stream = WholeWriter(HEADING, chat()), StreamWriter(HEADING, chat(stream=True))
    end = Finish(("tool_calls",), None)
    for part in (Piece(0, "", tool_calls=[CALL]), Piece(0, "", tool_calls=[MORE])):
        assert writer.take(part) == b""
        assert stream.take(part)
    answer, objects = heard(writer.finish(end, lambda _: Counts(1, 2)))
    message = objects[0]["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"] == [{**CALL, "function": {"name": "find", "arguments": '{"a":1}'}}]
    stream.finish(end, lambda _: Counts(1, 2))
    assert answer.text() == stream.answer.text() == '\x1ffind\x1f{"a":1}'


def test_nothing_is_sent_while_a_character_is_incomplete() -> None:
    writer = StreamWriter(HEADING, chat(stream=True))
    assert writer.take(Piece(0, "", (Token("?", id=4),))) == b""
    assert writer.take(Piece(0, "é", (Token("?", id=5),)))


def test_usage_is_streamed_only_where_it_is_asked_for() -> None:
    end = Finish(("stop",), None)
    for options, expected in (({}, 0), ({"stream_options": {"include_usage": True}}, 1)):
        _, objects = heard(StreamWriter(HEADING, chat(stream=True, **options)).finish(end, lambda _: Counts(1, 2)))
        assert sum("usage" in one for one in objects) == expected
