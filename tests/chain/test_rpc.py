from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from tests.chain.test_watcher import open_one
from tests.devnet import Devnet, OnDevnet, free_port

from dgrid.chain.contracts import Contracts
from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.rpc import Rpc, RpcError
from dgrid.chain.watcher import ChainWatcher
from dgrid.core.errors import ChainUnavailable
from dgrid.core.money import WEI
from dgrid.wire.http import HttpClient
from dgrid.wire.server import Reply, Request, Server


class Liar:
    """Passes calls on to a real chain and changes what one method says."""

    def __init__(self, net: Devnet, method: str, answer: Any) -> None:
        self._net, self._method, self._answer = net, method, answer
        self._http = HttpClient()

    async def handle(self, request: Request) -> Reply:
        calls = msgspec.json.decode(request.body)
        reply = await self._http.request("POST", self._net.chain.url, body=request.body, headers=JSON)
        responses = msgspec.json.decode(await reply.read())
        for call, response in zip(calls, responses, strict=True):
            if call["method"] == self._method:
                response["result"] = self._answer(response["result"])
        return Reply(200, msgspec.json.encode(responses))

    async def close(self) -> None:
        await self._http.close()


JSON = {"content-type": "application/json"}


@asynccontextmanager
async def lying(net: Devnet, method: str, answer: Any) -> AsyncIterator[str]:
    liar = Liar(net, method, answer)
    server = Server(liar.handle, host="127.0.0.1", port=0)
    await server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await server.stop()
        await liar.close()


def test_the_next_endpoint_answers_when_the_first_is_away(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        away = f"http://127.0.0.1:{free_port()}"
        rpc = Rpc([away, net.chain.url], net.http, chain_id=DEV_CHAIN_ID)
        assert await rpc.call("eth_chainId", []) == hex(DEV_CHAIN_ID)
        assert (await rpc.heads())[1].number > 0

    on_devnet(main)


def test_with_no_endpoint_the_chain_is_unavailable(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        rpc = Rpc([f"http://127.0.0.1:{free_port()}"], net.http)
        with pytest.raises(ChainUnavailable):
            await rpc.call("eth_chainId", [])
        with pytest.raises(ChainUnavailable):
            await rpc.heads()

    on_devnet(main)


def test_an_endpoint_of_another_chain_is_refused(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        rpc = Rpc([net.chain.url], net.http, chain_id=56)
        with pytest.raises(ChainUnavailable, match="chain 31337, not 56"):
            await rpc.call("eth_blockNumber", [])

    on_devnet(main)


def test_the_chains_own_errors_are_not_mistaken_for_absence(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        with pytest.raises(RpcError):
            await net.rpc.call("no_such_method", [])

    on_devnet(main)


def test_endpoints_that_disagree_about_a_final_block_credit_nothing(on_devnet: OnDevnet) -> None:
    def other_block(block: Any) -> Any:
        return block and {**block, "hash": "0x" + "ab" * 32}

    async def main(net: Devnet) -> None:
        async with lying(net, "eth_getBlockByNumber", other_block) as url:
            rpc = Rpc([net.chain.url, url], net.http, chain_id=DEV_CHAIN_ID)
            with pytest.raises(ChainUnavailable, match="disagree"):
                await rpc.heads()

    on_devnet(main)


def test_a_deposit_that_only_one_endpoint_shows_is_not_credited(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        escrow = net.config.contracts["channel_escrow"]
        async with lying(net, "eth_getLogs", lambda logs: [log for log in logs if log["address"] != escrow]) as url:
            rpc = Rpc([net.chain.url, url], net.http, chain_id=DEV_CHAIN_ID)
            watcher = ChainWatcher(rpc, Contracts(net.config), None, poll_ms=40)
            await watcher.poll()
            await open_one(net, await net.sender("payer"), amount_wei=WEI)
            await net.chain.make_final()
            with pytest.raises(ChainUnavailable, match="disagree about the logs"):
                await watcher.poll()
            assert not watcher.finalized.channels
            await watcher.stop()

    on_devnet(main)


def test_garbage_is_no_answer(on_devnet: OnDevnet) -> None:
    async def garbage(_request: Request) -> Reply:
        return Reply(200, b"<html>")

    async def main(net: Devnet) -> None:
        server = Server(garbage, host="127.0.0.1", port=0)
        await server.start()
        rpc = Rpc([f"http://127.0.0.1:{server.port}"], net.http)
        with pytest.raises(ChainUnavailable, match="JSON-RPC"):
            await rpc.call("eth_blockNumber", [])
        await server.stop()

    on_devnet(main)
