"""What binds an evaluator that asks a node for samples: for each quality root it has one secret, fixed beforehand.

The requests follow from a seed and that secret. The secret's hash is the salt of the evaluator's commitment to its
reports of the root's round, given before the root came; the seed is of the root and of the block that took it, which
did not exist yet. The root alone would not do: whoever foresees the others' reports foresees it, and an author can
still choose between roots by the canaries that it opens. So an evaluator cannot choose its requests, unless it makes
that block itself; and since its opening shows only the secret's hash, the node cannot foresee them.

Who did not commit in a round, or did not open, has no samples to show on its root. Refuses what rests on an old root.
"""

from itertools import takewhile

from dgrid.chain.court import commitment_of
from dgrid.chain.view import ChainView, PostedQuality
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak

SEED_MS_MAX = 60 * 60_000  # from a root to the case that rests on it


def seed_of(posted: PostedQuality) -> bytes:
    """What all requests on a root follow from, with the secret of who asks."""
    return keccak(posted.digest + posted.block_hash)


def salt_of(secret: bytes) -> bytes:
    """The salt of a commitment, which its opening shows to everybody."""
    return keccak(secret)


def is_bound(view: ChainView, evaluator: Address, *, seeds: tuple[bytes, bytes], at_ms: int) -> bool:
    """Whether an evaluator could choose neither (seed, secret) of the samples that it shows at a moment.

    A root that was overturned since gives a seed all the same: who asked in good faith loses nothing by its signers.
    """
    (seed, secret), since_ms = seeds, at_ms - SEED_MS_MAX
    standing = takewhile(lambda posted: posted.timestamp_ms >= since_ms, view.newest_quality())
    overturned = (posted for posted in view.overturned.values() if posted.timestamp_ms >= since_ms)
    rounds = [posted.root.round for posted in (*standing, *overturned) if seed_of(posted) == seed]
    return any(_has_fixed(view, evaluator, number, secret=secret) for number in rounds)


def _has_fixed(view: ChainView, evaluator: Address, number: int, *, secret: bytes) -> bool:
    """Whether the evaluator's opened commitment of a round was made with this secret."""
    opening, word = view.openings.get((number, evaluator)), view.commitments.get((number, evaluator))
    if opening is None:
        return False
    return word == commitment_of(evaluator, number, reports_root=opening.reports_root, salt=salt_of(secret))
