"""Many messages under one signature: a signed Merkle root, and for each message its path.

Nodes and gateways sign thousands of messages a second; one signature covers all that are ready at the same moment. A batch
of one is legal and costs what a plain signature costs.
"""

from collections.abc import Sequence

import msgspec

from dgrid.core.errors import InvalidSignature
from dgrid.core.identity import Address
from dgrid.core.merkle import SumTree, TreeNode, leaf, root_of_path
from dgrid.wire.messages import Batch
from dgrid.wire.signatures import SigningKey, recover_cached
from dgrid.wire.typed import Domain

SEAL_MESSAGES_MAX = 64


class Seal(msgspec.Struct, frozen=True, array_like=True):
    """Who vouches for a message: the batch's signature, and the message's place in the batch."""

    signature: bytes
    index: int
    count: int
    path: tuple[bytes, ...]  # sibling hashes, leaf upwards


def seal(key: SigningKey, domain: Domain, struct_hashes: Sequence[bytes]) -> list[Seal]:
    """One signature over all the messages; a seal for each, in order. At most SEAL_MESSAGES_MAX."""
    if len(struct_hashes) > SEAL_MESSAGES_MAX:
        raise ValueError(f"at most {SEAL_MESSAGES_MAX} messages share a seal")
    tree = SumTree([leaf(struct_hash) for struct_hash in struct_hashes])
    signature = key.sign(batch_digest(domain, tree.root.hash))
    count = len(struct_hashes)
    return [Seal(signature, at, count, tuple(node.hash for node in tree.path(at))) for at in range(count)]


def sealed_by(domain: Domain, struct_hash: bytes, seal: Seal) -> Address:
    """Who sealed the message. Raises InvalidSignature."""
    if not 0 < seal.count <= SEAL_MESSAGES_MAX:
        raise InvalidSignature(f"a seal covers 1 to {SEAL_MESSAGES_MAX} messages")
    path = tuple(TreeNode(sibling, 0) for sibling in seal.path)
    try:
        root = root_of_path(leaf(struct_hash), index=seal.index, count=seal.count, path=path)
    except ValueError as error:
        raise InvalidSignature(f"the seal's path is malformed: {error}") from error
    return recover_cached(batch_digest(domain, root.hash), seal.signature)


def batch_digest(domain: Domain, root: bytes) -> bytes:
    """What a seal's signature signs."""
    return domain.digest(Batch(root).struct_hash())
