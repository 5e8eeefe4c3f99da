"""A root on which an evaluator can ask: its commitment, its opening, and the seed."""

from dataclasses import replace

from tests.wire.making import TOKEN

from dgrid.chain.by_epoch import ByEpoch
from dgrid.chain.court import commitment_of
from dgrid.chain.view import ChainView, Opening, PostedQuality
from dgrid.core.identity import Address, Hash
from dgrid.core.keccak import keccak
from dgrid.settlement.binding import salt_of, seed_of
from dgrid.wire.messages import QualityRoot

EVALUATOR = Address(b"o" * 20)
SECRET = keccak(b"secret")
ROUND = 28


def posted(judged_round: int, *, at_ms: int, block_hash: bytes = keccak(b"block")) -> PostedQuality:
    """A root that a block took at a moment."""
    root = QualityRoot(judged_round, TOKEN, bytes(32), bytes(32), 0, 0, bytes(32), keccak(b"table"), bytes(32))
    return PostedQuality(root, Hash(root.struct_hash()), 100, at_ms, block_hash=block_hash)


def committed(view: ChainView, *, evaluator: Address, judged_round: int, secret: bytes) -> ChainView:
    """The view after an evaluator committed with the secret's hash, and opened."""
    place, reports = (judged_round, evaluator), keccak(b"reports")
    word = commitment_of(evaluator, judged_round, reports_root=reports, salt=salt_of(secret))
    openings = {**view.openings, place: Opening(reports, keccak(b"blob"))}
    return replace(view, commitments=ByEpoch({**view.commitments, place: word}), openings=ByEpoch(openings))


def seeded(view: ChainView, *, at_ms: int, evaluator: Address = EVALUATOR) -> tuple[ChainView, bytes]:
    """A view in which the evaluator can ask on the last root, posted at a moment, and the seed."""
    root = posted(ROUND, at_ms=at_ms)
    view = committed(view, evaluator=evaluator, judged_round=ROUND, secret=SECRET)
    return replace(view, quality_roots=ByEpoch({**view.quality_roots, ROUND: root})), seed_of(root)
