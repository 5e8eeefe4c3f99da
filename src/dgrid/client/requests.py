"""Chat requests as bodies: a question in words or messages becomes the JSON that goes out."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from dgrid.client.flow import Order

Question = str | Sequence[Mapping[str, Any]]


def chat_order(
    question: Question, *, model: str = "auto", streamed: bool = False, options: Mapping[str, Any] | None = None
) -> Order:
    """The order for a question; `options` are further fields of OpenAI's body, such as temperature or max_tokens."""
    messages = [{"role": "user", "content": question}] if isinstance(question, str) else list(question)
    body: dict[str, Any] = {"model": model, "messages": messages, **(options or {})}
    if streamed:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return Order(msgspec.json.encode(body), model, streamed, idempotency_key=secrets.token_hex(16))
