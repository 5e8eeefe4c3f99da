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
NONCE_TAKEN = "underpriced", "nonce", "already imported"  # words of anvil's refusals
MINED_POLLS, MINED_POLL_S = 500, 0.02
INDEXED_POLLS = 50  # by then a chain that counts a transaction also finds its receipt


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

    Many newcomers may come at once, and some find the same nonce free. The chain refuses all but the first of them, or
    takes one and drops it later. Those ask again.
    """
    data = contract.encode(function, arguments)
    call = {"from": to_hex(DEV_ACCOUNT.address), "to": to_hex(contract.address), "data": to_hex(data)}
    for _ in range(NONCE_ATTEMPTS):
        nonce = await _count(rpc, "pending")
        try:
            sent = await rpc.call("eth_sendTransaction", [{**call, "nonce": hex(nonce)}])
        except RpcError as error:
            if not any(word in error.message for word in NONCE_TAKEN):
                raise revert_of(error) from None
            await asyncio.sleep(MINED_POLL_S)
        else:
            if await _mined(rpc, sent, nonce=nonce):
                return
    raise ChainUnavailable("the dev chain's first account is too busy")


async def _count(rpc: Rpc, block: str) -> int:
    return int(await rpc.call("eth_getTransactionCount", [to_hex(DEV_ACCOUNT.address), block]), 16)


async def _mined(rpc: Rpc, transaction: str, *, nonce: int) -> bool:
    """Waits until its nonce is used; False if another one took it. Raises ChainUnavailable.

    That the chain does not know it proves nothing: what goes into a block is for a moment neither waiting nor mined.
    """
    polls_since_used = 0
    for _ in range(MINED_POLLS):
        polls_since_used += await _count(rpc, "latest") > nonce
        if await rpc.call("eth_getTransactionReceipt", [transaction]) is not None:
            return True
        if polls_since_used > INDEXED_POLLS:
            return False
        await asyncio.sleep(MINED_POLL_S)
    raise ChainUnavailable("the dev chain does not mine")
