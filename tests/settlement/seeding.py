"""A root on which an evaluator can ask: its commitment, its opening, and the epoch that was anchored after it."""

from dataclasses import replace

from tests.wire.making import GATEWAY, TOKEN

from dgrid.chain.court import commitment_of
from dgrid.chain.view import Anchor, ChainView, Draw, Opening, PostedQuality
from dgrid.core.identity import Address, Hash
from dgrid.core.keccak import keccak
from dgrid.settlement.binding import asked_on, salt_of
from dgrid.wire.messages import EpochRoot, QualityRoot

EVALUATOR = Address(b"o" * 20)
SECRET = keccak(b"secret")
ROUND = 28


def posted(judged_round: int, *, block: int, at_ms: int) -> PostedQuality:
    root = QualityRoot(judged_round, TOKEN, bytes(32), bytes(32), 0, 0, bytes(32), keccak(b"table"), bytes(32))
    return PostedQuality(root, Hash(root.struct_hash()), block, at_ms)


def anchored(epoch: int, *, block: int, at_ms: int) -> Anchor:
    root = EpochRoot(GATEWAY.address, epoch, TOKEN, bytes(32), 0, bytes(32), 0, bytes(32))
    return Anchor(root, Hash(root.struct_hash()), block, at_ms)


def drawn(anchor: Anchor, *, expired: bool = False) -> Draw:
    root, seed = anchor.root, keccak(b"seed" + anchor.digest)
    names = Address(root.gateway), root.epoch, root.epoch + 1, seed, expired
    return Draw(*names, anchor.block + 4, anchor.timestamp_ms, ())


def committed(view: ChainView, *, evaluator: Address, judged_round: int, secret: bytes) -> ChainView:
    """The view after an evaluator committed with the secret's hash, and opened."""
    place, reports = (judged_round, evaluator), keccak(b"reports")
    word = commitment_of(evaluator, judged_round, reports_root=reports, salt=salt_of(secret))
    openings = {**view.openings, place: Opening(reports, keccak(b"blob"))}
    return replace(view, commitments={**view.commitments, place: word}, openings=openings)


def seeded(view: ChainView, *, at_ms: int, evaluator: Address = EVALUATOR) -> tuple[ChainView, bytes]:
    """A view in which the evaluator can ask on the last root at a moment, and the seed."""
    root = posted(ROUND, block=100, at_ms=at_ms - 30_000)
    anchor = anchored(ROUND + 1, block=110, at_ms=at_ms - 20_000)
    place = GATEWAY.address, ROUND + 1
    view = committed(view, evaluator=evaluator, judged_round=ROUND, secret=SECRET)
    view = replace(view, quality_roots={ROUND: root}, roots={place: anchor}, draws={place: drawn(anchor)})
    ((_, seed),) = asked_on(view, at_ms=at_ms)
    return view, seed
