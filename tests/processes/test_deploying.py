"""A home's contracts are one set, however often its first start is killed."""

import pytest
from tests.devnet import Devnet, OnDevnet

from dgrid.chain.deploy import ORDER, strange_contracts
from dgrid.chain.devchain import DEV_ACCOUNT
from dgrid.chain.sender import TransactionReceipt
from dgrid.core.identity import to_hex
from dgrid.processes.deploying import ChainLost, Deployed, deployed
from dgrid.processes.home import Home


class Killed(BaseException):
    """The process is gone."""


class Dying:
    """Hears of each contract, and lets the process die with one of them."""

    def __init__(self, last: str = "") -> None:
        self.last, self.heard = last, list[str]()

    def __call__(self, name: str, _receipt: TransactionReceipt) -> None:
        self.heard.append(name)
        if name == self.last:
            raise Killed


async def sent(net: Devnet) -> int:
    return int(await net.rpc.call("eth_getTransactionCount", [to_hex(DEV_ACCOUNT.address), "latest"]), 16)


async def started(net: Devnet, home: Home, say: Dying, *, now_s: int = 1_700_000_000) -> Deployed:
    return await deployed(home, net.rpc, epoch_seconds=5, now_s=now_s, say=say)


@pytest.mark.parametrize("last", ["dgai", "registry", "cases"])
def test_a_first_start_that_is_killed_goes_on_with_the_same_contracts(on_devnet: OnDevnet, last: str) -> None:
    async def main(net: Devnet) -> None:
        home = Home(net.folder / "home")
        home.make()
        before = await sent(net)
        with pytest.raises(Killed):
            await started(net, home, Dying(last))
        again = Dying()
        found = await started(net, home, again, now_s=1_700_009_999)
        assert again.heard == list(ORDER[ORDER.index(last) + 1 :])
        assert await sent(net) == before + len(ORDER)
        assert (found.is_done, found.genesis_s) == (True, 1_700_000_000)
        assert await strange_contracts(net.rpc, found.contracts) == []

    on_devnet(main)


def test_a_later_start_finds_them_and_sends_nothing(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        home = Home(net.folder / "home")
        home.make()
        first, before = await started(net, home, Dying()), await sent(net)
        silent = Dying()
        assert await started(net, home, silent) == first
        assert (silent.heard, await sent(net)) == ([], before)

    on_devnet(main)


def test_a_chain_that_lost_them_is_not_deployed_to_again(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        home = Home(net.folder / "home")
        home.make()
        found = await started(net, home, Dying())
        await net.rpc.call("anvil_setCode", [found.contracts["registry"], "0x"])
        with pytest.raises(ChainLost):
            await started(net, home, Dying())

    on_devnet(main)
