"""How far a node trusts each gateway: what it is owed, what is not acknowledged, and when to stop.

A gateway's debt is a running total for each of its lanes, stated in every receipt. Of any two receipts of a lane
the later must hold the earlier's total and its own share; one that does not is a short total, and the end of the
service. Money is bounded twice: everything unsettled stays below the gateway's credit line, and work without a
receipt stays below a part of it. Counts of this module are the node's own; the gateway bills the smaller of both,
within a tolerance.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from dgrid.core.money import BPS, Price
from dgrid.core.places import Place
from dgrid.node.books import Books, HeldReceipt, Work
from dgrid.node.refusals import AcknowledgeFirst, CreditLineReached, TotalShort, UnknownGateway
from dgrid.wire.frames import SignedReceipt
from dgrid.wire.messages import Flag, InferenceReceipt
from dgrid.wire.seals import sealed_by
from dgrid.wire.typed import Domain

UNACKNOWLEDGED_PART: Final = 4  # of the line: work without a receipt stays below a quarter
UNACKNOWLEDGED_COUNT_MAX: Final = 512
UNACKNOWLEDGED_AGE_MS: Final = 300_000  # older work is lost: cut, hedged or its gateway died; it stops counting
BILLED_PART_MIN: Final = 3, 4  # of the tokens this node counted
BILLED_TOKENS_SPARE: Final = 16
PARTIAL_TOKENS_BELIEVED: Final = 100_000  # so many tokens of answers cut by clients are taken without a question


class CreditView(Protocol):
    """What a node asks the chain. Answers come from a local copy and never wait."""

    def is_gateway(self, gateway: bytes) -> bool:
        """Whether the address is registered as a gateway, with its stake."""
        ...

    def credit_line_wei(self, gateway: bytes) -> int:
        """What the gateway's bond covers of its debt to this node."""
        ...

    def anchored_epoch(self, gateway: bytes) -> int:
        """The gateway's latest epoch with a root on chain; -1 when there is none. Debt up to it is settled."""
        ...

    def protocol_bps(self, epoch: int) -> int:
        """What the protocol takes of this node's price in an epoch: the members decide, known before it begins."""
        ...


@dataclass(frozen=True, slots=True)
class MeterTerms:
    """Who this node is and how it is paid."""

    domain: Domain
    node: bytes
    token: bytes


@dataclass(slots=True)
class LaneAccount:
    """One lane of one gateway: its latest receipt, and the latest of each unsettled epoch."""

    latest: HeldReceipt
    by_epoch: dict[int, HeldReceipt] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        return self.latest.receipt.place.position

    def unsettled_wei(self, anchored_epoch: int) -> int:
        settled = [epoch for epoch in self.by_epoch if epoch <= anchored_epoch]
        return self.latest.total_wei - (self.by_epoch[max(settled)].total_wei if settled else 0)


@dataclass(slots=True)
class Account:
    """One gateway."""

    lanes: dict[int, LaneAccount] = field(default_factory=dict)
    work: dict[bytes, Work] = field(default_factory=dict)  # signed, not acknowledged; oldest first
    open_wei: int = 0  # what that work is worth
    reserved_wei: int = 0  # the most that requests in flight can cost
    cut_tokens: int = 0
    partial_tokens: int = 0
    short: str = ""  # why the gateway is not served

    def add(self, work: Work) -> None:
        if work.node_receipt_hash not in self.work:
            self.work[work.node_receipt_hash] = work
            self.open_wei += work.value_wei

    def settle(self, node_receipt_hash: bytes) -> Work | None:
        """Takes work off that is acknowledged or lost."""
        work = self.work.pop(node_receipt_hash, None)
        if work is not None:
            self.open_wei -= work.value_wei
        return work

    def note_partial(self, billed: int, counted: int) -> None:
        """A client that leaves early pays for what reached it; a gateway that says so of nearly all is not believed."""
        self.cut_tokens += counted - billed
        self.partial_tokens += counted
        if self.partial_tokens > PARTIAL_TOKENS_BELIEVED and self.cut_tokens * 4 > self.partial_tokens * 3:
            self.short = f"of {self.partial_tokens} tokens of cut answers {self.cut_tokens} are not billed"

    def owed_wei(self, anchored_epoch: int) -> int:
        return sum(lane.unsettled_wei(anchored_epoch) for lane in self.lanes.values())


class Meter:
    """The accounts of all gateways; what it learns goes to the books."""

    def __init__(self, terms: MeterTerms, chain: CreditView, books: Books) -> None:
        self._terms, self._chain, self._books = terms, chain, books
        self._accounts: dict[bytes, Account] = defaultdict(Account)
        for held in books.receipts():
            self._place(held)
        for work in sorted(books.work(), key=lambda work: work.done_ms):
            self._accounts[work.gateway].add(work)

    def account(self, gateway: bytes) -> Account:
        return self._accounts[gateway]

    def receipts(self) -> list[HeldReceipt]:
        """The latest receipt of every lane: what the node can claim with."""
        return [lane.latest for account in self._accounts.values() for lane in account.lanes.values()]

    def gives_credit(self, gateway: bytes) -> bool:
        """Whether work for the gateway is backed at all: it is registered, and has given this node a line."""
        return self._chain.is_gateway(gateway) and self._chain.credit_line_wei(gateway) > 0

    def check_gateway(self, gateway: bytes) -> None:
        """Raises UnknownGateway for one that the chain does not know or that has given this node no line."""
        if not self._chain.is_gateway(gateway):
            raise UnknownGateway("the gateway is not registered on chain")
        if self._chain.credit_line_wei(gateway) <= 0:
            raise UnknownGateway("the gateway has no credit line for this node", hint="set one with Settlement.setLine")

    def acknowledge(self, gateway: bytes, receipts: Iterable[SignedReceipt]) -> None:
        """Takes in what the gateway has signed since. Raises TotalShort, also for a gateway that was short before."""
        for signed in receipts:
            self._take(gateway, signed)
        if short := self._accounts[gateway].short:
            raise TotalShort(
                short, hint="sign receipts whose totals hold all shares, and send them with the next dispatch"
            )

    def reserve(self, gateway: bytes, worst_wei: int, *, now_ms: int) -> None:
        """Sets a request's worst case aside. Raises AcknowledgeFirst or CreditLineReached."""
        account, line_wei = self._accounts[gateway], self._chain.credit_line_wei(gateway)
        self._drop_lost(account, now_ms)
        if len(account.work) >= UNACKNOWLEDGED_COUNT_MAX or account.open_wei * UNACKNOWLEDGED_PART > line_wei:
            raise AcknowledgeFirst(f"{len(account.work)} answers have no receipt yet", retry_after_ms=500)
        owed_wei = account.owed_wei(self._chain.anchored_epoch(gateway))
        if owed_wei + account.open_wei + account.reserved_wei + worst_wei > line_wei:
            raise CreditLineReached(f"{owed_wei} wei are unsettled of a line of {line_wei}", retry_after_ms=5000)
        account.reserved_wei += worst_wei

    def release(self, gateway: bytes, worst_wei: int) -> None:
        """Ends a reservation."""
        self._accounts[gateway].reserved_wei -= worst_wei

    def record(self, work: Work) -> None:
        """Work that is about to be signed; from now on it waits for its receipt."""
        self._accounts[work.gateway].add(work)
        self._books.add_work(work)

    def _drop_lost(self, account: Account, now_ms: int) -> None:
        """Takes off what is too old to be acknowledged any more: oldest first, so that this costs nothing."""
        while account.work and (oldest := next(iter(account.work.values()))).done_ms < now_ms - UNACKNOWLEDGED_AGE_MS:
            account.settle(oldest.node_receipt_hash)
            self._books.drop_work(oldest.node_receipt_hash)

    def _take(self, gateway: bytes, signed: SignedReceipt) -> None:
        held = self._open(gateway, signed)
        account, receipt = self._accounts[gateway], held.receipt
        lane = account.lanes.get(held.lane)
        work = account.settle(receipt.node_receipt_hash)
        if work is not None:
            self._books.drop_work(work.node_receipt_hash)
            self._check_billing(account, work, receipt)
        if lane is not None:
            self._check_total(account, lane, held)
        if lane is None or held.receipt.place.position > lane.place:
            self._place(held)
            self._books.keep_receipt(held)
            self._forget_settled(gateway, account.lanes[held.lane])

    def _open(self, gateway: bytes, signed: SignedReceipt) -> HeldReceipt:
        """A receipt that is the gateway's and this node's. Raises TotalShort for one that is not what it should be."""
        try:
            held = HeldReceipt.of(signed)
        except ValueError as error:
            raise TotalShort(f"an acknowledged receipt is malformed: {error}") from error
        parties = held.receipt.parties
        if (parties.gateway, parties.node, parties.token) != (gateway, self._terms.node, self._terms.token):
            raise TotalShort("an acknowledged receipt is between other parties")
        if sealed_by(self._terms.domain, held.receipt.struct_hash(), signed.seal) != gateway:
            raise TotalShort("an acknowledged receipt is not signed by its gateway")
        return held

    def _check_billing(self, account: Account, work: Work, receipt: InferenceReceipt) -> None:
        usage, shares = receipt.usage, receipt.shares
        gross = Price(work.in_price_wei, work.out_price_wei).gross(usage.tokens_in, usage.tokens_out)
        if shares.node < gross - gross * self._chain.protocol_bps(receipt.place.epoch) // BPS:
            account.short = "a receipt gives this node less than its part of the price"
        elif is_far_below(usage.tokens_in, work.tokens_in):
            account.short = f"a receipt bills {usage.tokens_in} of {work.tokens_in} tokens of a prompt"
        elif usage.flags & Flag.PARTIAL:
            account.note_partial(usage.tokens_out, work.tokens_out)
        elif is_far_below(usage.tokens_out, work.tokens_out):
            account.short = f"a receipt bills {usage.tokens_out} of {work.tokens_out} tokens"

    def _check_total(self, account: Account, lane: LaneAccount, held: HeldReceipt) -> None:
        """Of two receipts of a lane the later one's total holds the earlier one's and its own share."""
        latest = lane.latest
        if held.receipt.place == latest.receipt.place:
            if held.receipt != latest.receipt:
                account.short = "two receipts stand at one place"
            return
        later, earlier = (held, latest) if held.receipt.place.position > lane.place else (latest, held)
        wanted_wei = earlier.total_wei + later.receipt.shares.node
        if later.total_wei < wanted_wei:
            account.short = f"a receipt states a total of {later.total_wei} wei; the shares sum to {wanted_wei}"

    def _place(self, held: HeldReceipt) -> None:
        """Makes a receipt the lane's latest."""
        lanes = self._accounts[held.gateway].lanes
        lane = lanes.get(held.lane)
        if lane is None:
            lane = lanes[held.lane] = LaneAccount(held)
        lane.latest = held
        lane.by_epoch[held.epoch] = held

    def _forget_settled(self, gateway: bytes, lane: LaneAccount) -> None:
        """Keeps the latest settled epoch's receipt, for its total, and all later ones."""
        settled = [epoch for epoch in lane.by_epoch if epoch <= self._chain.anchored_epoch(gateway)]
        if len(settled) < 2:
            return
        oldest_kept = max(settled)
        for epoch in settled:
            if epoch < oldest_kept:
                del lane.by_epoch[epoch]
        self._books.forget_receipts(gateway, lane.latest.lane, before_epoch=oldest_kept)


def is_far_below(billed: int, counted: int) -> bool:
    """Whether a bill leaves out more than two tokenizers can differ by."""
    numerator, denominator = BILLED_PART_MIN
    return billed + BILLED_TOKENS_SPARE < counted * numerator // denominator
