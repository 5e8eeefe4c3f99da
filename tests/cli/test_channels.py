"""The user's channels as they are typed, on a real chain: what is shown first, what is sent, and what comes back."""

import asyncio
from typing import Any

import pytest
from tests.cli.operators import Operator, operator
from tests.devnet import key_of

from dgrid.chain.channels import ChannelTerms, open_channel
from dgrid.cli.channels import ANNOUNCE_GAS, DEPOSIT_GAS, FINALIZE_GAS
from dgrid.cli.terminal import dgai
from dgrid.cli.wallet_config import chain_config
from dgrid.core.errors import NotYet
from dgrid.core.identity import to_hex
from dgrid.core.money import WEI
from dgrid.processes.home import Home
from dgrid.settlement.reading import reading

__all__ = ["operator"]

DEPOSIT = 60 * WEI
DELAY_S = 200


def opens_channels(operator: Operator, *gateways: str) -> None:
    """A deposit of the home's user at each gateway."""

    async def main() -> None:
        config, home = chain_config(operator.home), Home(operator.home)
        async with reading(config) as network:
            for name in gateways:
                await open_channel(
                    network.rpc,
                    config,
                    payer=home.key("user"),
                    terms=ChannelTerms(key_of(name).address, home.key("user").address, b"t" * 12),
                    amount_wei=DEPOSIT,
                    journal=home.role_folder("user"),
                )

    asyncio.run(main())


def sent(operator: Operator) -> int:
    return operator.chain.count(to_hex(operator.address("user")))


@pytest.mark.parametrize(
    ("words", "told"),
    [(("deposit", "5"), dgai(5 * WEI)), (("withdraw",), "serving on them ends"), (("finalize",), "60 DGAI")],
)
def test_nothing_is_sent_before_cost_and_effect_are_shown_and_somebody_agreed(
    operator: Operator, words: tuple[str, ...], told: str
) -> None:
    opens_channels(operator, "gateway-1")
    if words == ("finalize",):
        operator.done("channel", "withdraw")
        operator.passes(DELAY_S)
    before = sent(operator)
    refused = operator.dgrid("--home", str(operator.home), "channel", *words)
    assert refused.code == 4
    assert "nobody agreed" in refused.err
    assert told in refused.err
    assert "of the chain's coin" in refused.err
    assert sent(operator) == before
    assert operator.types("channel", *words).error["code"] == "declined"


def test_a_withdrawal_is_announced_waited_for_and_paid_out_once(operator: Operator) -> None:
    opens_channels(operator, "gateway-1", "gateway-2")
    only = "--gateway", to_hex(key_of("gateway-1").address)
    operator.done("channel", "withdraw", *only)
    early = operator.types("channel", "finalize", "--yes")
    assert (early.code, early.error["code"]) == (6, "not_yet")
    operator.passes(DELAY_S)
    before = operator.balance("user")
    done = operator.done("channel", "finalize")
    assert done["paid_wei"] == str(DEPOSIT)
    assert operator.balance("user") == before + DEPOSIT
    again = operator.types("channel", "finalize")  # nothing to agree to
    assert (again.code, again.data["channels"], again.data["paid_wei"]) == (0, [], "0")


def test_what_is_being_withdrawn_takes_no_deposit_and_says_what_to_do(operator: Operator) -> None:
    opens_channels(operator, "gateway-1")
    operator.done("channel", "withdraw")
    refused = operator.dgrid("--home", str(operator.home), "channel", "deposit", "5", "--yes")
    assert refused.code == NotYet.exit_code
    assert "dgrid channel finalize" in refused.err
    listed = operator.dgrid("--home", str(operator.home), "channel")
    assert (listed.code, "withdrawing" in listed.out) == (0, True)


def test_the_gas_that_is_shown_covers_what_it_takes(operator: Operator) -> None:
    opens_channels(operator, "gateway-1")
    for words, shown in (
        (("deposit", "5"), DEPOSIT_GAS),
        (("withdraw",), ANNOUNCE_GAS),
        (("finalize",), FINALIZE_GAS),
    ):
        block = head(operator)
        operator.done("channel", *words)
        used = gas_used_since(operator, block)
        assert used <= shown <= 3 * used, (words, used)
        operator.passes(DELAY_S)


def head(operator: Operator) -> int:
    return int(operator.chain.call("eth_blockNumber"), 16)


def gas_used_since(operator: Operator, block: int) -> int:
    """What the user's transactions in later blocks took."""
    found: list[Any] = []
    for number in range(block + 1, head(operator) + 1):
        found += operator.chain.call("eth_getBlockByNumber", hex(number), True)["transactions"]
    ours = [one["hash"] for one in found if one["from"] == to_hex(operator.address("user"))]
    return sum(int(operator.chain.call("eth_getTransactionReceipt", name)["gasUsed"], 16) for name in ours)
