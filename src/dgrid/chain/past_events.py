"""Looks an event up again, for what a view does not keep of it: signatures and ways up a tree.

As a majority of the endpoints shows it. It is the contract's word: whoever called, and however, it says what was shown.
"""

from collections.abc import Sequence
from typing import Any

from dgrid.chain.contracts import Contract
from dgrid.chain.judging import PostedQuality
from dgrid.chain.rpc import Rpc, log_of
from dgrid.chain.view import Anchor
from dgrid.core.errors import CheckFailed
from dgrid.core.identity import to_hex

Arguments = dict[str, Any]


async def past_events(
    rpc: Rpc, contract: Contract, *, name: str, topics: Sequence[bytes], block: int
) -> list[Arguments]:
    """A block's events of one kind with these indexed arguments. Raises ChainUnavailable, RpcError."""
    kind = next(topic for topic, shape in contract.interface.events.items() if shape.name == name)
    wanted = {
        "fromBlock": hex(block),
        "toBlock": hex(block),
        "address": to_hex(contract.address),
        "topics": [to_hex(one) for one in (kind, *topics)],
    }

    def read(results: list[Any]) -> list[Arguments]:
        decoded = [contract.decode_log(log_of(one)) for one in results[0]]
        return [dict(event.arguments) for event in decoded if event is not None]

    return await rpc.agreed([("eth_getLogs", [wanted])], read, what=f"the event {name} in block {block}")


async def root_event(
    rpc: Rpc, contract: Contract, *, name: str, topics: Sequence[bytes], posted: Anchor | PostedQuality
) -> Arguments:
    """The arguments of the event that came with a root. Raises CheckFailed (the chain does not show it, or no longer),
    ChainUnavailable, RpcError.
    """
    for found in await past_events(rpc, contract, name=name, topics=topics, block=posted.block):
        if found["digest"] == posted.digest:
            return found
    raise CheckFailed(f"block {posted.block} does not show the root {to_hex(posted.digest)}")
