"""Checks a certificate offline: that its receipt was drawn, that those who were drawn reported, that a root took it in.

Everything is computed again from what the document itself holds. What the document says of a chain it cannot prove;
`facts_on_chain` lists that, one line each; `compare_with_chain` looks it up.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dgrid.chain.view import ChainView, Opening
from dgrid.core.errors import DGridError
from dgrid.core.identity import Address, to_hex
from dgrid.core.merkle import TreeNode, join, lane_item, leaf, root_of_path
from dgrid.poq.draw import committee, drawn_for
from dgrid.poq.evidence import DrawnEpoch, EvaluatorFacts, LeafFacts
from dgrid.settlement.certificate import Certificate, Member, OpenedReport
from dgrid.settlement.evidence import leaf_facts
from dgrid.settlement.plain import LEFT, Steps
from dgrid.settlement.rounds import draw_rules
from dgrid.wire.blob import LANES_MAX
from dgrid.wire.messages import EvaluatorReports
from dgrid.wire.quality import LeafKey, credibility_item, report_item
from dgrid.wire.signatures import recover
from dgrid.wire.verification import Check, verify_receipt


@dataclass(frozen=True, slots=True)
class ChainFact:
    """Something that a certificate says of a chain, and where to look there."""

    where: str
    value: str


def verify_certificate(certificate: Certificate) -> list[Check]:
    """All checks; the certificate holds together when every one is ok."""
    receipt = [Check(f"receipt: {one.name}", one.ok, one.reason) for one in verify_receipt(certificate.document)]
    return receipt + [_run(name, check, certificate) for name, check in _CHECKS.items()]


def facts_on_chain(certificate: Certificate) -> list[ChainFact]:
    """What must be compared with a chain before the certificate is final."""
    return list(_facts(certificate))


def _facts(certificate: Certificate) -> Iterator[ChainFact]:
    root, draw, quality = certificate.epoch_root, certificate.draw, certificate.root
    place = f"{to_hex(root.gateway)}, {root.epoch}"
    yield ChainFact(f"Settlement.digestOf({place})", to_hex(root.struct_hash()))
    seed = f"{to_hex(draw.seed)}, {draw.round}, {str(draw.expired).lower()}"
    yield ChainFact(f"QualityCourt.drawOf({place})", seed)
    shares = draw.rules.quality_bps, draw.rules.identity_bps, draw.rules.committee_size, draw.rules.duty_cap
    yield ChainFact(
        f"Parameters.at(…, {draw.round}): qualityBps, identityBps, committeeSize, dutyCap", ", ".join(map(str, shares))
    )
    ready = ", ".join(to_hex(one.address) for one in draw.evaluators)
    yield ChainFact(f"evaluators active at SeedFixed({place}), with stake and declared models", ready or "none")
    for member in certificate.members:
        if member.opened is not None:
            where = f"round {draw.round}, evaluator {to_hex(member.evaluator)}"
            yield ChainFact(f"Committed, {where}", to_hex(member.opened.commitment))
            yield ChainFact(f"Revealed, {where}", to_hex(member.opened.reports_root))
    yield ChainFact(f"QualityPosted, round {quality.round}", to_hex(quality.struct_hash()))


def compare_with_chain(certificate: Certificate, view: ChainView) -> list[Check]:
    """Whether a chain says what the certificate says of it."""
    root, draw, quality = certificate.epoch_root, certificate.draw, certificate.root
    place = Address(root.gateway), root.epoch
    anchor, drawn = view.roots.get(place), view.draws.get(place)
    posted = view.quality_roots.get(quality.round)
    ready = (
        None
        if drawn is None
        else tuple(EvaluatorFacts(one.address, one.stake_wei, frozenset(one.models)) for one in drawn.evaluators)
    )
    seed = None if drawn is None else (drawn.seed, drawn.round, drawn.expired)
    found = {
        "anchored root": None if anchor is None else anchor.digest == root.struct_hash(),
        "seed": None if seed is None else seed == (draw.seed, draw.round, draw.expired),
        "evaluators": None if ready is None else ready == draw.evaluators,
        "rules": draw_rules(view.parameters.at(draw.round)) == draw.rules,
        "words given and kept": all(_kept(certificate, member, view) for member in certificate.members),
        "quality root": None if posted is None else posted.digest == quality.struct_hash(),
    }
    told = {True: "ok", False: "the chain says something else", None: "the chain knows of none"}
    return [Check(f"chain: {name}", ok is True, told[ok]) for name, ok in found.items()]


def _kept(certificate: Certificate, member: Member, view: ChainView) -> bool:
    """Whether a member's commitment and opening are on chain."""
    if (opened := member.opened) is None:
        return True
    place = certificate.draw.round, Address(member.evaluator)
    opening = Opening(opened.reports_root, opened.blob_id)
    return view.commitments.get(place) == opened.commitment and view.openings.get(place) == opening


# --- the checks -------------------------------------------------------------------------------------------------------


def _run(name: str, check: Callable[[Certificate], Iterator[str]], certificate: Certificate) -> Check:
    try:
        faults = list(check(certificate))
    except (DGridError, ValueError, OverflowError) as error:
        faults = [str(error)]
    return Check(name, not faults, "; ".join(faults) or "ok")


def _leaf_of(certificate: Certificate) -> LeafFacts:
    receipt = certificate.document.receipt
    return leaf_facts(LeafKey(receipt.parties.gateway, *receipt.place.position), certificate.document)


def _drawn_epoch(certificate: Certificate) -> DrawnEpoch:
    draw, root = certificate.draw, certificate.epoch_root
    return DrawnEpoch(
        gateway=root.gateway,
        epoch=root.epoch,
        round=draw.round,
        seed=draw.seed,
        expired=draw.expired,
        evaluators=draw.evaluators,
        leaves=(),
    )


def _inclusion(certificate: Certificate) -> Iterator[str]:
    root, receipt = certificate.proof.opened()
    if (receipt.parties.gateway, receipt.place.epoch) != (root.gateway, root.epoch):
        yield "the receipt is of another gateway or epoch than the root"
    if receipt.place.lane >= root.lane_count or root.lane_count > LANES_MAX:
        yield "the root has no such lane"
        return
    lane = certificate.proof.lane_root()
    start = leaf(lane_item(receipt.place.lane, certificate.proof.count, lane), lane.total)
    path = tuple(TreeNode(name, total) for name, total in certificate.proof.lane_path)
    top = root_of_path(start, index=receipt.place.lane, count=root.lane_count, path=path)
    if top != (root.records_root, root.pot):
        yield "the path does not lead to the epoch's root and pot"


def _drawn(certificate: Certificate) -> Iterator[str]:
    draw, leaf_, rules = _drawn_epoch(certificate), _leaf_of(certificate), certificate.draw.rules
    if not any(drawn_for(leaf_, draw, rules=rules)):
        yield "the seed did not draw this receipt"
    addresses = [one.address for one in draw.evaluators]
    if addresses != sorted(set(addresses)):
        yield "the evaluators do not stand in ascending order, each once"


def _committee(certificate: Certificate) -> Iterator[str]:
    size = certificate.draw.rules.committee_size
    wanted = [one.address for one in committee(_leaf_of(certificate), _drawn_epoch(certificate), size=size)]
    shown = [member.evaluator for member in certificate.members]
    if shown != wanted:
        yield f"the committee is {_names(wanted)}, not {_names(shown)}"
    for member in certificate.members:
        if (member.opened is None) != bool(member.absence):
            yield f"{to_hex(member.evaluator)} has a report and an excuse, or neither"


def _reports(certificate: Certificate) -> Iterator[str]:
    for member in certificate.members:
        if member.opened is not None:
            for fault in _report_faults(certificate, member.evaluator, opened=member.opened):
                yield f"{to_hex(member.evaluator)}: {fault}"


def _report_faults(certificate: Certificate, evaluator: bytes, *, opened: OpenedReport) -> Iterator[str]:
    leaf_, report = _leaf_of(certificate), opened.report
    if (report.key, report.receipt) != (leaf_.key, leaf_.receipt):
        yield "its report is on another receipt"
    if climb(report_item(report), opened.path) != opened.reports_root:
        yield "its report is not under the root that it opened"
    said = EvaluatorReports(evaluator, certificate.draw.round, opened.reports_root)
    if recover(certificate.court.digest(said.struct_hash()), opened.signature) != evaluator:
        yield "its reports are not signed by it"


def _credibility(certificate: Certificate) -> Iterator[str]:
    parties, quality = certificate.document.receipt.parties, certificate.root
    if quality.round < certificate.draw.round:
        yield f"the quality root is of round {quality.round}, before the draw's {certificate.draw.round}"
    if quality.token != parties.token:
        yield "the quality root is about another token"
    for one in certificate.rows:
        if (one.row.node, one.row.model) != (parties.node, parties.model_id):
            yield "a credibility is of another node or model"
        if climb(credibility_item(one.row), one.path) != quality.credibility_root:
            yield f"the credibility {one.row.task or 'of all tasks'} is not under the quality root"


def climb(item: bytes, path: Steps) -> bytes:
    """The root that an item leads to in a tree that sums nothing."""
    node = leaf(item)
    for side, sibling in path:
        other = TreeNode(sibling, 0)
        node = join(other, node) if side == LEFT else join(node, other)
    return node.hash


def _names(addresses: list[bytes]) -> str:
    return ", ".join(map(to_hex, addresses)) or "nobody"


_CHECKS: dict[str, Callable[[Certificate], Iterator[str]]] = {
    "inclusion": _inclusion,
    "draw": _drawn,
    "committee": _committee,
    "reports": _reports,
    "credibility": _credibility,
}
