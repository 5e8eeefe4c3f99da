import dataclasses

import pytest
from tests.chain.endpoints import endpoints
from tests.devnet import Devnet, OnDevnet, free_port

from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.rpc import Rpc, RpcError
from dgrid.chain.transactions import Transaction
from dgrid.config import ChainConfig, ConfigError
from dgrid.core.errors import ChainUnavailable
from dgrid.wire.server import Reply, Request, Server


def test_the_next_endpoint_answers_when_the_first_is_away(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        away = f"http://127.0.0.1:{free_port()}"
        rpc = Rpc([away, net.chain.url], net.http, chain_id=DEV_CHAIN_ID)
        assert await rpc.call("eth_chainId", []) == hex(DEV_CHAIN_ID)
        with pytest.raises(ChainUnavailable, match="1 of 2 endpoints"):
            await rpc.heads()  # one of two is no majority: nothing is credited by it

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


def test_one_endpoint_decides_about_real_money_only_where_the_operator_says_so() -> None:
    chain = ChainConfig(("http://127.0.0.1:1",), 56, {})
    with pytest.raises(ConfigError, match="one endpoint"):
        Rpc.of(chain)
    with pytest.raises(ConfigError, match="one endpoint"):
        Rpc.of(dataclasses.replace(chain, rpc_urls=2 * chain.rpc_urls))  # one that is named twice has one voice
    assert Rpc.of(dataclasses.replace(chain, single_endpoint=True)).urls == chain.rpc_urls
    assert Rpc.of(dataclasses.replace(chain, chain_id=DEV_CHAIN_ID)).urls == chain.rpc_urls
    assert len(Rpc.of(dataclasses.replace(chain, rpc_urls=("http://a", "http://b"))).urls) == 2


def test_a_transaction_is_handed_to_every_endpoint_and_one_that_takes_it_is_enough(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        sender = await net.sender("payer")
        raw = Transaction(DEV_CHAIN_ID, 0, 10**9, 10**10, 21_000, sender.address, 0, b"").signed(net.key("payer"))
        away = f"http://127.0.0.1:{free_port()}"
        async with endpoints(net, 2) as doors:
            rpc = Rpc([away, *(door.url for door in doors)], net.http, chain_id=DEV_CHAIN_ID)
            await rpc.broadcast(raw)  # the second is told too, and only says that it is known
            assert all("eth_sendRawTransaction" in door.methods for door in doors)
            with pytest.raises(RpcError):
                await rpc.broadcast(raw)
        with pytest.raises(ChainUnavailable):
            await Rpc([away], net.http).broadcast(raw)

    on_devnet(main)
