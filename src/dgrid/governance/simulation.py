"""What a proposal would have meant: the last epochs' receipts, draws and rounds computed again under its values.

Pure, in integers: whoever simulates the same proposal over the same epochs gets the same sums. Fees and duties follow
exactly. Pay-outs of quality are computed from the reports that were given: what evaluators would have said of answers
that were not drawn, nobody knows. Refuses to guess how anybody would have acted otherwise.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dgrid.chain.parameters import Parameters
from dgrid.core.money import BPS
from dgrid.poq.draw import Duty
from dgrid.poq.evidence import DrawnEpoch
from dgrid.poq.panels import all_duties
from dgrid.poq.rules import QualityRules
from dgrid.wire.messages import Flag, InferenceReceipt
from dgrid.wire.quality import QualityTable

Party = tuple[str, bytes]  # as what, and who


@dataclass(frozen=True, slots=True)
class Comparison:
    """One party's sum, as it was and as it would have been. What payers pay counts as positive."""

    kind: str
    party: bytes
    was_wei: int
    would_wei: int


@dataclass(frozen=True, slots=True)
class DrawComparison:
    """The draws of all the epochs: leaves that somebody had to judge, duties, and the duties of each evaluator."""

    leaves: int
    drawn_was: int
    drawn_would: int
    duties_was: Mapping[bytes, int]
    duties_would: Mapping[bytes, int]


@dataclass(frozen=True, slots=True)
class Simulation:
    """What the last epochs would have been."""

    first_epoch: int
    last_epoch: int
    receipts: int
    fees: tuple[Comparison, ...]
    draws: DrawComparison
    payouts: tuple[Comparison, ...]  # of quality: what the rounds added for each payee
    inactive: tuple[tuple[str, bytes], ...]  # members whose own stake would no longer suffice: role, address


def fees_under(receipts: Iterable[InferenceReceipt], proposed: Parameters) -> tuple[Comparison, ...]:
    """Every party's part of all fees; a listing's is kept under its id."""
    was: Counter[Party] = Counter()
    would: Counter[Party] = Counter()
    for receipt in receipts:
        for party, amount_wei in _parts(receipt, _shares(receipt)):
            was[party] += amount_wei
        for party, amount_wei in _parts(receipt, _shares_under(receipt, proposed)):
            would[party] += amount_wei
    return outcomes(was, would)


def draws_under(draws: Sequence[DrawnEpoch], *, was: QualityRules, would: QualityRules) -> DrawComparison:
    """Who had to judge how much, and would have had to. `was` knows the rules of each round."""
    before, after = all_duties(draws, was), all_duties(draws, would)
    leaves = sum(leaf.is_open for draw in draws for leaf in draw.leaves)
    return DrawComparison(leaves, _drawn(before), _drawn(after), _by_evaluator(before), _by_evaluator(after))


def payouts_under(before: QualityTable | None, *, was: QualityTable, would: QualityTable) -> tuple[Comparison, ...]:
    """What the rounds between two tables added for each payee, as posted and as simulated."""
    start, posted, simulated = (_totals(table) for table in (before, was, would))
    return outcomes(_grown(start, posted), _grown(start, simulated))


def outcomes(was: Mapping[Party, int], would: Mapping[Party, int]) -> tuple[Comparison, ...]:
    """Two sums side by side, in order of kind and party."""
    return tuple(
        Comparison(kind, party, was.get((kind, party), 0), would.get((kind, party), 0))
        for kind, party in sorted(was.keys() | would.keys())
    )


@dataclass(frozen=True, slots=True)
class _Shares:
    node_wei: int
    listing_wei: int
    protocol_wei: int
    gateway_wei: int

    @property
    def fee_wei(self) -> int:
        return self.node_wei + self.listing_wei + self.protocol_wei + self.gateway_wei


def _shares(receipt: InferenceReceipt) -> _Shares:
    shares = receipt.shares
    return _Shares(shares.node, shares.listing, shares.protocol, shares.gateway)


def _shares_under(receipt: InferenceReceipt, proposed: Parameters) -> _Shares:
    """The protocol's cut and the gateway's highest margin by the proposed values; the nodes' prices stay."""
    shares = receipt.shares
    if receipt.usage.flags & (Flag.CACHED | Flag.SUPPORT):
        return _shares(receipt)
    gross_wei = shares.node + shares.protocol
    protocol_wei = gross_wei * proposed.protocol_bps // BPS
    gateway_wei = min(shares.gateway, gross_wei * proposed.maximum_margin_bps // BPS)
    return _Shares(gross_wei - protocol_wei, shares.listing, protocol_wei, gateway_wei)


def _parts(receipt: InferenceReceipt, shares: _Shares) -> Iterable[tuple[Party, int]]:
    parties = receipt.parties
    yield ("payer", parties.payer), shares.fee_wei
    yield ("node", parties.node), shares.node_wei
    yield ("gateway", parties.gateway), shares.gateway_wei
    yield ("protocol", b""), shares.protocol_wei
    if shares.listing_wei:
        yield ("listing", parties.listing_id), shares.listing_wei


def _drawn(duties: Iterable[Duty]) -> int:
    return len({duty.leaf.key for duty in duties})


def _by_evaluator(duties: Iterable[Duty]) -> dict[bytes, int]:
    return dict(sorted(Counter(duty.evaluator for duty in duties).items()))


def _totals(table: QualityTable | None) -> dict[Party, int]:
    totals: dict[Party, int] = defaultdict(int)
    for row in () if table is None else (*table.payouts, *table.waiting):
        totals[row.account.kind.name.lower(), row.payee] += row.total_wei
    return totals


def _grown(start: Mapping[Party, int], end: Mapping[Party, int]) -> dict[Party, int]:
    return {party: total - start.get(party, 0) for party, total in end.items()}
