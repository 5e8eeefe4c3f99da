"""What cases are about, from chain and archives: which charges follow from the tables, and whom a conviction refunds.

Whoever computes it gets the same: nothing rests on who asks, or when. Refuses to run a model: whether a reply is of
the claimed one is measured elsewhere and decided by `poq.identity`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from dgrid.chain.case_events import REFUNDS_MAX, Outcome, Refund, Subject
from dgrid.chain.case_view import Case, Charge
from dgrid.chain.view import ChainView, PostedQuality
from dgrid.core.identity import ZERO_ADDRESS, Address
from dgrid.core.keccak import keccak
from dgrid.poq.evidence import LeafFacts
from dgrid.poq.identity import is_doubted, threshold_of
from dgrid.poq.panels import panels
from dgrid.poq.rules import IdentityRules
from dgrid.settlement.quality import QualityReader
from dgrid.settlement.rounds import draws_of, posted_over, rules_of
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.quality import LeafKey, SuspicionRow

TABLES_SEARCHED = 4  # back from a root, for receipts by which a node was judged
ROOTS_READ_AGAIN = 64  # back from a root, for leaves of gateways that were acquitted: longer than a case takes


@dataclass(frozen=True, slots=True)
class Flag:
    """A node of which a table doubts, or says, that it runs another model, and who paid for what was judged of it."""

    node: Address
    model: str
    digest: bytes
    paid_wei: Mapping[Address, int]  # by payer

    @property
    def charge(self) -> Charge:
        return Subject.IDENTITY, self.node, self.digest


@dataclass(frozen=True, slots=True)
class Hidden:
    """A drawn leaf that was shown to none of those who had to judge it."""

    leaf: LeafFacts
    evidence: bytes  # the blob with the epoch's records
    posted_ms: int  # since when a root stands over its round

    @property
    def charge(self) -> Charge:
        return Subject.UNDISCLOSED, Address(self.leaf.key.gateway), leaf_matter(self.leaf.key)

    def refunds(self, *, most_wei: int) -> tuple[Refund, ...]:
        """What its payer gets back."""
        return refunds_of({Address(self.leaf.payer): self.leaf.fee_wei}, most_wei=most_wei)

    def fits(self, case: Case, *, most_wei: int) -> bool:
        """Whether a case about it shows what members judge by, and gives its payer what is due, no more and no less."""
        named = case.charge, case.evidence, case.refunds
        return named == (self.charge, self.evidence, self.refunds(most_wei=most_wei))

    def is_answered(self, case: Case, *, most_wei: int) -> bool:
        """Whether a case about it leaves nothing to accuse of: it is open, it convicted, or it was heard in earnest.

        In earnest means that jurors could convict. While no root stands, or where a case names other evidence or other
        refunds, they cannot: else a friend of the gateway could bring such a case, and one bond would clear the gateway
        for ever.
        """
        in_earnest = case.is_acquittal and case.opened_ms >= self.posted_ms and self.fits(case, most_wei=most_wei)
        return in_earnest or case.outcome in (Outcome.OPEN, Outcome.CONVICTED)


def leaf_matter(key: LeafKey) -> bytes:
    """How a case names a leaf: keccak(abi.encode(gateway, epoch, lane, sequence))."""
    numbers = (number.to_bytes(32, "big") for number in (key.epoch, key.lane, key.sequence))
    return keccak(key.gateway.rjust(32, b"\0") + b"".join(numbers))


def root_matter(judged_round: int) -> bytes:
    """How a case names a quality root: its round as a word."""
    return judged_round.to_bytes(32, "big")


def root_charge(judged_round: int) -> Charge:
    """A root has no accused: who signed it is found after the verdict."""
    return Subject.QUALITY_ROOT, Address(ZERO_ADDRESS), root_matter(judged_round)


def disputed_root(view: ChainView, case: Case) -> PostedQuality | None:
    """The posted root that a case is about; None where it is about something else, or overturned."""
    is_root = case.subject is Subject.QUALITY_ROOT
    return view.quality_roots.get(int.from_bytes(case.matter, "big")) if is_root else None


def refunds_of(paid_wei: Mapping[Address, int], *, most_wei: int) -> tuple[Refund, ...]:
    """What payers get back: what they paid, up to a bound each; the sixteen who paid most, the most first."""
    amounts = ((min(wei, most_wei), payer) for payer, wei in paid_wei.items())
    ranked = sorted((-wei, payer) for wei, payer in amounts if wei > 0)
    return tuple(Refund(payer, -wei) for wei, payer in ranked[:REFUNDS_MAX])


def exceeds(asked: Iterable[Refund], due: Iterable[Refund]) -> bool:
    """Whether refunds give anybody more than is due. An amount named twice counts twice."""
    left = {one.payer: one.amount_wei for one in due}
    for one in asked:
        left[one.payer] = left.get(one.payer, 0) - one.amount_wei
    return any(wei < 0 for wei in left.values())


def was_convicted(view: ChainView, charge: Charge, *, before_ms: int | None) -> bool:
    """Whether an earlier case has settled the charge: its payers were refunded then."""
    return any(
        case.charge == charge
        and (before_ms is None or case.opened_ms < before_ms)
        and case.outcome is Outcome.CONVICTED
        for case in view.cases.values()
    )


def due_refunds(
    view: ChainView, charge: Charge, *, paid_wei: Mapping[Address, int], most_wei: int, before_ms: int | None = None
) -> tuple[Refund, ...]:
    """The refunds of a case that is opened at a moment, or now; none where an earlier one has paid them."""
    return () if was_convicted(view, charge, before_ms=before_ms) else refunds_of(paid_wei, most_wei=most_wei)


class ChargeReader:
    """Reads what the posted tables and the opened reports charge members with."""

    def __init__(self, quality: QualityReader) -> None:
        self._quality = quality

    @property
    def view(self) -> ChainView:
        return self._quality.view

    async def flags(self, posted: PostedQuality) -> list[Flag]:
        """The nodes that a posted table doubts. Raises CheckFailed, NotYet, NetworkUnreachable."""
        table, rules = await self._quality.table(posted.root.round), IdentityRules()
        found = []
        for row in table.suspicions:
            documents = await self._judged(row, posted)
            if documents and is_doubted(row, threshold_of(documents[0].dispatch.model_digest, rules), rules=rules):
                one = documents[0]
                names = Address(row.node), one.model, one.dispatch.model_digest
                found.append(Flag(*names, paid_by(documents)))
        return found

    async def _judged(self, row: SuspicionRow, posted: PostedQuality) -> list[ReceiptDocument]:
        """The receipts by which a node was judged in the table's round, or in the last before in which it was."""
        for one in tables_up_to(self.view, posted):
            table = await self._quality.table(one.root.round)
            keys = {change.key for change in table.changes if (change.node, change.model) == (row.node, row.model)}
            if documents := await self._documents(keys):
                return documents
        return []

    async def _documents(self, keys: Iterable[LeafKey]) -> list[ReceiptDocument]:
        """The receipts at the places that were drawn, in their order."""
        found: list[ReceiptDocument] = []
        places = defaultdict(list)
        for key in sorted(keys):
            places[Address(key.gateway), key.epoch].append(key)
        for place, of_place in places.items():
            draw = self.view.draws.get(place)
            documents = {} if draw is None else (await self._quality.records_of(draw)).documents
            found += [documents[key] for key in of_place if key in documents]
        return found

    async def hidden(self, posted: PostedQuality) -> list[Hidden]:
        """The leaves of a posted round that most of their members report as not shown. Raises as `collect`."""
        number = posted.root.round
        evidence = (await self._quality.collect(number)).evidence
        leaves = [panel.leaf for panel in panels(evidence, rules_of(self.view, number)) if panel.is_undisclosed]
        blobs = [self.view.roots[Address(leaf.key.gateway), leaf.key.epoch].root.blob_id for leaf in leaves]
        return [Hidden(leaf, blob, posted.timestamp_ms) for leaf, blob in zip(leaves, blobs, strict=True)]


def roots_over(view: ChainView, case: Case) -> list[PostedQuality]:
    """The roots that take in the epochs whose records a case about a leaf names; none while none stands.

    There may be several epochs: a gateway can anchor one blob under more than one, though it leads to leaves of one at
    most.
    """
    named = case.accused, case.evidence
    places = [place for place, anchor in view.roots.items() if (place[0], anchor.root.blob_id) == named]
    rounds = {view.draws[place].round for place in places if place in view.draws}
    over = {found.root.round for one in rounds if (found := posted_over(view, one)) is not None}
    return [view.quality_roots[number] for number in sorted(over)[-ROOTS_READ_AGAIN:]]


def roots_to_read(view: ChainView, posted: PostedQuality) -> list[PostedQuality]:
    """A posted root, and of those before it the ones over gateways that a case about hiding acquitted since."""
    before = islice(_downwards(view, posted.root.round - 1), ROOTS_READ_AGAIN)
    return [posted, *(one for one in before if _drawn_in(view, one) & _acquitted_of_hiding(view, since=one))]


def _drawn_in(view: ChainView, posted: PostedQuality) -> set[Address]:
    return {draw.gateway for draw in draws_of(view, posted.root.round)}


def _acquitted_of_hiding(view: ChainView, *, since: PostedQuality) -> set[Address]:
    cases = [one for one in view.cases.values() if one.subject is Subject.UNDISCLOSED and one.is_acquittal]
    return {one.accused for one in cases if one.ending and one.ending.timestamp_ms >= since.timestamp_ms}


def tables_up_to(view: ChainView, posted: PostedQuality) -> list[PostedQuality]:
    """A posted root and a few before it, the newest first."""
    return list(islice(_downwards(view, posted.root.round), TABLES_SEARCHED))


def _downwards(view: ChainView, judged_round: int) -> Iterator[PostedQuality]:
    """The posted roots of a round and those before it, the newest first."""
    return (posted for posted in view.newest_quality() if posted.root.round <= judged_round)


def paid_by(documents: Iterable[ReceiptDocument]) -> dict[Address, int]:
    """The fees of receipts, by payer."""
    paid: dict[Address, int] = defaultdict(int)
    for document in documents:
        paid[Address(document.receipt.parties.payer)] += document.receipt.shares.fee
    return dict(paid)


def paid_by_flag(flags: Iterable[Flag], charge: Charge) -> Mapping[Address, int]:
    """What was paid for the replies that flagged the accused; nothing where it is not flagged."""
    return next((flag.paid_wei for flag in flags if flag.charge == charge), {})


def cases_about(view: ChainView, charge: Charge) -> list[Case]:
    """The cases about a charge, in the order of their opening."""
    return [case for case in view.cases.values() if case.charge == charge]


def case_about(view: ChainView, charge: Charge) -> Case | None:
    """The latest of them."""
    found = cases_about(view, charge)
    return found[-1] if found else None
