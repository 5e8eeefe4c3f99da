"""The gateway's own count of tokens, which every bill is checked against."""

from collections.abc import Callable
from typing import Protocol

from dgrid.engines.requests import conversation
from dgrid.gateway.orders import Room
from dgrid.wire.openai import ChatRequest

TEMPLATE_TOKENS_MAX = 16  # what a template adds to a message, where the tokenizer is not known


class TextCounter(Protocol):
    """A model's tokenizer, as `engines.tokenizers` has it."""

    def count_reply(self, text: str) -> int: ...

    def count_prompt(self, messages: list[tuple[str, str]]) -> int | None: ...


TokenizerSource = Callable[[str], TextCounter | None]


class Counts:
    """Counts prompts and answers by tokenizer name."""

    def __init__(self, source: TokenizerSource) -> None:
        self._source = source
        self._tokenizers: dict[str, TextCounter | None] = {}

    def prompt(self, tokenizer: str, chat: ChatRequest) -> int | None:
        """A prompt's tokens, or None where nobody here can count them."""
        counter = self._tokenizer(tokenizer)
        if counter is None or chat.tools:
            return None
        turns = conversation(chat.messages)
        return None if turns is None else counter.count_prompt(turns)

    def reply(self, tokenizer: str, text: str) -> int | None:
        """An answer's tokens, or None where nobody here can count them."""
        counter = self._tokenizer(tokenizer)
        return None if counter is None else counter.count_reply(text)

    def _tokenizer(self, name: str) -> TextCounter | None:
        if name not in self._tokenizers:
            self._tokenizers[name] = self._source(name) if name else None
        return self._tokenizers[name]


def room_of(chat: ChatRequest, *, counted: int | None, body_bytes: int, context: int) -> Room:
    """What a request may use of a context. A token has at least a byte, so the body bounds what nobody can count."""
    bound = body_bytes + TEMPLATE_TOKENS_MAX * (len(chat.messages) + 1)
    tokens_in = min(bound, context) if counted is None else counted
    left = context - (tokens_in if counted is not None else 1)
    each = max(0, min(chat.completion_limit or left, left))
    return Room(tokens_in, each * (chat.n or 1), counted is not None)
