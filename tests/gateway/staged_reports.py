"""Evaluators on paper, for a gateway's stage: what is drawn for them, and what they sign and open."""

from tests.gateway.stage import GATEWAY_KEY, Answered, Stage, until
from tests.gateway.staged_court import COURT

from dgrid.chain.judging import Opening
from dgrid.chain.view import DrawnEvaluator
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak
from dgrid.store.ledger_rows import EpochState
from dgrid.wire.blob import blob_id
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import EvaluatorReports
from dgrid.wire.quality import LeafKey, Report, Reports, encode_quality, reports_root
from dgrid.wire.signatures import SigningKey

KEYS = [SigningKey(keccak(bytes([at]))) for at in (1, 2, 3)]


def drawable() -> tuple[DrawnEvaluator, ...]:
    models = (keccak(b"weights"),)
    return tuple(DrawnEvaluator(Address(key.address), 10**21, bytes(32), models) for key in KEYS)


async def drawn(stage: Stage, answer: Answered) -> tuple[LeafKey, ReceiptDocument, int]:
    """Ends the running epoch; a receipt of it and its place, and the round for which the epoch was drawn."""
    epoch = stage.clock.epoch_at(stage.now_ms())
    stage.now_ms.ahead_ms += stage.clock.length_s * 1000 + 1000
    await until(lambda: (row := stage.service.reader.epoch(epoch)) is not None and row.state is EpochState.ANCHORED)
    draws = stage.court.view.draws
    await until(lambda: (Address(GATEWAY_KEY.address), epoch) in draws)
    document = ReceiptDocument.decode((await stage.get(f"/v1/receipts/{answer.receipt_id}")).body)
    key = LeafKey(GATEWAY_KEY.address, *document.receipt.place.position)
    return key, document, draws[Address(GATEWAY_KEY.address), epoch].round


def signed(key: SigningKey, judged_round: int, *reports: Report) -> Reports:
    digest = COURT.digest(EvaluatorReports(key.address, judged_round, reports_root(reports)).struct_hash())
    return Reports(COURT.chain_id, COURT.verifying_contract, key.address, judged_round, reports, key.sign(digest))


def opened(stage: Stage, by: SigningKey, reports: Reports) -> None:
    """The evaluator opened this on chain, and an archive has it."""
    blob = encode_quality(reports)
    stage.archives.blobs[blob_id(blob)] = blob
    opening = Opening(reports_root(reports.reports), blob_id(blob))
    stage.court.view.openings[reports.round, Address(by.address)] = opening
