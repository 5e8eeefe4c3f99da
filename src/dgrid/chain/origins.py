"""Finds again what brought something to the chain: the event, or the data of the transaction behind it.

As a majority of the endpoints shows them. Who made a call is not known: it may have been a contract.
"""

from collections.abc import Sequence
from typing import Any

from dgrid.chain.contracts import Contract
from dgrid.chain.judging import PostedQuality
from dgrid.chain.rpc import RawLog, Rpc, log_of
from dgrid.chain.view import Anchor
from dgrid.core.errors import CheckFailed
from dgrid.core.identity import to_hex

Arguments = dict[str, Any]


async def event_of(
    rpc: Rpc, contract: Contract, *, name: str, topics: Sequence[bytes], posted: Anchor | PostedQuality
) -> Arguments:
    """The arguments of the event that came with a root. Raises CheckFailed (the chain does not show it, or no longer),
    ChainUnavailable, RpcError.
    """

    def read(results: list[Any]) -> Arguments | None:
        decoded = [contract.decode_log(log_of(one)) for one in results[0]]
        fits = (event.arguments for event in decoded if event and event.arguments["digest"] == posted.digest)
        return next(fits, None)

    asked = _query(contract, name, topics, block=posted.block)
    found = await rpc.agreed([("eth_getLogs", [asked])], read, what=f"the event {name} in block {posted.block}")
    if found is None:
        raise CheckFailed(f"block {posted.block} does not show the root {to_hex(posted.digest)}")
    return found


async def call_behind(rpc: Rpc, contract: Contract, *, event: str, topics: Sequence[bytes], block: int) -> bytes | None:
    """The data of the transaction with an event of these indexed arguments; None when the block holds no such event.

    Raises ChainUnavailable, RpcError.
    """

    def read(results: list[Any]) -> tuple[RawLog, ...]:
        return tuple(map(log_of, results[0]))

    asked = _query(contract, event, topics, block=block)
    logs = await rpc.agreed([("eth_getLogs", [asked])], read, what=f"the event {event} in block {block}")
    if not logs:
        return None
    transaction = to_hex(logs[0].transaction_hash)
    return await rpc.agreed(
        [("eth_getTransactionByHash", [transaction])],
        lambda results: None if results[0] is None else bytes.fromhex(results[0]["input"].removeprefix("0x")),
        what=f"the transaction {transaction}",
    )


def _query(contract: Contract, event: str, topics: Sequence[bytes], *, block: int) -> Arguments:
    """What `eth_getLogs` takes for a block's events of one kind with these indexed arguments."""
    kind = next(topic for topic, shape in contract.interface.events.items() if shape.name == event)
    return {
        "fromBlock": hex(block),
        "toBlock": hex(block),
        "address": to_hex(contract.address),
        "topics": [to_hex(one) for one in (kind, *topics)],
    }
