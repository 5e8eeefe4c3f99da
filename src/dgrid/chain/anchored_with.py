"""What a root was anchored with, whoever sent it: its gateway's signature and archives' promises, from the event."""

from dataclasses import dataclass

from dgrid.chain.contracts import Contracts
from dgrid.chain.origins import root_event
from dgrid.chain.rpc import Rpc
from dgrid.chain.view import Anchor
from dgrid.core.identity import Address


@dataclass(frozen=True, slots=True)
class AnchoredWith:
    """What was signed of a root."""

    signature: bytes
    stored: tuple[tuple[Address, bytes], ...]  # (archive, its signature under the blob's id)


async def anchored_with(rpc: Rpc, contracts: Contracts, *, anchor: Anchor) -> AnchoredWith:
    """What came with an anchored root. Raises CheckFailed (the chain has taken it back), ChainUnavailable, RpcError."""
    topics = anchor.root.gateway.rjust(32, b"\0"), anchor.root.epoch.to_bytes(32, "big")
    found = await root_event(rpc, contracts.settlement, event="Anchored", topics=topics, root=anchor)
    return AnchoredWith(found["signature"], tuple((Address(archive), promise) for archive, promise in found["stored"]))
