"""Turns an OpenAI chat body into what an engine takes, and keeps from it what no engine should see.

Only the fields listed here pass; an engine's own extensions (file paths, slots, caches, grammars) never do, so that
a caller cannot reach into the operator's machine. Ranges are checked by `wire.openai` before.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from dgrid.engines.engine import EngineRequest
from dgrid.wire.openai import ChatMessage, ChatRequest

PASSED_THROUGH: Final = (
    "temperature",
    "top_p",
    "stop",
    "response_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
)
SEED_MAX: Final = 2**32 - 2  # llama.cpp's seeds have 32 bits, and the largest means "by chance"

read_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def engine_request(body: bytes, chat: ChatRequest, *, seed: int, tokens_max: int) -> EngineRequest:
    """What an engine is asked for.

    `chat` is `body` decoded; `tokens_max` bounds the answer where the caller wants more, or sets no bound.
    """
    fields = read_fields(body)
    return EngineRequest(
        messages=fields["messages"],
        tokens_max=min(chat.completion_limit or tokens_max, tokens_max),
        seed=seed % (SEED_MAX + 1),
        choices=chat.n or 1,
        top_logprobs=(chat.top_logprobs or 0) if chat.logprobs else 0,
        continues=chat.messages[-1].role == "assistant",
        streamed=bool(chat.stream),
        settings={name: fields[name] for name in PASSED_THROUGH if name in fields and bytes(fields[name]) != b"null"},
    )


def conversation(messages: Sequence[ChatMessage]) -> list[tuple[str, str]] | None:
    """(role, content) pairs for `Tokenizer.count_prompt`; None where a message holds more than text."""
    turns = []
    for message in messages:
        if (text := text_of(message.content)) is None:
            return None
        turns.append((message.role, text))
    return turns


def text_of(content: str | Sequence[Mapping[str, Any]] | None) -> str | None:
    """The text that llama.cpp makes of a content; None when an image or another kind of part is in it."""
    if content is None or isinstance(content, str):
        return content or ""
    texts = [part.get("text") for part in content if part.get("type") == "text"]
    if len(texts) != len(content):
        return None
    return "\n".join(text for text in texts if isinstance(text, str))
