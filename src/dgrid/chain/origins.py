"""The call that brought an event to the chain: its data alone holds what events leave out, signatures and proofs.

As a majority of the endpoints shows it. Refuses to decode it, and to say who made the call: a contract may have.
"""

from collections.abc import Sequence

from dgrid.chain.contracts import Contract
from dgrid.chain.rpc import Rpc, log_of
from dgrid.core.identity import to_hex


async def call_behind(rpc: Rpc, contract: Contract, *, event: str, topics: Sequence[bytes], block: int) -> bytes | None:
    """The data of the transaction with an event of these indexed arguments; None when the block holds no such event.

    Raises ChainUnavailable, RpcError.
    """
    topic = next(topic for topic, shape in contract.interface.events.items() if shape.name == event)
    wanted = {
        "fromBlock": hex(block),
        "toBlock": hex(block),
        "address": to_hex(contract.address),
        "topics": [to_hex(one) for one in (topic, *topics)],
    }
    hashes = await rpc.agreed(
        [("eth_getLogs", [wanted])],
        lambda results: tuple(log_of(one).transaction_hash for one in results[0]),
        what=f"the event {event} in block {block}",
    )
    return await data_of(rpc, hashes[0]) if hashes else None


async def data_of(rpc: Rpc, transaction: bytes) -> bytes | None:
    """The data of a transaction; None where the chain does not know it. Raises ChainUnavailable, RpcError."""
    return await rpc.agreed(
        [("eth_getTransactionByHash", [to_hex(transaction)])],
        lambda results: None if results[0] is None else bytes.fromhex(results[0]["input"].removeprefix("0x")),
        what=f"the transaction {to_hex(transaction)}",
    )
