"""Many messages under one signature: a signed Merkle root, and for each message its path.

Nodes and gateways sign thousands of messages a second; one signature covers all that are ready at the same moment. A
batch of one is legal and costs what a plain signature costs.

A seal has one form only. A path says no more than on which side each sibling stands, and several places in trees of
several sizes share those sides; so `index` and `count` are those of the smallest full tree, 2^(path length), and
any other pair is refused. Contracts climb it with the same rule as any tree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import itemgetter

import msgspec

from dgrid.core.errors import InvalidSignature
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak
from dgrid.core.merkle import SUM_BYTES
from dgrid.wire.messages import Batch
from dgrid.wire.signatures import SigningKey, recover
from dgrid.wire.typed import Domain, digest_under, layout_of

SEAL_MESSAGES_MAX = 64
HASH_BYTES = 32
_KNOWN_NODES, _KNOWN_BATCHES = 1024, 512  # what batches under way need; more would only be cold memory
_NO_SUM = bytes(SUM_BYTES)
_BATCH_TYPE = layout_of(Batch).type_hash


class Seal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Who vouches for a message: the batch's signature, and the way from the message to the batch's root."""

    signature: bytes
    index: int  # bit i: the sibling of level i stands on the left
    count: int  # 2^(path length)
    path: tuple[bytes, ...]  # sibling hashes, leaf upwards


def seal(key: SigningKey, domain: Domain, struct_hashes: Sequence[bytes]) -> list[Seal]:
    """One signature over all the messages; a seal for each, in order. At most SEAL_MESSAGES_MAX."""
    if len(struct_hashes) > SEAL_MESSAGES_MAX:
        raise ValueError(f"at most {SEAL_MESSAGES_MAX} messages share a seal")
    levels = _levels(struct_hashes)
    return _seals(levels, key.sign(batch_digest(domain, levels[-1][0])))


def seals_under(signature: bytes, struct_hashes: Sequence[bytes]) -> list[Seal]:
    """The seals that a batch's signature gave to its messages, in order: what is kept is the signature alone."""
    return _seals(_levels(struct_hashes), signature)


def _leaf(struct_hash: bytes) -> bytes:
    """`core.merkle.leaf` where nothing is summed: the trees of seals carry no amounts."""
    return keccak(b"\x00" + struct_hash + _NO_SUM)


def _join(left: bytes, right: bytes) -> bytes:
    return keccak(b"\x01" + left + _NO_SUM + right + _NO_SUM)


_known_join: Callable[[bytes, bytes], bytes] = lru_cache(maxsize=_KNOWN_NODES)(_join)  # a batch's paths meet


def _levels(struct_hashes: Sequence[bytes]) -> list[list[bytes]]:
    """The tree's hashes, the leaves first, the root last."""
    if not struct_hashes:
        raise ValueError("a seal covers at least one message")
    level = [_leaf(struct_hash) for struct_hash in struct_hashes]
    levels = [level]
    while len(level) > 1:
        lone = level[-1:] if len(level) % 2 else []
        level = [_join(level[at - 1], level[at]) for at in range(1, len(level), 2)] + lone
        levels.append(level)
    return levels


def _seals(levels: list[list[bytes]], signature: bytes) -> list[Seal]:
    hashes = list(chain.from_iterable(levels))
    return [Seal(signature, way.sides, way.count, way.path(hashes)) for way in _ways(len(levels[0]))]


@dataclass(frozen=True, slots=True)
class Way:
    """How a message gets from its place to the root of a tree of a certain size."""

    sides: int  # of the siblings, the lowest level in the lowest bit; levels that promote have none
    count: int
    path: Callable[[list[bytes]], tuple[bytes, ...]]  # picks the siblings out of all the tree's hashes


@lru_cache(maxsize=SEAL_MESSAGES_MAX)
def _ways(count: int) -> tuple[Way, ...]:
    """The ways of all messages of a tree, in order."""
    return tuple(_way(index, count) for index in range(count))


def _way(index: int, count: int) -> Way:
    siblings, sides, first = list[int](), 0, 0
    while count > 1:
        if (sibling := index ^ 1) < count:
            sides |= (index % 2) << len(siblings)
            siblings.append(first + sibling)
        first += count
        index, count = index >> 1, (count + 1) >> 1
    return Way(sides, 1 << len(siblings), _picking(siblings))


def _picking(places: Sequence[int]) -> Callable[[list[bytes]], tuple[bytes, ...]]:
    """`itemgetter`, which gives a tuple only of two and more."""
    return itemgetter(*places) if len(places) > 1 else lambda hashes: tuple(hashes[place] for place in places)


def sealed_by(domain: Domain, struct_hash: bytes, seal: Seal) -> Address:
    """Who sealed the message. Raises InvalidSignature."""
    if not 0 < seal.count <= SEAL_MESSAGES_MAX or seal.count != 1 << len(seal.path):
        raise InvalidSignature(f"a seal's count is 2 to the power of its path's length, at most {SEAL_MESSAGES_MAX}")
    if not 0 <= seal.index < seal.count:
        raise InvalidSignature("the seal's path is malformed: the index lies outside the tree")
    if list(map(len, seal.path)) != [HASH_BYTES] * len(seal.path):
        raise InvalidSignature("the seal's path is malformed: a sibling is no hash")
    node, sides = _leaf(struct_hash), seal.index
    for sibling in seal.path:
        node = _known_join(sibling, node) if sides & 1 else _known_join(node, sibling)
        sides >>= 1
    return _signer(domain.separator, node, seal.signature)


@lru_cache(maxsize=_KNOWN_BATCHES)
def _signer(separator: bytes, root: bytes, signature: bytes) -> Address:
    """Recovered once a batch, not once a message."""
    return recover(_digest_of(separator, root), signature)


def batch_digest(domain: Domain, root: bytes) -> bytes:
    """What a seal's signature signs."""
    return _digest_of(domain.separator, root)


def _digest_of(separator: bytes, root: bytes) -> bytes:
    """With `Batch`'s struct hash: of one word no more than its type's hash and the word, without packing a message."""
    return digest_under(separator, keccak(_BATCH_TYPE + root))
