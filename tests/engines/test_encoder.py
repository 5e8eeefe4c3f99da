import asyncio
import math
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.errors import EngineError, InvalidRequest
from dgrid.engines.encoder import PIECE_CHARACTERS, PIECES_MAX, EncoderClient, alike, pieces
from dgrid.engines.encoder_server import TEXTS_MAX, EncoderServer, encoder_file, texts_of
from dgrid.engines.engine import EngineCannotStart, EngineUnavailable
from dgrid.wire.server import Reply, Request, Server, json_reply

Handler = Callable[[Request], Awaitable[Reply]]
COMPANY = [(name, city, length) for length, name in enumerate(("Ada", "Bo", "Cy")) for city in ("Oslo", "Rome", "Bern")]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[EncoderClient]:
    server = Server(handler, host="127.0.0.1", port=0)
    await server.start()
    client = EncoderClient(f"http://127.0.0.1:{server.port}/v1")
    try:
        yield client
    finally:
        await client.close()
        await server.stop()


class Letters:
    """An embeddings server that counts letters, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    async def handle(self, request: Request) -> Reply:
        texts = msgspec.json.decode(request.body)["input"]
        self.asked.append(texts)
        rows = [[float(text.count(letter)) for letter in "abc"] for text in texts]
        units = [[value / math.hypot(*row) for value in row] for row in rows]
        data = [{"index": place, "embedding": row} for place, row in enumerate(units)]
        return json_reply({"data": data[::-1]})


@pytest.fixture(scope="module")
def server(loop: asyncio.Runner) -> Iterator[EncoderServer]:
    encoder = EncoderServer(encoder_file())
    loop.run(encoder.start())
    yield encoder
    loop.run(encoder.stop())


@pytest.fixture(scope="module")
def real(loop: asyncio.Runner, server: EncoderServer) -> Iterator[EncoderClient]:
    async def handle(request: Request) -> Reply:
        status, body = await server.embed(request.body)
        return Reply(status, body)

    serving = served(handle)
    yield loop.run(serving.__aenter__())
    loop.run(serving.__aexit__(None, None, None))


def test_alike_texts_have_alike_vectors(loop: asyncio.Runner, real: EncoderClient) -> None:
    rows = loop.run(real.vectors(["A cat sits on the mat.", "On the mat sits a cat.", "The bank raised its rates."]))
    assert rows.shape == (3, 384)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    assert alike(rows[0], rows[1]) > 0.9
    assert alike(rows[0], rows[2]) < 0.3


@pytest.mark.parametrize(
    "text", ["x" * 9000, "日本語" * 900, "0x71f0ab " * 300, "!?" * 600, "word " * 3000, "🐈" * 600]
)
def test_any_text_fits_the_encoder(loop: asyncio.Runner, real: EncoderClient, text: str) -> None:
    assert np.linalg.norm(loop.run(real.vectors([text]))) == pytest.approx(1, abs=1e-4)


def test_an_empty_text_is_like_nothing(loop: asyncio.Runner, real: EncoderClient) -> None:
    empty, blank, said = loop.run(real.vectors(["", " \n", "Oslo"]))
    assert alike(empty, said) == alike(blank, said) == 0
    assert loop.run(real.vectors([])).shape[0] == 0
    assert loop.run(real.vectors([""])).shape[0] == 1


def test_a_text_is_encoded_once(loop: asyncio.Runner) -> None:
    async def ask_twice() -> list[list[str]]:
        letters = Letters()
        async with served(letters.handle) as client:
            first = await client.vectors(["ab", "c", "ab"])
            again = await client.vectors(["c", "ab", "b"])
        assert np.array_equal(first[0], first[2])
        assert np.array_equal(first[1], again[0])
        assert alike(first[0], again[2]) == pytest.approx(0.5**0.5)
        return letters.asked

    assert loop.run(ask_twice()) == [["ab", "c"], ["b"]]


def test_many_texts_go_in_bounded_batches(loop: asyncio.Runner) -> None:
    async def ask() -> list[int]:
        letters = Letters()
        async with served(letters.handle) as client:
            rows = await client.vectors(["a" * place for place in range(1, 101)])
        assert rows.shape == (100, 3)
        return [len(batch) for batch in letters.asked]

    assert loop.run(ask()) == [32, 32, 32, 4]


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"data": []},
        {"data": [{"index": 1, "embedding": [1.0]}]},
        {"data": [{"index": 0, "embedding": []}, {"index": 0, "embedding": []}]},
        {"data": [{"index": 0, "embedding": ["x"]}]},
        {"data": [{"index": 0, "embedding": [1e40]}]},
    ],
)
def test_a_reply_that_holds_no_embeddings_is_an_error(loop: asyncio.Runner, reply: dict[str, Any]) -> None:
    async def handle(_request: Request) -> Reply:
        return json_reply(reply)

    async def ask() -> None:
        async with served(handle) as client:
            await client.vectors(["a"])

    with pytest.raises(EngineError, match="embeddings"):
        loop.run(ask())


def test_an_encoder_that_is_not_there_is_unavailable(loop: asyncio.Runner) -> None:
    with pytest.raises(EngineUnavailable):
        loop.run(EncoderClient("http://127.0.0.1:9").vectors(["a"]))


@given(st.text(max_size=6000))
def test_pieces_are_bounded_and_lose_only_white_space(text: str) -> None:
    found = list(pieces(text))
    assert len(found) <= PIECES_MAX
    assert all(0 < len(piece) <= PIECE_CHARACTERS for piece in found)
    kept = text[: PIECES_MAX * PIECE_CHARACTERS // 2]
    assert "".join("".join(found).split()).startswith("".join(kept.split()))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"input": 3}',
        b'{"input": []}',
        b'{"input": ["a", ""]}',
        b'{"input": [[1, 2]]}',
        msgspec.json.encode({"input": ["a"] * (TEXTS_MAX + 1)}),
    ],
)
def test_the_server_takes_texts_alone(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        texts_of(body)


def test_a_vector_is_the_same_to_the_bit_in_whatever_company_and_in_another_process(
    loop: asyncio.Runner, real: EncoderClient
) -> None:
    texts = [f"{name} lives in {city}{' by the sea' * length}." for name, city, length in COMPANY]

    async def another() -> tuple[np.ndarray, np.ndarray]:
        encoder = EncoderServer(encoder_file(), threads=2)
        await encoder.start()

        async def handle(request: Request) -> Reply:
            return Reply(*await encoder.embed(request.body))

        async with served(handle) as client:
            alone = await asyncio.gather(*(client.vectors([text]) for text in texts[::-1]))
        async with served(handle) as client:
            together = await client.vectors(texts)
        await encoder.stop()
        return np.concatenate(alone[::-1]), together

    rows = loop.run(real.vectors(texts))
    for others in loop.run(another()):
        assert np.array_equal(rows, others)


def test_the_server_is_started_again_when_it_died(loop: asyncio.Runner) -> None:
    async def live() -> None:
        encoder = EncoderServer(encoder_file())
        await encoder.start()
        body = msgspec.json.encode({"input": "Oslo"})
        assert (await encoder.embed(body))[0] == 200
        assert encoder.process_id is not None
        os.kill(encoder.process_id, signal.SIGKILL)
        async with asyncio.timeout(20):
            while encoder.is_serving:
                await asyncio.sleep(0.05)
            with pytest.raises(EngineUnavailable):
                await encoder.embed(body)
            while not encoder.is_serving:
                await asyncio.sleep(0.05)
        assert (await encoder.embed(body))[0] == 200
        await encoder.stop()
        assert not encoder.is_serving

    loop.run(live())


def test_a_file_that_is_no_model_says_so(loop: asyncio.Runner, tmp_path: Any) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(EngineCannotStart, match="broken"):
        loop.run(EncoderServer(tmp_path / "broken.gguf").start())
