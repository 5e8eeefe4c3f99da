"""What was signed of an anchored root, whoever sent it: by its gateway, and by archives that promised its blob."""

from dataclasses import dataclass

from dgrid.chain.contracts import Contracts
from dgrid.chain.past_events import root_event
from dgrid.chain.rpc import Rpc
from dgrid.chain.view import Anchor
from dgrid.core.identity import Address


@dataclass(frozen=True, slots=True)
class AnchorSignatures:
    """What came with a root."""

    gateway: bytes
    archives: tuple[tuple[Address, bytes], ...]  # (archive, its signature under the blob's id)


async def anchor_signatures(rpc: Rpc, contracts: Contracts, *, anchor: Anchor) -> AnchorSignatures:
    """The signatures of an anchored root. Raises CheckFailed (the chain does not show the event), ChainUnavailable,
    RpcError.
    """
    topics = anchor.root.gateway.rjust(32, b"\0"), anchor.root.epoch.to_bytes(32, "big")
    found = await root_event(rpc, contracts.settlement, name="Anchored", topics=topics, posted=anchor)
    archives = tuple((Address(archive), promise) for archive, promise in found["stored"])
    return AnchorSignatures(found["signature"], archives)
