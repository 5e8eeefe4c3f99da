"""What the doctor says of a chain: endpoints that lie, lag or are away, and contracts of another version."""

import dataclasses
from pathlib import Path

from tests.chain.endpoints import another_block, endpoints
from tests.devnet import Devnet, OnDevnet, free_port

from dgrid.config import ChainConfig
from dgrid.core.identity import to_hex
from dgrid.processes.chain_doctor import _look, chain_findings


def test_endpoints_that_agree_and_contracts_of_this_version_are_well(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        async with endpoints(net, 3) as doors:
            chain = dataclasses.replace(net.config, rpc_urls=tuple(door.url for door in doors))
            found = await _look(chain)
            assert [(one.name, one.ok) for one in found] == [("chain endpoints", True), ("contracts", True)]

    on_devnet(main)


def test_the_endpoint_that_lies_lags_or_is_away_is_named(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        await net.rpc.call("anvil_mine", ["0x10"])
        async with endpoints(net, 3) as doors:
            urls = [door.url for door in doors]
            doors[1].lies["eth_getBlockByNumber"] = another_block
            (lying, _) = await _look(dataclasses.replace(net.config, rpc_urls=tuple(urls)))
            assert not lying.ok
            assert urls[1] in lying.detail
            assert urls[0] not in lying.detail
            doors[1].lies.clear()
            doors[2].lag = 9
            (late, _) = await _look(dataclasses.replace(net.config, rpc_urls=tuple(urls)))
            assert f"{urls[2]} does not know block" in late.detail
            away = f"http://127.0.0.1:{free_port()}"
            (gone, _) = await _look(dataclasses.replace(net.config, rpc_urls=(*urls[:2], away)))
            assert f"{away} does not answer" in gone.detail
            doors[0].lies["eth_getBlockByNumber"] = another_block
            (none,) = await _look(dataclasses.replace(net.config, rpc_urls=tuple(urls[:2])))
            assert "disagree" in none.detail

    on_devnet(main)


def test_other_code_under_a_contracts_address_is_named(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        await net.rpc.call("anvil_setCode", [to_hex(net.contracts.registry.address), "0x00"])
        _, contracts = await _look(net.config)
        assert (contracts.ok, contracts.detail) == (False, "not this version's: registry")

    on_devnet(main)


def test_a_home_without_a_chain_that_runs_has_nothing_to_look_at(tmp_path: Path) -> None:
    assert chain_findings(tmp_path, None) == []
    assert chain_findings(tmp_path, ChainConfig((), 56, {})) == []
    assert chain_findings(tmp_path, ChainConfig(("http://127.0.0.1:1",), 31337, {})) == []
    (alone,) = chain_findings(tmp_path, ChainConfig(("http://127.0.0.1:1",), 56, {}))
    assert "one endpoint" in alone.detail
