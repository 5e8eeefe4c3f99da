"""What the dev chain's first account does for newcomers: money. Refuses every other chain."""

import asyncio
from collections.abc import Sequence
from typing import Any

from dgrid.chain.contracts import Contract, Contracts, revert_of
from dgrid.chain.devchain import DEV_ACCOUNT, DEV_CHAIN_ID
from dgrid.chain.rpc import Rpc, RpcError
from dgrid.core.errors import ChainUnavailable, DGridError
from dgrid.core.identity import Address, to_hex
from dgrid.core.money import WEI

GAS_MONEY_WEI = 100 * WEI
NONCE_ATTEMPTS = 100
MINED_POLLS, MINED_POLL_S = 500, 0.02


class NotDevChain(DGridError):
    """Self-enrolment was asked for on a chain with real money."""

    code = "not_dev_chain"
    exit_code = 4


async def require_dev(rpc: Rpc) -> None:
    """Raises NotDevChain, ChainUnavailable."""
    chain_id = int(await rpc.call("eth_chainId", []), 16)
    if chain_id != DEV_CHAIN_ID:
        raise NotDevChain(
            f"chain {chain_id} is not the dev chain ({DEV_CHAIN_ID}): nobody is funded there",
            hint="run without --dev, with a funded and registered key",
        )


async def fund_dev(rpc: Rpc, contracts: Contracts, *, address: Address, dgai_wei: int = 0) -> None:
    """Fills an account up to `dgai_wei` and to some gas money. Raises NotDevChain, ChainUnavailable."""
    await require_dev(rpc)
    gas_money = int(await rpc.call("eth_getBalance", [to_hex(address), "latest"]), 16)
    if gas_money < GAS_MONEY_WEI // 2:
        await rpc.call("anvil_setBalance", [to_hex(address), hex(GAS_MONEY_WEI)])
    missing = dgai_wei - await contracts.dgai.read(rpc, "balanceOf", [address])
    if missing > 0:
        await transfer_dev(rpc, contracts.dgai, to=address, amount_wei=missing)


async def transfer_dev(rpc: Rpc, token: Contract, *, to: Address, amount_wei: int) -> None:
    """DGAI from the dev chain's first account. Raises Reverted, ChainUnavailable."""
    await send_dev(rpc, token, function="transfer", arguments=[to, amount_wei])


async def send_dev(rpc: Rpc, contract: Contract, *, function: str, arguments: Sequence[Any]) -> None:
    """A call by the dev chain's first account, mined. Raises Reverted, ChainUnavailable.

    Many newcomers may come at once. The chain signs and counts nonces, but gives one nonce to several that ask in the
    same moment; it refuses all but the first of them, or takes one and drops it later. Those ask again.
    """
    data = contract.encode(function, arguments)
    call = {"from": to_hex(DEV_ACCOUNT.address), "to": to_hex(contract.address), "data": to_hex(data)}
    for _ in range(NONCE_ATTEMPTS):
        try:
            sent = await rpc.call("eth_sendTransaction", [call])
        except RpcError as error:
            if "underpriced" not in error.message and "nonce" not in error.message:
                raise revert_of(error) from None
            await asyncio.sleep(MINED_POLL_S)
        else:
            if await _mined(rpc, sent):
                return
    raise ChainUnavailable("the dev chain's first account is too busy")


async def _mined(rpc: Rpc, transaction: str) -> bool:
    """Waits until it is mined; False if the chain dropped it. Raises ChainUnavailable."""
    for _ in range(MINED_POLLS):
        if await rpc.call("eth_getTransactionReceipt", [transaction]) is not None:
            return True
        if await rpc.call("eth_getTransactionByHash", [transaction]) is None:
            return False
        await asyncio.sleep(MINED_POLL_S)
    raise ChainUnavailable("the dev chain does not mine")
