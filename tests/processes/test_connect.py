"""The local proxy before gateways that answer and that cheat; its payments are vouchers of a channel nobody funded."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from openai import APIError, APIStatusError, AsyncOpenAI, BadRequestError, NotFoundError
from openai.types.chat import ChatCompletionUserMessageParam
from tests.client.serving import WORDS, Gateway, serving
from tests.client.test_payments import wallet

from dgrid.client.asynchronous import AsyncClient
from dgrid.client.book import used_by_channel
from dgrid.client.kept import kept_receipt, kept_refused, kept_request
from dgrid.client.payments import Wallets
from dgrid.config import ChainConfig, WalletConfig
from dgrid.core.errors import InsufficientBudget, ModelNotFound
from dgrid.processes.chain_side import background
from dgrid.processes.connect import ConnectOptions, KeepingWallets, Proxy, connected, keep_bounded
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.server import PortTaken, Reply, Request, Server, json_reply
from dgrid.wire.verification import verify_receipt

QUESTION: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "What does Tim play?"}]


@asynccontextmanager
async def proxied(urls: list[str], folder: Path, max_fee_wei: int) -> AsyncIterator[AsyncOpenAI]:
    """An unchanged OpenAI client before a proxy before the gateways."""
    wallets = {url: wallet(folder, max_fee_wei=max_fee_wei) for url in urls}
    async with AsyncClient(urls, KeepingWallets(Wallets(wallets), folder)) as client:
        server = Server(Proxy(client).handle, host="127.0.0.1", port=0)
        await server.start()
        base_url = f"http://127.0.0.1:{server.port}/v1"
        async with AsyncOpenAI(base_url=base_url, api_key="anything", max_retries=0) as openai:
            yield openai
        await server.stop()


def through(
    gateways: list[Gateway],
    folder: Path,
    talk: Callable[[AsyncOpenAI], Awaitable[None]],
    *,
    max_fee_wei: int = 10**18,
) -> None:
    async def run(urls: list[str]) -> None:
        async with proxied(urls, folder, max_fee_wei) as openai:
            await talk(openai)

    with serving(*gateways) as urls:
        asyncio.run(run(urls))


def test_an_unchanged_client_gets_its_answer_and_the_receipt_is_kept(tmp_path: Path) -> None:
    gateway = Gateway()

    async def talk(openai: AsyncOpenAI) -> None:
        answer = await openai.chat.completions.create(model="auto", messages=QUESTION)
        assert answer.choices[0].message.content == "Tim plays the cello."

    through([gateway], tmp_path, talk)
    (name,) = gateway.documents
    kept = kept_receipt(tmp_path, name)
    assert kept is not None
    assert all(check.ok for check in verify_receipt(ReceiptDocument.decode(kept), answer="Tim plays the cello."))
    assert not gateway.asked[0].header(b"authorization"), "the local client's key goes no further"
    assert gateway.asked[0].header(b"x-dgrid-payment")


def test_a_stream_is_passed_on_to_its_end(tmp_path: Path) -> None:
    async def talk(openai: AsyncOpenAI) -> None:
        stream = await openai.chat.completions.create(model="auto", messages=QUESTION, stream=True)
        said = [chunk.choices[0].delta.content async for chunk in stream if chunk.choices]
        assert said == list(WORDS)

    through([Gateway()], tmp_path, talk)


def cheat(reply: bytes) -> bytes:
    return reply.replace(b"cello", b"flute")


def test_an_answer_whose_receipt_does_not_hold_is_withheld(tmp_path: Path) -> None:
    async def talk(openai: AsyncOpenAI) -> None:
        with pytest.raises(APIStatusError) as raised:
            await openai.chat.completions.create(model="auto", messages=QUESTION)
        assert raised.value.status_code == 422
        assert raised.value.code == "check_failed"
        assert raised.value.request_id in gateway.documents, "the receipt that does not hold"

    gateway = Gateway(change_reply=cheat)
    through([gateway], tmp_path, talk)


def test_a_stream_whose_receipt_does_not_hold_ends_with_an_error(tmp_path: Path) -> None:
    async def talk(openai: AsyncOpenAI) -> None:
        stream = await openai.chat.completions.create(model="auto", messages=QUESTION, stream=True)
        with pytest.raises(APIError, match="does not hold") as raised:
            async for _ in stream:
                pass
        assert raised.value.body["request_id"] in gateway.documents  # type: ignore[index]

    gateway = Gateway(change_reply=cheat)
    through([gateway], tmp_path, talk)


def test_a_gateway_that_is_out_of_budget_is_passed_over(tmp_path: Path) -> None:
    second = Gateway()

    async def talk(openai: AsyncOpenAI) -> None:
        answer = await openai.chat.completions.create(model="auto", messages=QUESTION)
        assert answer.choices[0].message.content

    through([Gateway(refusal=InsufficientBudget("empty")), second], tmp_path, talk)
    assert second.asked


def test_a_gateways_refusal_reaches_the_client_as_it_is(tmp_path: Path) -> None:
    async def talk(openai: AsyncOpenAI) -> None:
        with pytest.raises(APIStatusError) as raised:
            await openai.chat.completions.create(model="huge", messages=QUESTION)
        assert (raised.value.status_code, raised.value.code) == (404, "model_not_found")

    through([Gateway(refusal=ModelNotFound("no such model"))], tmp_path, talk)


def test_a_gateways_refusal_keeps_the_name_that_its_operator_knows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = ModelNotFound("no such model")
    refusal.request_id = "req_of_the_gateway"

    async def talk(openai: AsyncOpenAI) -> None:
        with pytest.raises(APIStatusError) as raised:
            await openai.chat.completions.create(model="huge", messages=QUESTION)
        assert raised.value.request_id == "req_of_the_gateway"
        assert raised.value.response.json()["error"]["request_id"] == "req_of_the_gateway"

    with caplog.at_level(logging.INFO):
        through([Gateway(refusal=refusal)], tmp_path, talk)
    assert "request req_of_the_gateway failed: 404 model_not_found" in caplog.messages


def test_what_the_proxy_itself_refuses_has_a_name_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def talk(openai: AsyncOpenAI) -> None:
        with pytest.raises(NotFoundError, match="POST /v1/chat/completions") as raised:
            await openai.embeddings.create(model="auto", input="x")
        assert f"request {raised.value.request_id} failed: 404 route_not_found" in caplog.messages
        with pytest.raises(BadRequestError) as wrong:
            await openai.chat.completions.create(model="auto", messages=QUESTION, n=100)
        assert wrong.value.request_id

    with caplog.at_level(logging.INFO):
        through([Gateway()], tmp_path, talk)


def test_every_request_carries_a_body_as_the_client_wrote_it(tmp_path: Path) -> None:
    gateway = Gateway()

    async def talk(openai: AsyncOpenAI) -> None:
        await openai.chat.completions.create(model="auto", messages=QUESTION, extra_body={"top_k": 5})

    through([gateway], tmp_path, talk)
    assert json.loads(gateway.asked[0].body)["top_k"] == 5


def test_a_repeated_request_gets_the_first_answer_and_is_paid_once(tmp_path: Path) -> None:
    gateway = Gateway(remembers=True)

    async def talk(openai: AsyncOpenAI) -> None:
        headers = {"Idempotency-Key": "one-question"}
        first, second = [
            await openai.chat.completions.create(model="auto", messages=QUESTION, extra_headers=headers)
            for _ in range(2)
        ]
        assert first == second

    through([gateway], tmp_path, talk)
    (document,) = gateway.documents.values()
    assert len(gateway.asked) == 2
    assert wallet(tmp_path).used_wei == document.receipt.totals.payer


def test_a_taken_port_is_found_before_any_gateway_is_asked_or_money_sent(tmp_path: Path) -> None:
    asked: list[str] = []

    async def handle(request: Request) -> Reply:
        asked.append(request.path)
        return json_reply({})

    async def run() -> None:
        server = Server(handle, host="127.0.0.1", port=0)
        await server.start()
        urls = (f"http://127.0.0.1:{server.port}",)
        config = WalletConfig(urls, tmp_path / "api_key", tmp_path / "user.key", ChainConfig((), 0, {}))
        options = ConnectOptions(config, tmp_path, port=server.port, deposit_wei=1, max_fee_wei=1)
        try:
            with pytest.raises(PortTaken):
                async with connected(options):
                    raise AssertionError("it serves on a port of another's")
        finally:
            await server.stop()

    asyncio.run(run())
    assert asked == []


def test_the_book_shows_what_was_used(tmp_path: Path) -> None:
    async def talk(openai: AsyncOpenAI) -> None:
        await openai.chat.completions.create(model="auto", messages=QUESTION)

    gateway = Gateway()
    through([gateway], tmp_path, talk)
    (document,) = gateway.documents.values()
    assert wallet(tmp_path).used_wei == document.receipt.totals.payer
    assert used_by_channel(tmp_path, bytes(32)) == 0


def test_a_receipt_that_bills_too_much_is_refused_and_kept_with_its_request(tmp_path: Path) -> None:
    gateway = Gateway()

    async def talk(openai: AsyncOpenAI) -> None:
        with pytest.raises(APIStatusError) as raised:
            await openai.chat.completions.create(model="auto", messages=QUESTION)
        assert raised.value.code == "check_failed"

    through([gateway], tmp_path, talk, max_fee_wei=1)
    ((name, document),) = gateway.documents.items()
    (refused,) = kept_refused(tmp_path, name)
    assert ReceiptDocument.decode(refused) == document
    request = kept_request(tmp_path, name)
    assert request is not None
    assert request.max_fee == 1
    assert kept_receipt(tmp_path, name) is None


def test_while_it_runs_the_proxy_forgets_its_oldest_requests(tmp_path: Path) -> None:
    requests = tmp_path / "requests"
    requests.mkdir()

    async def main() -> None:
        async with background(partial(keep_bounded, tmp_path, most=2, every_s=0.01)), asyncio.timeout(5):
            for _ in range(2):  # at its start, and again
                for name in "abc":
                    (requests / f"{name}.json").touch()
                while len(list(requests.iterdir())) > 2:
                    await asyncio.sleep(0.01)

    asyncio.run(main())
