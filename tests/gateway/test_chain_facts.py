"""What a gateway asks the real chain about the members' rules."""

from dataclasses import asdict

from tests.devnet import Devnet, OnDevnet
from tests.settlement.network import BOND_WEI, LINE_WEI, STAKE_WEI, settling

from dgrid.chain.channels import ChannelTerms, open_channel
from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import Role
from dgrid.chain.parameters import Parameters
from dgrid.core.identity import channel_salt
from dgrid.gateway.chain_facts import WatchedChain


def test_a_nodes_lines_at_all_gateways_are_counted_together(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        node, contracts = net.key("node-1").address, net.contracts
        names = {"token": contracts.dgai.address, "settlement": contracts.settlement.address}
        chain = WatchedChain(network.watcher, gateway=net.key("gateway").address, **names)
        assert (chain.credit_line_wei(node), chain.credit_lines_wei(node)) == (LINE_WEI, LINE_WEI)
        second = net.key("gateway-2").address
        other = Enroller(net.rpc, contracts, await net.sender("gateway-2", dgai_wei=0), dev=True)
        await other.ensure_bond(BOND_WEI)
        await other.ensure_lines({node: LINE_WEI // 2}, network.watcher.latest)
        await network.watcher.until(lambda view: (second, node) in view.lines, timeout_s=30)
        assert chain.credit_lines_wei(node) == LINE_WEI, "who is not registered serves nobody"
        await other.enroll(Enrolment(Role.GATEWAY, "http://127.0.0.1:2", STAKE_WEI), network.watcher.latest)
        await network.watcher.until(lambda view: (Role.GATEWAY, second) in view.members, timeout_s=30)
        assert (chain.credit_line_wei(node), chain.credit_lines_wei(node)) == (LINE_WEI, LINE_WEI * 3 // 2)

    on_devnet(main)


def test_parameters_are_those_of_the_contract(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        contracts = net.contracts
        names = {"token": contracts.dgai.address, "settlement": contracts.settlement.address}
        chain = WatchedChain(await net.watcher("gateway"), gateway=net.key("gateway").address, **names)
        told = await contracts.parameters.read(net.rpc, "all", [7])
        assert chain.parameters(7) == Parameters(**dict(zip(asdict(Parameters()), told, strict=True)))
        assert not chain.is_checked(10**9, now_ms=0)

    on_devnet(main)


def test_an_api_key_stays_with_the_channel_that_was_first_whoever_copies_its_salt(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        watcher, contracts, gateway = await net.watcher("gateway"), net.contracts, net.key("gateway").address
        names = {"token": contracts.dgai.address, "settlement": contracts.settlement.address}
        chain = WatchedChain(watcher, gateway=gateway, **names)
        terms = ChannelTerms(gateway, authorizer=gateway, tag=b"key's digest")
        for count, name in enumerate(("victim", "copycat"), 1):
            folder = net.folder / name
            folder.mkdir()
            payer = {"payer": net.key(name), "terms": terms, "amount_wei": 10**count}
            await open_channel(net.rpc, net.config, **payer, journal=folder)
            await watcher.until(lambda view, count=count: len(view.channels) == count, timeout_s=30)  # type: ignore[misc]
            found = chain.channel_of_salt(channel_salt(gateway, terms.tag))
            assert found is not None
            assert found.config.payer == net.key("victim").address

    on_devnet(main)
