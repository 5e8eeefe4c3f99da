"""One running llama.cpp for all tests of this package, and the loop it lives in."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dgrid.engines.engine import EngineRequest
from dgrid.engines.llama import LlamaEngine, LlamaOptions
from dgrid.engines.requests import engine_request
from dgrid.engines.tokenizers import Tokenizer, load_tokenizer
from dgrid.wire.openai import decode_chat

MICRO = Path(__file__).resolve().parents[2] / "models" / "dgrid-micro-q8_0.gguf"
MINI = MICRO.with_name("dgrid-mini-q8_0.gguf")
Ask = Callable[..., EngineRequest]


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def llama(loop: asyncio.Runner) -> Iterator[LlamaEngine]:
    engine = LlamaEngine(LlamaOptions(MINI, "dgrid-mini", context=512, reply_opens_with_space=True))
    loop.run(engine.start())
    yield engine
    loop.run(engine.stop())


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    found = load_tokenizer(MICRO)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def ask() -> Ask:
    def build(text: str, *, tokens_max: int = 64, seed: int = 1, **fields: Any) -> EngineRequest:
        body = msgspec.json.encode(
            {"model": "any", "messages": [{"role": "user", "content": text}], "stream": True, **fields}
        )
        return engine_request(body, decode_chat(body), seed=seed, tokens_max=tokens_max)

    return build
