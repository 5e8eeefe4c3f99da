"""Many messages under one signature: a signed Merkle root, and for each message its path.

Nodes and gateways sign thousands of messages a second; one signature covers all that are ready at the same moment. A
batch of one is legal and costs what a plain signature costs.

A seal has one form only. A path says no more than on which side each sibling stands, and several places in trees of
several sizes share those sides; so `index` and `count` are those of the smallest full tree, 2^(path length), and
any other pair is refused. Contracts climb it with the same rule as any tree.
"""

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from dgrid.core.errors import InvalidSignature
from dgrid.core.identity import Address
from dgrid.core.merkle import SumTree, TreeNode, join, leaf, root_of_path
from dgrid.wire.messages import Batch
from dgrid.wire.signatures import SigningKey, recover_cached
from dgrid.wire.typed import Domain

SEAL_MESSAGES_MAX = 64
_KNOWN_NODES = 8192

_join = lru_cache(maxsize=_KNOWN_NODES)(join)  # the paths of one batch meet on their way to its root


class Seal(msgspec.Struct, frozen=True, array_like=True):
    """Who vouches for a message: the batch's signature, and the way from the message to the batch's root."""

    signature: bytes
    index: int  # bit i: the sibling of level i stands on the left
    count: int  # 2^(path length)
    path: tuple[bytes, ...]  # sibling hashes, leaf upwards


def seal(key: SigningKey, domain: Domain, struct_hashes: Sequence[bytes]) -> list[Seal]:
    """One signature over all the messages; a seal for each, in order. At most SEAL_MESSAGES_MAX."""
    if len(struct_hashes) > SEAL_MESSAGES_MAX:
        raise ValueError(f"at most {SEAL_MESSAGES_MAX} messages share a seal")
    tree = SumTree([leaf(struct_hash) for struct_hash in struct_hashes])
    return _seals(tree, key.sign(batch_digest(domain, tree.root.hash)))


def seals_under(signature: bytes, struct_hashes: Sequence[bytes]) -> list[Seal]:
    """The seals that a batch's signature gave to its messages, in order: what is kept is the signature alone."""
    return _seals(SumTree([leaf(struct_hash) for struct_hash in struct_hashes]), signature)


def _seals(tree: SumTree, signature: bytes) -> list[Seal]:
    return [_seal_at(tree, at, signature) for at in range(tree.count)]


def _seal_at(tree: SumTree, index: int, signature: bytes) -> Seal:
    path = tuple(node.hash for node in tree.path(index))
    return Seal(signature, _sides(index, tree.count), 1 << len(path), path)


@lru_cache(maxsize=SEAL_MESSAGES_MAX**2)
def _sides(index: int, count: int) -> int:
    """The sides of the siblings on the way up, lowest level in the lowest bit; levels that promote have none."""
    sides = level = 0
    while count > 1:
        if index % 2 or index != count - 1:
            sides |= (index % 2) << level
            level += 1
        index, count = index >> 1, (count + 1) >> 1
    return sides


def sealed_by(domain: Domain, struct_hash: bytes, seal: Seal) -> Address:
    """Who sealed the message. Raises InvalidSignature."""
    if not 0 < seal.count <= SEAL_MESSAGES_MAX or seal.count != 1 << len(seal.path):
        raise InvalidSignature(f"a seal's count is 2 to the power of its path's length, at most {SEAL_MESSAGES_MAX}")
    path = tuple(TreeNode(sibling, 0) for sibling in seal.path)
    try:
        root = root_of_path(leaf(struct_hash), index=seal.index, count=seal.count, path=path, join=_join)
    except ValueError as error:
        raise InvalidSignature(f"the seal's path is malformed: {error}") from error
    return recover_cached(batch_digest(domain, root.hash), seal.signature)


def batch_digest(domain: Domain, root: bytes) -> bytes:
    """What a seal's signature signs."""
    return domain.digest(Batch(root).struct_hash())
