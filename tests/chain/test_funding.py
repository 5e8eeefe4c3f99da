import asyncio

from tests.devnet import Devnet, OnDevnet

from dgrid.chain.channels import approve
from dgrid.chain.funding import fund_dev
from dgrid.core.money import WEI


def test_many_newcomers_are_funded_at_once_each_once(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        addresses = [net.key(f"newcomer-{index}").address for index in range(20)]
        funding = [fund_dev(net.rpc, net.contracts, address=one, dgai_wei=3 * WEI) for one in addresses]
        await asyncio.gather(*funding)
        assert [await net.balance(one) for one in addresses] == [3 * WEI] * 20

    on_devnet(main)


def test_only_what_is_missing_is_given(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        sender = await net.sender("newcomer", dgai_wei=3 * WEI)
        for wanted in (2 * WEI, 5 * WEI):
            await fund_dev(net.rpc, net.contracts, address=sender.address, dgai_wei=wanted)
        assert await net.balance(sender.address) == 5 * WEI
        await approve(sender, net.contracts, spender=sender.address, amount_wei=1)  # there is gas money too

    on_devnet(main)
