"""The law of payments in Python, one method a contract call: what `ChannelEscrow` and `Settlement` must come to.

Whole numbers only, and no chain: times and parameters are told. A method that the contract would refuse raises Refused
with the contract's own error, and changes nothing.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.settlement.twins.stake import StakeLaw
from tests.settlement.twins.token import Refused, Token, require

from dgrid.chain.events import Kind, Role
from dgrid.chain.parameters import Parameters
from dgrid.core.money import BPS
from dgrid.settlement.claims import Party, party_key, total_of
from dgrid.wire.messages import InferenceReceipt

Payees = Sequence[tuple[bytes, int]]  # addresses with their basis points


@dataclass
class Channel:
    """A payer's deposit for one gateway."""

    payer: bytes
    gateway: bytes
    delay_s: int
    deposited: int = 0
    drawn: int = 0
    requested: int = 0
    available_s: int = 0
    drawn_in_lane: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def balance(self) -> int:
        return self.deposited - self.drawn


@dataclass
class Line:
    """What of a bond is reserved for one node; `unproven` is what it got by default and no root has shown yet."""

    amount: int = 0
    lowered: int = 0
    available_s: int = 0
    unproven: int = 0

    @property
    def counts(self) -> int:
        """What a node serves up to."""
        amount = min(self.amount, self.lowered) if self.available_s else self.amount
        return max(0, amount - self.unproven)


@dataclass
class Tally:
    """What one party claimed of its running total in a lane."""

    claimed: int = 0
    unproven: int = 0


@dataclass
class Account:
    """One gateway's: `pots` were charged, `collected` of that came in, `funds` of that are here."""

    funds: int = 0
    pots: int = 0
    collected: int = 0
    released: int = 0
    next_epoch: int = 0
    void_from: int = 0  # one past the first void epoch; 0 while there is none
    bond: int = 0
    withdrawing: int = 0
    available_s: int = 0
    lines: dict[bytes, Line] = field(default_factory=lambda: defaultdict(Line))

    @property
    def reserved(self) -> int:
        return sum(line.amount for line in self.lines.values())

    @property
    def free(self) -> int:
        """The bond that no line reserves."""
        return max(0, self.bond - self.reserved)

    def is_void(self, epoch: int) -> bool:
        return self.void_from != 0 and epoch >= self.void_from - 1

    def take_funds(self, wanted: int) -> int:
        paid = min(wanted, self.funds)
        self.funds -= paid
        return paid

    def take_free(self, wanted: int) -> int:
        paid = min(wanted, self.free)
        self.bond -= paid
        return paid

    def take_line(self, node: bytes, wanted: int) -> int:
        """After a slash all lines are worth the same fraction; what is used of one is rounded up."""
        line, lines, bond = self.lines[node], self.reserved, self.bond
        is_whole = lines <= bond
        paid = min(wanted, line.amount if is_whole else line.amount * bond // lines)
        line.amount -= paid if is_whole or not paid else -(-paid * lines // bond)
        self.bond -= paid
        return paid


@dataclass
class MoneyLaw:
    """Every account of `ChannelEscrow` and `Settlement`."""

    token: Token
    escrow: bytes
    settlement: bytes
    treasury: bytes
    base_bps: int
    channels: dict[bytes, Channel] = field(default_factory=dict)
    accounts: dict[bytes, Account] = field(default_factory=lambda: defaultdict(Account))
    tallies: dict[Party, Tally] = field(default_factory=lambda: defaultdict(Tally))

    # --- channels ---

    def deposit(self, channel_id: bytes, amount: int) -> None:
        channel = self.channels[channel_id]
        require(amount, "ZeroAmount")
        self.token.move(channel.payer, self.escrow, amount)
        channel.deposited += amount

    def request_withdraw(self, channel_id: bytes, amount: int, *, now_s: int) -> None:
        channel = self.channels[channel_id]
        require(amount <= channel.balance, "AmountAboveBalance")
        channel.requested, channel.available_s = amount, now_s + channel.delay_s if amount else 0

    def finalize_withdraw(self, channel_id: bytes, *, now_s: int) -> None:
        channel = self.channels[channel_id]
        require(channel.requested, "NoWithdrawRequested")
        require(now_s >= channel.available_s, "WithdrawNotYet")
        amount = min(channel.requested, channel.balance)
        channel.deposited -= amount
        channel.requested = channel.available_s = 0
        self.token.move(self.escrow, channel.payer, amount)

    def due(self, channel_id: bytes, lane: int, *, total: int, ceiling: int) -> int:
        """As far as the lane's total, the voucher and the deposit go."""
        channel = self.channels[channel_id]
        return max(0, min(total - channel.drawn_in_lane[lane], ceiling - channel.drawn, channel.balance))

    def collect(self, receipt: InferenceReceipt, *, ceiling: int) -> int:
        channel_id, lane = receipt.parties.channel_id, receipt.place.lane
        account = self.accounts[receipt.parties.gateway]
        require(not account.is_void(receipt.place.epoch), "RootVoid")
        amount = self.due(channel_id, lane, total=receipt.totals.payer, ceiling=ceiling)
        require(amount, "NothingToDraw")
        channel = self.channels[channel_id]
        channel.drawn += amount
        channel.drawn_in_lane[lane] += amount
        account.funds += amount
        account.collected += amount
        self.token.move(self.escrow, self.settlement, amount)
        return amount

    # --- bonds and lines ---

    def deposit_bond(self, gateway: bytes, amount: int) -> None:
        require(amount, "ZeroBond")
        self.token.move(gateway, self.settlement, amount)
        self.accounts[gateway].bond += amount

    def request_bond(self, gateway: bytes, amount: int, *, available_s: int) -> None:
        account = self.accounts[gateway]
        require(amount <= account.free, "BondReserved")
        account.withdrawing, account.available_s = amount, available_s if amount else 0

    def withdraw_bond(self, gateway: bytes, *, now_s: int) -> None:
        account = self.accounts[gateway]
        require(account.withdrawing, "NoBondWithdrawal")
        require(now_s >= account.available_s, "BondWithdrawalNotYet")
        amount = account.take_free(account.withdrawing)
        account.withdrawing = account.available_s = 0
        self.token.move(self.settlement, gateway, amount)

    def set_line(self, gateway: bytes, node: bytes, amount: int, *, available_s: int) -> None:
        account = self.accounts[gateway]
        line = account.lines[node]
        if amount < line.amount:
            line.lowered, line.available_s = amount, available_s
            return
        require(amount - line.amount <= account.free, "LineAboveFreeBond")
        line.amount, line.lowered, line.available_s = amount, 0, 0

    def apply_line(self, gateway: bytes, node: bytes, *, now_s: int) -> None:
        line = self.accounts[gateway].lines[node]
        require(line.available_s, "NoLineLowering")
        require(now_s >= line.available_s, "LineLoweringNotYet")
        line.amount, line.lowered, line.available_s = min(line.amount, line.lowered), 0, 0

    # --- roots ---

    def anchor(self, gateway: bytes, epoch: int, *, pot: int, minimum_bond: int) -> None:
        account = self.accounts[gateway]
        require(epoch >= account.next_epoch, "EpochNotNew")
        require(not account.void_from, "GatewayConvicted")
        require(max(0, account.bond - account.withdrawing) >= minimum_bond, "BondTooLow")
        account.next_epoch = epoch + 1
        account.pots += pot

    def convict(
        self, gateway: bytes, epoch: int, reporter: bytes, *, stakes: StakeLaw, parameters: Parameters
    ) -> tuple[int, int]:
        """Slashes bond and stake, once; (slashed, to the reporter), the rest is burned."""
        account = self.accounts[gateway]
        require(not account.is_void(epoch), "AlreadyConvicted")
        is_first, account.void_from = not account.void_from, epoch + 1
        if not is_first:
            return 0, 0
        slashed = account.bond * parameters.gateway_slash_bps // BPS
        account.bond -= slashed
        if stake := stakes.slashable(Role.GATEWAY, gateway):
            share = stake * parameters.gateway_slash_bps // BPS
            slashed += stakes.slash(Role.GATEWAY, gateway, share, taker=self.settlement)
        rewarded = slashed * parameters.reporter_bps // BPS
        self.token.move(self.settlement, reporter, rewarded)
        self.token.burn(self.settlement, slashed - rewarded)
        return slashed, rewarded

    # --- claims ---

    def earned(self, receipt: InferenceReceipt, kind: Kind) -> int:
        """A node's base share is taken of its lifetime total."""
        total = total_of(receipt, kind)
        return total * self.base_bps // BPS if kind is Kind.NODE else total

    def claim(self, receipt: InferenceReceipt, kind: Kind, *, payees: Payees) -> int:
        account, tally = self.accounts[receipt.parties.gateway], self._tally(receipt, kind)
        require(not account.is_void(receipt.place.epoch), "RootVoid")
        earned, node = self.earned(receipt, kind), receipt.parties.node
        is_released = self._release(tally, account.lines[node], earned)
        due = max(0, earned - tally.claimed)
        amount = account.take_funds(_payable_now(account, kind, due))
        if kind is Kind.NODE:
            amount += account.take_line(node, due - amount)
        elif kind is Kind.LISTING:
            amount += account.take_free(due - amount)
        require(amount or is_released, "NothingToClaim")
        self._pay(tally, amount, payees)
        return amount

    def claim_by_default(self, receipt: InferenceReceipt, kind: Kind, *, payees: Payees) -> int:
        """Of an epoch whose root is overdue or void, which the caller has checked."""
        account, tally = self.accounts[receipt.parties.gateway], self._tally(receipt, kind)
        due = max(0, self.earned(receipt, kind) - tally.claimed)
        if kind is Kind.NODE:
            amount = self._node_by_default(account, tally, receipt.parties.node, due)
        else:
            amount = account.take_free(due)
        require(amount, "NothingToClaim")
        self._pay(tally, amount, payees)
        return amount

    # --- quality ---

    def releasable(self, gateway: bytes) -> int:
        """What quality roots may still take: of all pots what is not the base share, rounded up."""
        account = self.accounts[gateway]
        return -(-account.pots * (BPS - self.base_bps) // BPS) - account.released

    def release_quality(self, gateway: bytes, amount: int) -> int:
        account = self.accounts[gateway]
        paid = account.take_funds(min(amount, self.releasable(gateway)))
        account.released += paid
        self.token.move(self.settlement, self.treasury, paid)
        return paid

    def _tally(self, receipt: InferenceReceipt, kind: Kind) -> Tally:
        parties = receipt.parties
        return self.tallies[Party(parties.gateway, kind, receipt.place.lane, party_key(receipt, kind))]  # type: ignore[arg-type]

    def _pay(self, tally: Tally, amount: int, payees: Payees) -> None:
        """Each part rounded down; what that leaves is the last one's."""
        tally.claimed += amount
        left = amount
        for payee, bps in payees[:-1]:
            left -= amount * bps // BPS
            self.token.move(self.settlement, payee, amount * bps // BPS)
        self.token.move(self.settlement, payees[-1][0], left)

    @staticmethod
    def _release(tally: Tally, line: Line, earned: int) -> bool:
        """A root that shows what was paid by default gives the node its line back."""
        ahead = max(0, tally.claimed - earned)
        if ahead >= tally.unproven:
            return False
        line.unproven -= tally.unproven - ahead
        tally.unproven = ahead
        return True

    @staticmethod
    def _node_by_default(account: Account, tally: Tally, node: bytes, due: int) -> int:
        line = account.lines[node]
        wanted = min(due, max(0, line.amount - line.unproven))
        paid = account.take_funds(wanted)
        tally.unproven += paid
        line.unproven += paid
        return paid + account.take_line(node, wanted - paid)


def _payable_now(account: Account, kind: Kind, due: int) -> int:
    """Gateway and protocol wait for what payers still owe."""
    if kind in (Kind.NODE, Kind.LISTING):
        return due
    return max(0, due - max(0, account.pots - account.collected))


def refused_by(error: Exception | None) -> str | None:
    """The name of a refusal; None when all went well."""
    return error.name if isinstance(error, Refused) else None
