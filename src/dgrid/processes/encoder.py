"""The encoder's whole life: llama.cpp with a sentence encoder behind a small door, for the evaluators of one machine.

It takes part in nothing on chain, earns nothing, keeps nothing. Who asks is not checked: it listens on loopback.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from dgrid.config import ChainConfig, EncoderConfig
from dgrid.core.errors import CheckFailed, RouteNotFound
from dgrid.engines.encoder import EncoderClient, Vectors, stacked
from dgrid.engines.encoder_server import EncoderServer, encoder_file
from dgrid.engines.engine import EngineUnavailable
from dgrid.processes.life import Door, run_until_signal
from dgrid.wire.server import Reply, Request, json_reply

logger = logging.getLogger(__name__)


def run(config: EncoderConfig) -> None:
    """Serves until SIGTERM or SIGINT. Raises DGridError when it cannot start."""
    run_until_signal(live(config))


async def live(config: EncoderConfig) -> None:
    async with running_encoder(config) as url:
        logger.info("encoding at %s", url)
        await asyncio.Event().wait()


@asynccontextmanager
async def running_encoder(config: EncoderConfig) -> AsyncIterator[str]:
    """A serving encoder's URL."""
    model = Path(config.model_file) if config.model_file else encoder_file()
    door = Door(config.host, config.port)
    async with AsyncExitStack() as stack:
        encoder = EncoderServer(model, parallel=config.parallel, threads=config.threads)
        stack.push_async_callback(encoder.stop)
        await encoder.start()
        stack.push_async_callback(door.server.stop)
        await door.open(EncoderService(encoder).handle)
        yield f"http://{config.host}:{door.server.port}"


class OwnEncoder:
    """The encoder that `make setup` made, for whoever has none running: started when it is first asked."""

    def __init__(self) -> None:
        self._life = AsyncExitStack()
        self._client: EncoderClient | None = None

    async def vectors(self, texts: Sequence[str]) -> Vectors:
        """See `EncoderClient.vectors`. Raises EngineError."""
        if not texts:
            return stacked(())
        if self._client is None:
            self._client = await self._started()
        return await self._client.vectors(texts)

    async def aclose(self) -> None:
        await self._life.aclose()

    async def _started(self) -> EncoderClient:
        nowhere = Path()
        config = EncoderConfig("encoder", nowhere, nowhere, "127.0.0.1", 0, ChainConfig((), 0, {}))
        try:
            url = await self._life.enter_async_context(running_encoder(config))
        except CheckFailed as error:
            raise EngineUnavailable(f"{error.message}: {error.hint}") from error
        client = EncoderClient(f"{url}/v1")
        self._life.push_async_callback(client.close)
        return client


@dataclass(frozen=True, slots=True)
class EncoderService:
    """What an encoder answers."""

    encoder: EncoderServer

    async def handle(self, request: Request) -> Reply:
        """One request. Raises DGridError, which becomes an error reply."""
        if (request.method, request.path) == ("POST", "/v1/embeddings"):
            status, body = await self.encoder.embed(request.body)
            return Reply(status, body)
        if request.path in ("/healthz", "/readyz"):
            ready = self.encoder.is_serving
            return json_reply({"role": "encoder", "ready": ready}, 200 if ready else 503)
        raise RouteNotFound(f"an encoder has no {request.method} {request.path}")
