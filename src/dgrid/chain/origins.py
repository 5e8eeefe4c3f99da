"""What brought something to the chain: the events of a block, and the call behind one, whose data alone holds what the
event leaves out.

As a majority of the endpoints shows them. Says not who made a call: a contract may have.
"""

from collections.abc import Sequence

from dgrid.chain.contracts import Contract
from dgrid.chain.rpc import RawLog, Rpc, log_of
from dgrid.core.identity import to_hex


async def logs_at(
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


async def call_behind(rpc: Rpc, contract: Contract, *, event: str, topics: Sequence[bytes], block: int) -> bytes | None:
    """The data of the transaction with an event of these indexed arguments; None when the block holds no such event.

    Raises ChainUnavailable, RpcError.
    """
    logs = await logs_at(rpc, contract, event=event, topics=topics, block=block)
    if not logs:
        return None
    transaction = to_hex(logs[0].transaction_hash)
    return await rpc.agreed(
        [("eth_getTransactionByHash", [transaction])],
        lambda results: None if results[0] is None else bytes.fromhex(results[0]["input"].removeprefix("0x")),
        what=f"the transaction {transaction}",
    )
