"""Requests as the tests of this package write them."""

from typing import Any

import msgspec

from dgrid.wire.openai import ChatRequest, decode_chat


def asked(*said: str, **fields: Any) -> ChatRequest:
    """A request whose messages are the user's and the assistant's in turn."""
    messages = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(said)]
    return decode_chat(msgspec.json.encode({"model": "any", "messages": messages, **fields}))
