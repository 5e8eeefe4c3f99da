"""Turns texts into vectors whose product says how alike they are: the client of an embeddings endpoint (OpenAI's).

Texts are cut into pieces that any word-piece model can read whole; a long text's vector is the mean of its pieces'.
What was encoded is remembered, since the same answers are compared again and again. Vectors are unit vectors, float32.
It knows nothing of quality: likeness is not correctness, and `evaluator.judges` never takes it for that.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from dgrid.core.errors import EngineError, NodeFault
from dgrid.core.keccak import keccak
from dgrid.engines.engine import EngineUnavailable
from dgrid.wire.http import ClientLimits, HttpClient

Vectors = npt.NDArray[np.float32]

PIECE_CHARACTERS: Final = 480  # at most one word piece a character, in a context of 512
PIECES_MAX: Final = 8  # of one text: what lies behind them is not looked at
BATCH_PIECES: Final = 32
REQUESTS_AT_A_TIME: Final = 2
TEXTS_REMEMBERED: Final = 4096
ERROR_TEXT_MAX: Final = 300
VALUE_MAX: Final = 1e6  # of one component; those of unit vectors are at most 1
LIMITS: Final = ClientLimits(first_byte_s=30.0, total_s=60.0, reply_bytes=16 * 1024**2)


class Encoder(Protocol):
    """What judges need: vectors, by whatever model."""

    async def vectors(self, texts: Sequence[str]) -> Vectors:
        """(texts, dimensions) unit vectors, or zeros for a text with nothing in it. Raises EngineError."""
        ...


class Embedding(msgspec.Struct):
    index: int
    embedding: list[float]


class Embeddings(msgspec.Struct):
    data: list[Embedding]


read_embeddings = msgspec.json.Decoder(Embeddings).decode


class EncoderClient:
    """An encoder behind a URL. `url` is the base that /embeddings is put behind."""

    def __init__(self, url: str, *, model: str = "encoder", api_key: str = "") -> None:
        self._url, self._model = url.rstrip("/") + "/embeddings", model
        self._headers = {"content-type": "application/json"}
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"
        self._client = HttpClient(LIMITS)
        self._turns = asyncio.Semaphore(REQUESTS_AT_A_TIME)
        self._known: OrderedDict[bytes, npt.NDArray[np.float32]] = OrderedDict()

    async def close(self) -> None:
        await self._client.close()

    async def vectors(self, texts: Sequence[str]) -> Vectors:
        """(texts, dimensions) unit vectors, or zeros for a text with nothing in it.

        Raises EngineUnavailable, EngineError.
        """
        names = [keccak(text.encode("utf-8", "replace")) for text in texts]
        fresh = {name: text for name, text in zip(names, texts, strict=True) if name not in self._known}
        found = dict(zip(fresh, await self._encode(list(fresh.values())), strict=True)) if fresh else {}
        rows = [found[name] if name in found else self._known[name] for name in names]
        for name, row in zip(names, rows, strict=True):
            if len(row):
                self._remember(name, row)
        return stacked(rows)

    def _remember(self, name: bytes, row: npt.NDArray[np.float32]) -> None:
        self._known[name] = row
        self._known.move_to_end(name)
        while len(self._known) > TEXTS_REMEMBERED:
            self._known.popitem(last=False)

    async def _encode(self, texts: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        cut = [list(pieces(text)) for text in texts]
        flat = [piece for each in cut for piece in each]
        batches = [flat[at : at + BATCH_PIECES] for at in range(0, len(flat), BATCH_PIECES)]
        vectors = [row for batch in batches for row in await self._ask(batch)]
        rows = iter(vectors)
        return [mean_of([(next(rows), len(piece)) for piece in each]) for each in cut]

    async def _ask(self, texts: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        body = msgspec.json.encode({"model": self._model, "input": list(texts), "encoding_format": "float"})
        try:
            async with self._turns:
                reply = await self._client.request("POST", self._url, body=body, headers=self._headers)
                data = await reply.read()
        except NodeFault as error:
            raise EngineUnavailable(f"the encoder does not answer: {error.message}") from error
        if reply.status != 200:
            raise EngineError(f"the encoder refuses: {data[:ERROR_TEXT_MAX].decode('utf-8', 'replace')}")
        return read_rows(data, count=len(texts))


def read_rows(data: bytes, *, count: int) -> list[npt.NDArray[np.float32]]:
    """The vectors of a reply in the order of the texts. Raises EngineError for a reply that holds others."""
    try:
        found = sorted(read_embeddings(data).data, key=lambda each: each.index)
        rows = np.array([each.embedding for each in found], dtype=np.float64)
    except (msgspec.DecodeError, ValueError) as error:
        raise EngineError(f"the encoder sent what are no embeddings: {error}") from error
    if [each.index for each in found] != list(range(count)) or rows.ndim != 2 or not (abs(rows) < VALUE_MAX).all():
        raise EngineError("the encoder sent other embeddings than it was asked for")
    return list(rows.astype(np.float32))


def stacked(rows: Sequence[npt.NDArray[np.float32]]) -> Vectors:
    """Rows as one array; an empty text has none of its own before the first other text said how long they are."""
    dimensions = max((len(row) for row in rows), default=0)
    full = [row if len(row) else np.zeros(dimensions) for row in rows]
    return np.array(full, np.float32).reshape(len(rows), dimensions)


def pieces(text: str) -> Iterator[str]:
    """A text in pieces of at most PIECE_CHARACTERS, cut between words where there are any; none of an empty one."""
    rest = text[: PIECES_MAX * PIECE_CHARACTERS].strip()
    while rest:
        end = len(rest)
        if end > PIECE_CHARACTERS:
            end = max(rest.rfind(" ", PIECE_CHARACTERS // 2, PIECE_CHARACTERS), 0) or PIECE_CHARACTERS
        yield rest[:end]
        rest = rest[end:].lstrip()


def mean_of(weighed: Sequence[tuple[npt.NDArray[np.float32], int]]) -> npt.NDArray[np.float32]:
    """The unit vector of the sum, each part by its weight; empty of no parts, zeros of parts that cancel out."""
    if not weighed:
        return np.zeros(0, np.float32)
    total = np.sum([np.float32(weight) * row for row, weight in weighed], axis=0, dtype=np.float32)
    length = np.linalg.norm(total)
    return np.asarray(total / length if length > 0 else total, np.float32)


def alike(left: npt.NDArray[np.float32], right: npt.NDArray[np.float32]) -> float:
    """The cosine of two unit vectors, -1 to 1."""
    return float(np.clip(np.dot(left, right), -1.0, 1.0))
