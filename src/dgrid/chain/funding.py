"""Money for newcomers of the dev chain, from its first account. Refuses every other chain."""

import asyncio

from dgrid.chain.contracts import Contract, Contracts, revert_of
from dgrid.chain.devchain import DEV_ACCOUNT, DEV_CHAIN_ID
from dgrid.chain.rpc import Rpc, RpcError
from dgrid.core.errors import ChainUnavailable, DGridError
from dgrid.core.identity import Address, to_hex
from dgrid.core.money import WEI

GAS_MONEY_WEI = 100 * WEI
MINED_POLLS, MINED_POLL_S = 500, 0.02


class NotDevChain(DGridError):
    """Self-enrolment was asked for on a chain with real money."""

    code = "not_dev_chain"
    exit_code = 4


async def fund_dev(rpc: Rpc, contracts: Contracts, *, address: Address, dgai_wei: int = 0) -> None:
    """Fills an account up to `dgai_wei` and to some gas money. Raises NotDevChain, ChainUnavailable."""
    chain_id = int(await rpc.call("eth_chainId", []), 16)
    if chain_id != DEV_CHAIN_ID:
        raise NotDevChain(
            f"chain {chain_id} is not the dev chain ({DEV_CHAIN_ID}): nobody is funded there",
            hint="run without --dev, with a funded and registered key",
        )
    gas_money = int(await rpc.call("eth_getBalance", [to_hex(address), "latest"]), 16)
    if gas_money < GAS_MONEY_WEI // 2:
        await _from_first_account(rpc, to=address, value_wei=GAS_MONEY_WEI, data=b"")
    missing = dgai_wei - await contracts.dgai.read(rpc, "balanceOf", [address])
    if missing > 0:
        await transfer_dev(rpc, contracts.dgai, to=address, amount_wei=missing)


async def transfer_dev(rpc: Rpc, token: Contract, *, to: Address, amount_wei: int) -> None:
    """DGAI from the dev chain's first account. Raises Reverted, ChainUnavailable."""
    await _from_first_account(rpc, to=token.address, value_wei=0, data=token.encode("transfer", [to, amount_wei]))


async def _from_first_account(rpc: Rpc, *, to: Address, value_wei: int, data: bytes) -> None:
    """The node signs and counts nonces itself, so that many newcomers may come at once."""
    fields = {"to": to_hex(to), "value": hex(value_wei), "data": to_hex(data)}
    call = {"from": to_hex(DEV_ACCOUNT.address), **fields}
    try:
        sent = await rpc.call("eth_sendTransaction", [call])
        await _mined(rpc, sent)
    except RpcError as error:
        raise revert_of(error) from None


async def _mined(rpc: Rpc, transaction: str) -> None:
    for _ in range(MINED_POLLS):
        if await rpc.call("eth_getTransactionReceipt", [transaction]) is not None:
            return
        await asyncio.sleep(MINED_POLL_S)
    raise ChainUnavailable("the dev chain does not mine")
