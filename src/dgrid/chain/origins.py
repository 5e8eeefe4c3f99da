"""What brought something to the chain: the events of a block, and the call behind one, whose data alone holds what the
event leaves out.

As a majority of the endpoints shows them. Says not who made a call: a contract may have.
"""

from collections.abc import Sequence
from typing import Any

from dgrid.chain.contracts import Contract
from dgrid.chain.judging import PostedQuality
from dgrid.chain.rpc import RawLog, Rpc, log_of
from dgrid.chain.view import Anchor
from dgrid.core.errors import CheckFailed
from dgrid.core.identity import to_hex


async def _logs_at(
    rpc: Rpc, contract: Contract, *, event: str, topics: Sequence[bytes], block: int
) -> tuple[RawLog, ...]:
    """A block's events of one kind with these indexed arguments. Raises ChainUnavailable, RpcError."""
    topic = next(topic for topic, shape in contract.interface.events.items() if shape.name == event)
    wanted = {
        "fromBlock": hex(block),
        "toBlock": hex(block),
        "address": to_hex(contract.address),
        "topics": [to_hex(one) for one in (topic, *topics)],
    }
    return await rpc.agreed(
        [("eth_getLogs", [wanted])],
        lambda results: tuple(map(log_of, results[0])),
        what=f"the event {event} in block {block}",
    )


async def root_event(
    rpc: Rpc, contract: Contract, *, event: str, topics: Sequence[bytes], root: Anchor | PostedQuality
) -> dict[str, Any]:
    """The arguments of the event that brought a root to the chain, whoever sent it. Raises CheckFailed (the chain has
    taken it back), ChainUnavailable, RpcError.
    """
    for log in await _logs_at(rpc, contract, event=event, topics=topics, block=root.block):
        found = contract.decode_log(log)
        if found is not None and found.arguments["digest"] == root.digest:
            return dict(found.arguments)
    raise CheckFailed(f"block {root.block} does not hold the root {to_hex(root.digest)} any more")


async def call_behind(rpc: Rpc, contract: Contract, *, event: str, topics: Sequence[bytes], block: int) -> bytes | None:
    """The data of the transaction with an event of these indexed arguments; None when the block holds no such event.

    Raises ChainUnavailable, RpcError.
    """
    logs = await _logs_at(rpc, contract, event=event, topics=topics, block=block)
    if not logs:
        return None
    transaction = to_hex(logs[0].transaction_hash)
    return await rpc.agreed(
        [("eth_getTransactionByHash", [transaction])],
        lambda results: None if results[0] is None else bytes.fromhex(results[0]["input"].removeprefix("0x")),
        what=f"the transaction {transaction}",
    )
