"""The sentence encoder that comes with the project's set-up, served by llama.cpp: where its file is, and its answers.

`make setup` makes the file out of published weights; it is not part of the repository. Anything but embeddings of a
bounded number of texts is refused.
"""

from pathlib import Path
from typing import Final

import msgspec

from dgrid.core.errors import CheckFailed, InvalidRequest, NodeFault
from dgrid.engines.catalog import PLACES
from dgrid.engines.engine import EngineUnavailable
from dgrid.engines.llama_process import LlamaProcess, ServerSettings, Serving
from dgrid.wire.http import ClientLimits, HttpClient

FILE_NAME: Final = "all-minilm-l6-v2-q8_0.gguf"
CONTEXT: Final = 512  # tokens of one text
TEXTS_MAX: Final = 64
LIMITS: Final = ClientLimits(first_byte_s=60.0, total_s=120.0)


class Asked(msgspec.Struct):
    """OpenAI's embeddings request, as far as it is served: texts, floats."""

    input: str | list[str]


read_asked = msgspec.json.Decoder(Asked).decode


def encoder_file() -> Path:
    """The file that `make setup` made. Raises CheckFailed where there is none."""
    for place in PLACES:
        if (path := place / "encoder" / FILE_NAME).is_file():
            return path
    raise CheckFailed(
        "the sentence encoder's file is missing", hint="run `make setup`, or name a GGUF file as model_file"
    )


class EncoderServer:
    """One encoder for as long as it is started. With one text at a time its vectors are the same on every run.

    Several at a time are multiplied otherwise: a cosine of two texts then differs by up to 0.006.
    """

    def __init__(self, model: Path, *, parallel: int = 1, threads: int = 1) -> None:
        settings = ServerSettings(
            model=model, alias="encoder", context=CONTEXT, parallel=parallel, threads=threads, embeds=True
        )
        self._process = LlamaProcess(settings, on_start=self._begin, on_end=self._end)
        self._client = HttpClient(LIMITS)
        self._serving: Serving | None = None

    @property
    def process_id(self) -> int | None:
        """llama.cpp's, while there is one."""
        return self._process.process_id

    @property
    def is_serving(self) -> bool:
        return self._serving is not None

    async def start(self) -> None:
        """Returns once it encodes. Raises EngineCannotStart."""
        await self._process.start()

    async def stop(self) -> None:
        await self._process.stop()
        await self._client.close()

    async def embed(self, body: bytes) -> tuple[int, bytes]:
        """llama.cpp's status and reply to an embeddings request. Raises InvalidRequest, EngineUnavailable."""
        texts = texts_of(body)
        serving = self._serving
        if serving is None:
            raise EngineUnavailable("the encoder is being restarted", retry_after_ms=1000)
        headers = {"content-type": "application/json", "authorization": f"Bearer {serving.api_key}"}
        asked = msgspec.json.encode({"model": "encoder", "input": texts, "encoding_format": "float"})
        try:
            reply = await self._client.request("POST", serving.url + "/v1/embeddings", body=asked, headers=headers)
            return reply.status, await reply.read()
        except NodeFault as error:
            raise EngineUnavailable(f"the encoder does not answer: {error.message}") from error

    def _begin(self, serving: Serving) -> None:
        self._serving = serving

    async def _end(self) -> None:
        self._serving = None


def texts_of(body: bytes) -> list[str]:
    """Raises InvalidRequest for a body that asks for anything else, or for more."""
    try:
        asked = read_asked(body).input
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(f"not an embeddings request: {error}", param="input") from None
    texts = [asked] if isinstance(asked, str) else asked
    if not 1 <= len(texts) <= TEXTS_MAX or not all(texts):
        raise InvalidRequest(f"input: 1 to {TEXTS_MAX} texts, none empty", param="input")
    return texts
