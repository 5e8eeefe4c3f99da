"""The real encoder, once for all tests of this package, and the loop it lives in."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dgrid.config import ChainConfig, EncoderConfig
from dgrid.engines.encoder import EncoderClient
from dgrid.processes.encoder import running_encoder


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def encoder(loop: asyncio.Runner) -> Iterator[EncoderClient]:
    serving = client()
    yield loop.run(serving.__aenter__())
    loop.run(serving.__aexit__(None, None, None))


@asynccontextmanager
async def client() -> AsyncIterator[EncoderClient]:
    nowhere = Path("/nonexistent")
    config = EncoderConfig("encoder", nowhere, nowhere, "127.0.0.1", 0, ChainConfig((), 0, {}))
    async with running_encoder(config) as url:
        found = EncoderClient(f"{url}/v1")
        try:
            yield found
        finally:
            await found.close()
