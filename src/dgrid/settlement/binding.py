"""What binds an evaluator that asks a node for samples: for each quality root it has one secret, fixed beforehand.

The requests follow from a seed and that secret. The secret's hash is the salt of the evaluator's commitment to its
reports of the root's round, given before the root came. The seed is that of the first epoch that any gateway anchored
after the root: of a block that did not exist yet. A root's own digest would not do: who foresees the others' reports
foresees it, and an author can still pick it by what canaries it opens. So whoever asks cannot choose its requests; and
as the opening shows but the secret's hash, the node cannot foresee them.

Who did not commit in a round, or did not open, has no samples to show on its root. Refuses seeds that nobody fixed in
time, for a gateway knows those beforehand, and what is long ago.
"""

from collections.abc import Iterator
from itertools import takewhile

from dgrid.chain.court import commitment_of
from dgrid.chain.view import Anchor, ChainView, PostedQuality
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak

SEED_MS_MAX = 60 * 60_000  # from the anchor that gives a seed to the case that rests on it


def asked_on(view: ChainView, *, at_ms: int) -> Iterator[tuple[PostedQuality, bytes]]:
    """The standing roots on which samples rest that are shown at a moment, and their seeds; the newest first."""
    for posted in reversed(view.quality_roots.values()):
        anchor = _first_after(view, posted)
        if anchor is None:
            continue
        if anchor.timestamp_ms < at_ms - SEED_MS_MAX:
            return
        draw = view.draws.get((Address(anchor.root.gateway), anchor.root.epoch))
        if draw is not None and not draw.expired:
            yield posted, keccak(posted.digest + draw.seed)


def _first_after(view: ChainView, posted: PostedQuality) -> Anchor | None:
    """The first, whether or not it was drawn from yet: else there would be a choice."""
    later = [*takewhile(lambda anchor: anchor.block > posted.block, reversed(view.roots.values()))]
    return later[-1] if later else None


def has_fixed(view: ChainView, evaluator: Address, *, round_: int, secret: bytes) -> bool:
    """Whether an evaluator's opened commitment of a round was made with this secret."""
    opening = view.openings.get((round_, evaluator))
    if opening is None:
        return False
    word = commitment_of(evaluator, round_, reports_root=opening.reports_root, salt=salt_of(secret))
    return view.commitments.get((round_, evaluator)) == word


def salt_of(secret: bytes) -> bytes:
    """The salt of a commitment, which its opening shows to everybody."""
    return keccak(secret)


def is_bound(view: ChainView, evaluator: Address, *, seeds: tuple[bytes, bytes], at_ms: int) -> bool:
    """Whether an evaluator could choose neither seed nor secret of what it shows at a moment."""
    found = [posted.root.round for posted, seed in asked_on(view, at_ms=at_ms) if seed == seeds[0]]
    return any(has_fixed(view, evaluator, round_=number, secret=seeds[1]) for number in found)
