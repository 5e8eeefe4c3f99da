"""What judging owes: nodes their parts above the base share, payers refunds, evaluators their pay. Read from the chain
and any archive.

A quality root pays once its challenge window is over; what a newer one adds, or had no room for, is shown as waiting.
What nobody has judged yet is only known at most: how much of it quality leaves the node is for the judges to say.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from dgrid.chain.court import PayoutClaim, payout_claims
from dgrid.chain.view import ChainView, PostedQuality
from dgrid.core.identity import Address
from dgrid.poq.evidence import LeafFacts
from dgrid.poq.node_pay import above_base
from dgrid.settlement.evidence import documents_of, leaf_facts
from dgrid.settlement.quality import QualityReader
from dgrid.settlement.records import Records
from dgrid.wire.quality import PayoutAccount, PayoutRow
from dgrid.wire.typed import Domain


@dataclass(frozen=True, slots=True)
class Payout:
    """What the court owes on one account."""

    account: PayoutAccount
    credited_wei: int  # by the final root
    waiting_wei: int  # what the newest root adds, and what it leaves to the next
    claimed_wei: int

    @property
    def due_wei(self) -> int:
        return max(0, self.credited_wei - self.claimed_wei)

    @property
    def total_due_wei(self) -> int:
        """Due now or soon."""
        return max(0, self.credited_wei + self.waiting_wei - self.claimed_wei)


@dataclass(frozen=True, slots=True)
class Payouts:
    """All accounts, and the rows that claim what is due."""

    accounts: tuple[Payout, ...]
    claims: tuple[PayoutClaim, ...]


async def payouts(reader: QualityReader, *, now_s: int, payees: Collection[bytes] | None = None) -> Payouts:
    """What the court owes some payees, or everybody. Raises CheckFailed, NetworkUnreachable."""
    view = reader.view
    newest, final = last_posted(view), final_posted(view, now_s=now_s)
    waiting = await _promised(reader, newest)
    table = None if final is None else await reader.table(final.root.round)
    credited = _sums(() if table is None else table.payouts)
    keys = sorted(key for key in waiting.keys() | credited.keys() if payees is None or key.payee in payees)
    accounts = tuple(_account(view, key, credited=credited.get(key, 0), newest=waiting.get(key, 0)) for key in keys)
    rows = () if table is None else payout_claims(table.payouts, payees=payees)
    due = {one.account for one in accounts if one.due_wei}
    return Payouts(accounts, tuple(row for row in rows if row.account in due))


def last_posted(view: ChainView) -> PostedQuality | None:
    """The newest quality root."""
    return view.quality_roots[view.last_quality_round] if view.quality_roots else None


def final_posted(view: ChainView, *, now_s: int) -> PostedQuality | None:
    """The root by which the court pays now: the newest whose window is over (`QualityCourt.current`)."""
    return next((one for one in view.newest_quality() if root_pays_from_s(view, one) <= now_s), None)


def root_pays_from_s(view: ChainView, posted: PostedQuality) -> int:
    """When a quality root's window is over: as long as counted in its round."""
    return posted.timestamp_ms // 1000 + view.parameters.at(posted.root.round).root_seconds


async def _promised(reader: QualityReader, posted: PostedQuality | None) -> dict[PayoutAccount, int]:
    """All that was ever owed on each account, in a root or not."""
    if posted is None:
        return {}
    table = await reader.table(posted.root.round)
    return _sums((*table.payouts, *table.waiting))


def _sums(rows: Iterable[PayoutRow]) -> dict[PayoutAccount, int]:
    found: Counter[PayoutAccount] = Counter()
    for row in rows:
        found[row.account] += row.total_wei
    return dict(found)


def _account(view: ChainView, key: PayoutAccount, *, credited: int, newest: int) -> Payout:
    return Payout(key, credited, max(0, newest - credited), view.paid_out.get(key, 0))


async def unjudged_wei(records: Records, *, domain: Domain, base_share_bps: int) -> dict[Address, int]:
    """What each node may still get above its base share, at most: of anchored epochs that no quality root took in.

    Raises CheckFailed, NetworkUnreachable.
    """
    view = records.view
    found: dict[Address, int] = defaultdict(int)
    for anchor in records.anchors():
        draw = view.draws.get((Address(anchor.root.gateway), anchor.root.epoch))
        if draw is not None and draw.round <= view.last_quality_round:
            continue
        documents = documents_of(await records.epoch(anchor), domain)
        leaves = [leaf_facts(key, document) for key, document in documents.items()]
        for node, parts in _by_node_and_lane(leaves).items():
            found[node] += sum(above_base(part, base_share_bps) for part in parts)
    return dict(found)


def _by_node_and_lane(leaves: Sequence[LeafFacts]) -> dict[Address, list[list[LeafFacts]]]:
    lanes: dict[tuple[Address, int], list[LeafFacts]] = defaultdict(list)
    for leaf in leaves:
        lanes[Address(leaf.node), leaf.key.lane].append(leaf)
    by_node: dict[Address, list[list[LeafFacts]]] = defaultdict(list)
    for (node, _), part in lanes.items():
        by_node[node].append(part)
    return by_node
