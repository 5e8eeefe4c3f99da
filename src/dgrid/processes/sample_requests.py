"""The requests by which a case's members ask a node: as authors write them, so that they look like everybody's.

From 32 bytes of chance, the same for whoever writes them. Without a forced format, which shifts log-probabilities, and
each about a text: to small talk all models reply alike.
"""

import random
from typing import Any, Final

import msgspec

from dgrid.author.chance import Chance
from dgrid.author.generator import known_task
from dgrid.author.naming import Answering

FORMAT: Final = "response_format"


def write_sample(chance: bytes, model: str) -> bytes:
    """The body of one request for a model."""

    def write(messages: list[dict[str, str]], *, model: str, streamed: bool, options: dict[str, Any]) -> bytes:
        kept = {name: value for name, value in options.items() if name != FORMAT}
        return msgspec.json.encode({"model": wanted, "messages": messages, **kept})

    wanted = model
    seed = int.from_bytes(chance, "big")
    drawn = Chance(random.Random(seed))  # noqa: S311 (its seed is secret)
    return known_task(drawn, answering=Answering(), write=write).body
