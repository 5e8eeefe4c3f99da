"""How a root came to the chain: the call that anchored it, which alone holds its signature and archives' promises."""

from dataclasses import dataclass

from dgrid.chain.abi import AbiError
from dgrid.chain.contracts import Contracts
from dgrid.chain.origins import call_behind
from dgrid.chain.rpc import Rpc
from dgrid.chain.view import Anchor
from dgrid.core.errors import CheckFailed
from dgrid.core.identity import Address
from dgrid.wire.messages import EpochRoot

EVENT = "Anchored"


@dataclass(frozen=True, slots=True)
class AnchorCall:
    """What was sent with a root."""

    signature: bytes
    stored: tuple[tuple[Address, bytes], ...]  # (archive, its signature under the blob's id)


async def anchor_call(rpc: Rpc, contracts: Contracts, *, anchor: Anchor) -> AnchorCall:
    """The call behind an anchored root. Raises CheckFailed when a contract made it, ChainUnavailable, RpcError."""
    settlement = contracts.settlement
    topics = anchor.root.gateway.rjust(32, b"\0"), anchor.root.epoch.to_bytes(32, "big")
    data = await call_behind(rpc, settlement, event=EVENT, topics=topics, block=anchor.block)
    if data is None:
        raise CheckFailed(f"block {anchor.block} does not anchor the root any more")
    try:
        root, signature, stored = settlement.decode_call("anchor", data)
    except AbiError:
        root, signature, stored = None, b"", ()
    if root is None or EpochRoot(*root) != anchor.root:
        raise CheckFailed("the root was anchored by a contract's call; the signatures that came with it cannot be seen")
    return AnchorCall(signature, tuple((Address(archive), promise) for archive, promise in stored))
