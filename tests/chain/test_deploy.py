import dataclasses

import pytest
from tests.devnet import Devnet, OnDevnet, deploy_contracts

from dgrid.chain.contracts import ARTIFACT_NAMES, Contracts
from dgrid.chain.deploy import (
    ANYONE,
    DEV_VOTING,
    ORDER,
    WINDOW_MIN_S,
    DeploymentFailed,
    bsc_terms,
    constructor_arguments,
    dev_parameters,
    dev_terms,
    predicted,
    require_own_key,
    strange_contracts,
)
from dgrid.chain.devchain import DEV_ACCOUNT
from dgrid.chain.funding import NotDevChain, fund_dev
from dgrid.chain.parameters import Parameters, catalogue
from dgrid.core.identity import to_hex
from dgrid.core.keccak import keccak
from dgrid.core.money import WEI
from dgrid.poq.economics import violations

HOUR_S = 3_600
DEFAULT_ADMIN_ROLE = bytes(32)
PROPOSER_ROLE, EXECUTOR_ROLE = keccak(b"PROPOSER_ROLE"), keccak(b"EXECUTOR_ROLE")


async def _deployed(net: Devnet, parameters: Parameters | None = None) -> Contracts:
    terms = dev_terms(genesis_s=net.genesis_s, epoch_seconds=20)
    terms = dataclasses.replace(terms, parameters=parameters or terms.parameters)
    addresses = await deploy_contracts(net.rpc, terms=terms)
    return Contracts(dataclasses.replace(net.config, contracts=addresses))


def test_the_contracts_know_each_other(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        author = net.key("author").address
        terms = dev_terms(genesis_s=net.genesis_s, epoch_seconds=20, authors=[author])
        addresses = await deploy_contracts(net.rpc, terms=terms)
        contracts = Contracts(dataclasses.replace(net.config, contracts=addresses))
        assert await strange_contracts(net.rpc, addresses) == []
        assert await contracts.parameters.read(net.rpc, "genesis") == net.genesis_s
        assert await contracts.parameters.read(net.rpc, "timelock") == contracts.timelock.address
        assert await contracts.settlement.read(net.rpc, "baseShareBps") == 8_000
        assert await contracts.settlement.read(net.rpc, "escrow") == contracts.channel_escrow.address
        assert await contracts.settlement.read(net.rpc, "challenges") == contracts.challenges.address
        assert await contracts.settlement.read(net.rpc, "treasury") == contracts.quality_court.address
        assert await contracts.quality_court.read(net.rpc, "isAuthor", [author])
        delay = await contracts.channel_escrow.read(net.rpc, "minWithdrawDelay")
        assert delay >= 20 + 30 + 15  # the epoch, its anchor window, and time to collect
        for name in ("settlement", "court", "cases", "demands"):
            slasher = await contracts.registry.read(net.rpc, name)
            assert to_hex(slasher) == addresses["quality_court" if name == "court" else name]

    on_devnet(main)


def test_the_members_own_the_parameters_and_the_deployer_nothing(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        contracts = await _deployed(net)
        timelock, governor = contracts.timelock, contracts.governor.address
        for role, holder, holds in (
            (DEFAULT_ADMIN_ROLE, DEV_ACCOUNT.address, False),
            (DEFAULT_ADMIN_ROLE, ANYONE, False),
            (PROPOSER_ROLE, DEV_ACCOUNT.address, False),
            (PROPOSER_ROLE, governor, True),
            (EXECUTOR_ROLE, ANYONE, True),
        ):
            assert await timelock.read(net.rpc, "hasRole", [role, holder]) is holds
        assert await timelock.read(net.rpc, "getMinDelay") == DEV_VOTING.timelock_s
        assert await contracts.quality_court.read(net.rpc, "timelock") == timelock.address
        for name, value in (
            ("votingDelay", DEV_VOTING.delay_s),
            ("votingPeriod", DEV_VOTING.period_s),
            ("proposalThreshold", DEV_VOTING.threshold_wei),
            ("lateQuorumVoteExtension", DEV_VOTING.late_quorum_extension_s),
            ("timelock", timelock.address),
            ("registry", contracts.registry.address),
            ("token", contracts.dgai.address),
        ):
            assert await contracts.governor.read(net.rpc, name) == value

    on_devnet(main)


@pytest.mark.parametrize("on", ["dev", "bsc"])
def test_a_network_starts_with_the_catalogues_values_and_bounds(on_devnet: OnDevnet, on: str) -> None:
    async def main(net: Devnet) -> None:
        terms = dev_terms(genesis_s=net.genesis_s, epoch_seconds=20) if on == "dev" else bsc_terms(genesis_s=0)
        addresses = await deploy_contracts(net.rpc, terms=terms)
        parameters = Contracts(dataclasses.replace(net.config, contracts=addresses)).parameters
        assert await parameters.read(net.rpc, "all", [0]) == dataclasses.astuple(terms.parameters)
        for entry in catalogue():
            bounds = await parameters.read(net.rpc, "bound", [entry.index])
            assert bounds == (entry.bounds.minimum, entry.bounds.maximum, entry.bounds.change_max)

    on_devnet(main)


def test_every_contract_has_its_place_in_the_order() -> None:
    at = predicted(DEV_ACCOUNT.address, 7)
    arguments = constructor_arguments(dev_terms(genesis_s=0, epoch_seconds=20), at, deployer=DEV_ACCOUNT.address)
    assert tuple(arguments) == tuple(at) == ORDER
    assert set(ORDER) == set(ARTIFACT_NAMES)
    assert len(set(at.values())) == len(ORDER)


def test_what_lies_elsewhere_or_nowhere_is_named(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        assert await strange_contracts(net.rpc, {**net.config.contracts, "dgai": "0x" + "01" * 20}) == ["dgai"]
        assert await strange_contracts(net.rpc, {}) == list(ORDER)
        older = {name: address for name, address in net.config.contracts.items() if name != "quality_court"}
        assert await strange_contracts(net.rpc, older) == ["quality_court"]

    on_devnet(main)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bond_seconds": 1}, "Unsafe"),
        ({"identity_bps": 0}, "Unsafe"),
        ({"protocol_bps": 1_001}, "OutOfBounds"),
    ],
)
def test_terms_that_the_contracts_refuse_say_why(on_devnet: OnDevnet, changes: dict[str, int], reason: str) -> None:
    async def main(net: Devnet) -> None:
        with pytest.raises(DeploymentFailed, match=reason):
            await _deployed(net, dataclasses.replace(Parameters(), **changes))

    on_devnet(main)


def test_neither_key_nor_money_of_the_dev_chain_is_used_elsewhere(
    on_devnet: OnDevnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(net: Devnet) -> None:
        monkeypatch.setattr("dgrid.chain.funding.DEV_CHAIN_ID", 1)
        with pytest.raises(DeploymentFailed, match="public"):
            require_own_key(DEV_ACCOUNT.address, 1)
        with pytest.raises(NotDevChain):
            await fund_dev(net.rpc, net.contracts, address=net.key("anyone").address, dgai_wei=WEI)

    on_devnet(main)


@pytest.mark.parametrize("epoch_seconds", [1, 6, 20, HOUR_S])
def test_the_windows_of_judging_shrink_with_the_epoch_but_leave_time_to_act(epoch_seconds: int) -> None:
    judging = dev_parameters(epoch_seconds)
    windows = judging.commit_seconds, judging.reveal_seconds, judging.open_seconds
    assert all(WINDOW_MIN_S <= window <= usual for window, usual in zip(windows, (10, 8, 8), strict=True))
    assert sum(windows) <= max(3 * WINDOW_MIN_S, 13 * epoch_seconds // 10)
    assert judging.root_seconds <= epoch_seconds


@pytest.mark.parametrize("epoch_seconds", [1, 6, 20, HOUR_S])
def test_the_dev_networks_terms_are_safe_whatever_its_epochs_last(epoch_seconds: int) -> None:
    assert violations(dev_parameters(epoch_seconds), epoch_seconds=epoch_seconds) == ()


def test_terms_for_bsc_are_safe() -> None:
    terms = bsc_terms(genesis_s=0)
    assert violations(terms.parameters, epoch_seconds=terms.epoch_seconds) == ()
