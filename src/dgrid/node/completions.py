"""Writes an engine's pieces as OpenAI's objects: chunks of a stream, or one whole completion.

Every object that goes out is folded into the answer whose text the receipt commits to, so that what was signed and
what was sent cannot differ. Token ids stay in the evidence; log-probabilities are shown to callers who asked for
them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from dgrid.engines.engine import Finish, Piece, Token
from dgrid.wire.answers import Answer
from dgrid.wire.frames import FrameKind, frame
from dgrid.wire.openai import ChatRequest, ChoiceDelta, Chunk, ChunkChoice

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Heading:
    """What all objects of one answer have in common."""

    request_id: bytes
    model: str
    created_s: int

    def to_json(self, kind: str) -> Json:
        name = f"chatcmpl-{self.request_id.hex()[:32]}"
        return {"id": name, "object": kind, "created": self.created_s, "model": self.model}


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens as this node counts them."""

    tokens_in: int
    tokens_out: int

    def to_json(self) -> Json:
        total = self.tokens_in + self.tokens_out
        return {"prompt_tokens": self.tokens_in, "completion_tokens": self.tokens_out, "total_tokens": total}


class StreamWriter:
    """An answer as chunks, each in a frame of its own."""

    def __init__(self, heading: Heading, chat: ChatRequest) -> None:
        self._heading = heading.to_json("chat.completion.chunk")
        self._chat = chat
        self._opened: set[int] = set()
        self.answer = Answer()

    def take(self, piece: Piece) -> bytes:
        """The frames that a piece becomes; none while a character is incomplete."""
        if not piece.text and piece.tool_calls is None and not (piece.tokens and self._chat.logprobs):
            return b""
        delta: Json = {"content": piece.text} if piece.text or piece.tool_calls is None else {}
        if piece.tool_calls is not None:
            delta["tool_calls"] = indexed(piece.tool_calls)
        return self._open(piece.choice) + self._chunk(piece.choice, delta, tokens=piece.tokens)

    def finish(self, end: Finish, count: Callable[[Answer], Counts]) -> bytes:
        """The last frames: why each choice ended and, where it was asked for, the usage."""
        ends = b"".join(
            self._open(choice) + self._chunk(choice, {}, reason=reason) for choice, reason in enumerate(end.reasons)
        )
        options = self._chat.stream_options
        if options is None or not options.include_usage:
            return ends
        return ends + data_frame({**self._heading, "choices": [], "usage": count(self.answer).to_json()})

    def _open(self, choice: int) -> bytes:
        if choice in self._opened:
            return b""
        self._opened.add(choice)
        return self._chunk(choice, {"role": "assistant", "content": ""})

    def _chunk(self, choice: int, delta: Json, *, tokens: Sequence[Token] = (), reason: str | None = None) -> bytes:
        said = ChoiceDelta(content=delta.get("content"), tool_calls=delta.get("tool_calls"))
        self.answer.add(Chunk([ChunkChoice(choice, delta=said, finish_reason=reason)]))
        shown = logprobs_shown(tokens, self._chat)
        body = {"index": choice, "delta": delta, "logprobs": shown, "finish_reason": reason}
        return data_frame({**self._heading, "choices": [body]})


class WholeWriter:
    """An answer as one completion, which leaves when it is complete."""

    def __init__(self, heading: Heading, chat: ChatRequest) -> None:
        self._heading = heading.to_json("chat.completion")
        self._chat = chat
        count = chat.n or 1
        self._texts: list[list[str]] = [[] for _ in range(count)]
        self._calls: list[list[Json]] = [[] for _ in range(count)]
        self._tokens: list[list[Token]] = [[] for _ in range(count)]
        self.answer = Answer()

    def take(self, piece: Piece) -> bytes:
        """Nothing yet."""
        self._texts[piece.choice].append(piece.text)
        self._tokens[piece.choice].extend(piece.tokens)
        if piece.tool_calls is not None:
            join_calls(self._calls[piece.choice], piece.tool_calls)
        return b""

    def finish(self, end: Finish, count: Callable[[Answer], Counts]) -> bytes:
        """The completion in its frame."""
        choices = [self._choice(choice, reason) for choice, reason in enumerate(end.reasons)]
        return data_frame({**self._heading, "choices": choices, "usage": count(self.answer).to_json()})

    def _choice(self, choice: int, reason: str) -> Json:
        text, calls = "".join(self._texts[choice]), self._calls[choice]
        said = ChoiceDelta(content=text, tool_calls=calls or None)
        self.answer.add(Chunk([ChunkChoice(choice, message=said, finish_reason=reason)]))
        message: Json = {"role": "assistant", "content": text if text or not calls else None}
        if calls:
            message["tool_calls"] = calls
        shown = logprobs_shown(self._tokens[choice], self._chat)
        return {"index": choice, "message": message, "logprobs": shown, "finish_reason": reason}


Writer = StreamWriter | WholeWriter


def writer_for(heading: Heading, chat: ChatRequest) -> Writer:
    return StreamWriter(heading, chat) if chat.stream else WholeWriter(heading, chat)


def data_frame(value: Json) -> bytes:
    return frame(FrameKind.DATA, msgspec.json.encode(value))


def logprobs_shown(tokens: Sequence[Token], chat: ChatRequest) -> Json | None:
    """OpenAI's logprobs object; None for callers who did not ask."""
    if not chat.logprobs or not tokens:
        return None
    top = chat.top_logprobs or 0
    content = [
        {
            "token": token.token,
            "logprob": token.logprob,
            "bytes": token.bytes,
            "top_logprobs": [
                {"token": other.token, "logprob": other.logprob, "bytes": other.bytes}
                for other in token.top_logprobs[:top]
            ],
        }
        for token in tokens
    ]
    return {"content": content, "refusal": None}


def indexed(calls: Sequence[Json]) -> list[Json]:
    """Tool calls as a stream carries them: each names its place."""
    return [call if "index" in call else {"index": at, **call} for at, call in enumerate(calls)]


def join_calls(known: list[Json], calls: Sequence[Json]) -> None:
    """Adds whole tool calls, or a stream's parts of them, to those known."""
    for at, call in enumerate(calls):
        place = call.get("index", at)
        if place == len(known):
            known.append({name: value for name, value in call.items() if name != "index"})
        elif isinstance(place, int) and 0 <= place < len(known):
            function, more = known[place].setdefault("function", {}), call.get("function") or {}
            function["arguments"] = (function.get("arguments") or "") + (more.get("arguments") or "")
