"""Makes certificates: gathers from the chain and any archive what judging made of one receipt. Asks no gateway."""

from collections.abc import Iterator, Sequence

from dgrid.chain.view import ChainView, PostedQuality
from dgrid.core.errors import CheckFailed, DGridError, NotYet, ReceiptNotFound
from dgrid.core.identity import Address, to_hex
from dgrid.poq.draw import Duty, committee, drawn_for, duties
from dgrid.poq.evidence import DrawnEpoch, LeafFacts
from dgrid.poq.rules import DrawRules
from dgrid.settlement.certificate import Certificate, DrawInputs, Member, OpenedReport, ProvenRow, path_of
from dgrid.settlement.evidence import NotEvidence, leaf_facts
from dgrid.settlement.quality import DrawnRecords, QualityReader
from dgrid.settlement.records import EpochRecords, Records
from dgrid.settlement.rounds import draw_rules, posted_over
from dgrid.wire.messages import InferenceReceipt
from dgrid.wire.quality import (
    LeafKey,
    QualityTable,
    Reports,
    credibility_item,
    report_item,
    tree_of_items,
)

NOT_A_DUTY = "the evaluator had its full number of duties in this round"
NOT_OPENED = "the evaluator opened no reports in this round"


class NotDrawn(DGridError):
    """The receipt was not drawn: nobody was to judge it, so there is nothing to certify."""

    status = 404
    code = "not_drawn"
    exit_code = 5


async def certify(reader: QualityReader, records: Records, *, request_id: bytes) -> Certificate:
    """The certificate of a receipt. Raises ReceiptNotFound, NotDrawn, NotYet (no seed, no root), CheckFailed,
    NetworkUnreachable.
    """
    epoch, receipt = await _find(records, request_id)
    drawn = await _drawn(reader, epoch)
    key = LeafKey(receipt.parties.gateway, *receipt.place.position)
    document = drawn.documents.get(key)
    if document is None:
        raise CheckFailed("the receipt is not valid, so nobody judges it", hint="`dgrid audit` says what is wrong")
    leaf, facts = leaf_facts(key, document), drawn.facts
    rules = draw_rules(reader.view.parameters.at(facts.round))
    _require_drawn(leaf, facts, rules)
    posted = _root_over(reader.view, facts.round)
    together = [one.facts for one in await reader.drawn(posted.root.round) if one.draw.round == facts.round]
    owed = duties(together, rules)
    panel = [Address(one.address) for one in committee(leaf, facts, size=rules.committee_size)]
    return Certificate(
        reader.court.verifying_contract,
        document,
        epoch.proof(receipt),
        DrawInputs(facts.seed, facts.round, facts.expired, rules, facts.evaluators),
        tuple([await _member(reader, one, leaf=leaf, owed=owed) for one in panel]),
        posted.root,
        tuple(_rows(await reader.table(posted.root.round), leaf)),
    )


async def _find(records: Records, request_id: bytes) -> tuple[EpochRecords, InferenceReceipt]:
    for anchor in records.anchors():
        found = await records.epoch(anchor)
        if (receipt := found.find(request_id)) is not None:
            return found, receipt
    raise ReceiptNotFound(
        f"no anchored epoch holds the receipt {to_hex(request_id)}", hint="its epoch may still be open: --wait"
    )


async def _drawn(reader: QualityReader, epoch: EpochRecords) -> DrawnRecords:
    root = epoch.anchor.root
    draw = reader.view.draws.get((Address(root.gateway), root.epoch))
    if draw is None:
        raise NotYet(f"the seed of epoch {root.epoch} is not fixed yet", hint="it comes some blocks after the root")
    return await reader.records_of(draw)


def _require_drawn(leaf: LeafFacts, facts: DrawnEpoch, rules: DrawRules) -> None:
    if any(drawn_for(leaf, facts, rules=rules)):
        return
    why = "the seed did not choose it" if leaf.is_open else "its caller showed it to nobody, or no node worked for it"
    hint = "`dgrid receipts --judged` shows which were; this one's label and place stand all the same"
    raise NotDrawn(f"the receipt was not drawn: {why}", hint=hint)


def _root_over(view: ChainView, judged_round: int) -> PostedQuality:
    """The first root that takes a round in."""
    found = posted_over(view, judged_round)
    if found is None:
        raise NotYet(f"no quality root takes in round {judged_round} yet", hint="it comes within two epochs")
    return found


async def _member(reader: QualityReader, evaluator: Address, *, leaf: LeafFacts, owed: Sequence[Duty]) -> Member:
    judged_round = reader.view.draws[Address(leaf.key.gateway), leaf.key.epoch].round
    if not any(duty.evaluator == evaluator and duty.leaf.key == leaf.key for duty in owed):
        return Member(evaluator, None, NOT_A_DUTY)
    if (judged_round, evaluator) not in reader.view.openings:
        return Member(evaluator, None, NOT_OPENED)
    try:
        reports = await reader.reports(judged_round, evaluator)
    except NotEvidence as error:
        return Member(evaluator, None, f"what the evaluator opened counts for nothing: {error.message}")
    return _with_report(reader.view, reports, leaf)


def _with_report(view: ChainView, reports: Reports, leaf: LeafFacts) -> Member:
    at = next((index for index, report in enumerate(reports.reports) if report.key == leaf.key), None)
    if at is None:
        return Member(reports.author, None, "the evaluator opened reports, and none on this receipt")
    key = reports.round, Address(reports.author)
    opening, tree = view.openings[key], tree_of_items([report_item(report) for report in reports.reports])
    opened = OpenedReport(
        reports.reports[at],
        path_of(tree, at),
        opening.reports_root,
        opening.blob_id,
        view.commitments[key],
        reports.signature,
    )
    return Member(reports.author, opened)


def _rows(table: QualityTable, leaf: LeafFacts) -> Iterator[ProvenRow]:
    """What is believed of the node with this model, of all tasks and of each."""
    tree = tree_of_items([credibility_item(row) for row in table.credibility]) if table.credibility else None
    for index, row in enumerate(table.credibility):
        if tree is not None and (row.node, row.model) == (leaf.node, leaf.model_id):
            yield ProvenRow(row, path_of(tree, index))
