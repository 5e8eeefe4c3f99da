import dataclasses

import pytest
from tests.devnet import Devnet, OnDevnet

from dgrid.chain.contracts import Contracts
from dgrid.chain.deploy import (
    DEV_JUDGING,
    WINDOW_MIN_S,
    DeploymentFailed,
    deploy,
    deploy_contracts,
    dev_terms,
    is_deployed,
)
from dgrid.chain.devchain import DEV_ACCOUNT
from dgrid.chain.funding import NotDevChain, fund_dev
from dgrid.chain.parameters import read_parameters
from dgrid.core.money import WEI


def test_the_dev_networks_terms_fit_the_contracts(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        addresses = await deploy(net.rpc, epoch_seconds=20, genesis_s=net.genesis_s)
        contracts = Contracts(dataclasses.replace(net.config, contracts=addresses))
        assert await is_deployed(net.rpc, addresses)
        assert await contracts.settlement.read(net.rpc, "genesis") == net.genesis_s
        assert await contracts.settlement.read(net.rpc, "baseShareBps") == 8_000
        assert await contracts.settlement.read(net.rpc, "escrow") == contracts.channel_escrow.address
        assert await contracts.registry.read(net.rpc, "settlement") == contracts.settlement.address
        court = contracts.quality_court
        assert await contracts.registry.read(net.rpc, "court") == court.address
        assert await contracts.settlement.read(net.rpc, "treasury") == court.address
        assert await court.read(net.rpc, "governor") == DEV_ACCOUNT.address
        assert (await read_parameters(net.rpc, contracts)).judging == DEV_JUDGING
        delay = await contracts.channel_escrow.read(net.rpc, "minWithdrawDelay")
        assert delay >= 20 + 30 + 15  # the epoch, its anchor window, and time to collect

    on_devnet(main)


def test_addresses_without_code_are_not_deployed(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        assert not await is_deployed(net.rpc, {**net.config.contracts, "dgai": "0x" + "01" * 20})
        assert not await is_deployed(net.rpc, {})
        older = {name: address for name, address in net.config.contracts.items() if name != "quality_court"}
        assert not await is_deployed(net.rpc, older)

    on_devnet(main)


def test_terms_that_the_contracts_refuse_say_why(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        terms = dataclasses.replace(dev_terms(genesis_s=net.genesis_s, epoch_seconds=20), bond_delay_s=1)
        with pytest.raises(DeploymentFailed, match="BondDelayTooShort"):
            await deploy_contracts(net.rpc, DEV_ACCOUNT, terms=terms)

    on_devnet(main)


def test_neither_key_nor_money_of_the_dev_chain_is_used_elsewhere(
    on_devnet: OnDevnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(net: Devnet) -> None:
        monkeypatch.setattr("dgrid.chain.deploy.DEV_CHAIN_ID", 1)
        monkeypatch.setattr("dgrid.chain.funding.DEV_CHAIN_ID", 1)
        with pytest.raises(DeploymentFailed, match="public"):
            await deploy(net.rpc, epoch_seconds=20, genesis_s=net.genesis_s)
        with pytest.raises(NotDevChain):
            await fund_dev(net.rpc, net.contracts, address=net.key("anyone").address, dgai_wei=WEI)

    on_devnet(main)


@pytest.mark.parametrize("epoch_seconds", [1, 6, 20, 3_600])
def test_the_windows_of_judging_shrink_with_the_epoch_but_leave_time_to_act(epoch_seconds: int) -> None:
    judging = dev_terms(genesis_s=0, epoch_seconds=epoch_seconds).judging
    windows = judging.commit_seconds, judging.reveal_seconds, judging.open_seconds
    assert all(WINDOW_MIN_S <= window <= usual for window, usual in zip(windows, (10, 8, 8), strict=True))
    assert sum(windows) <= max(3 * WINDOW_MIN_S, 13 * epoch_seconds // 10)
    assert judging.challenge_seconds <= epoch_seconds
