"""The books in memory: balances, running totals and the lane, and the laws they obey.

They are the ledger's rows held ready, and the first line of the money's defence: every law is checked here before SQL
sees the change. Pure: no file, no clock. After a failed write the books are thrown away and read again.
"""

from dataclasses import dataclass, field

import msgspec

from dgrid.core.money import AMOUNT_MAX
from dgrid.core.places import NO_PLACE, Place
from dgrid.store.ledger_rows import BudgetExceeded, Charge, Funds
from dgrid.wire.messages import InferenceReceipt, Parties, Previous, Shares, Totals, Usage
from dgrid.wire.messages import Place as PlaceMessage

NODE_KIND, LISTING_KIND = 0, 1
NO_PARENT = bytes(32)
PartyKey = tuple[int, bytes]


@dataclass(slots=True)
class Account:
    """A channel's money: spent + held never exceeds the deposit, nor what the payer promised."""

    config: bytes
    spent_wei: int = 0
    held_wei: int = 0
    funded_wei: int = 0
    ceiling_wei: int = 0
    voucher_signature: bytes | None = None
    previous: int = NO_PLACE

    @property
    def committed_wei(self) -> int:
        return self.spent_wei + self.held_wei

    def hold(self, amount_wei: int, funds: Funds) -> None:
        """Sets money aside. Raises BudgetExceeded, and then nothing has changed but a better voucher kept."""
        self._keep_better_voucher(funds)
        limit_wei = min(funds.deposited_wei, self.ceiling_wei)
        wanted_wei = self.committed_wei + amount_wei
        if wanted_wei > limit_wei:
            short_wei = wanted_wei - limit_wei
            raise BudgetExceeded(
                f"the channel is {short_wei} wei short: this request may cost {amount_wei} wei",
                hint="deposit more, sign a higher voucher, or ask for fewer tokens (max_tokens)",
            )
        self.held_wei += amount_wei

    def _keep_better_voucher(self, funds: Funds) -> None:
        self.funded_wei = max(self.funded_wei, funds.deposited_wei)
        if funds.ceiling_wei is None:
            if self.voucher_signature is None:
                self.ceiling_wei = self.funded_wei
        elif funds.ceiling_wei > self.ceiling_wei:
            self.ceiling_wei, self.voucher_signature = funds.ceiling_wei, funds.voucher_signature

    def release(self, amount_wei: int) -> None:
        """Frees a hold."""
        assert 0 <= amount_wei <= self.held_wei, "more is released than is held"
        self.held_wei -= amount_wei

    def spend(self, held_wei: int, fee_wei: int) -> None:
        """Turns a hold into a fee, which never exceeds it."""
        assert 0 <= fee_wei <= held_wei, "a fee exceeds its hold"
        self.release(held_wei)
        self.spent_wei += fee_wei


@dataclass(slots=True)
class Party:
    """A node's or a listing's running total in this lane."""

    total_wei: int = 0
    previous: int = NO_PLACE

    def earn(self, share_wei: int, place: int) -> int:
        """Adds a share earned at `place`; gives the party's place before it."""
        before, self.previous = self.previous, place
        self.total_wei += share_wei
        assert self.total_wei <= AMOUNT_MAX, "a running total leaves 128 bits"
        return before


@dataclass(slots=True)
class Lane:
    """One worker's sequence of receipts: the next place, and the last moment served."""

    lane: int
    epoch: int = 0
    next_sequence: int = 0
    served_at_ms: int = 0
    protocol_wei: int = 0
    gateway_wei: int = 0

    def raise_floor(self, time_ms: int) -> int:
        """No receipt will bear an earlier moment, whatever the clock says; the floor that there is now."""
        self.served_at_ms = max(self.served_at_ms, time_ms)
        return self.served_at_ms

    def take_place(self, epoch: int) -> Place:
        """The next place of the lane."""
        assert epoch >= self.epoch, "a lane never returns to an earlier epoch"
        if epoch > self.epoch:
            self.epoch, self.next_sequence = epoch, 0
        place = Place(epoch, self.lane, self.next_sequence)
        self.next_sequence += 1
        return place


class OpenHold(msgspec.Struct, frozen=True, gc=False):
    """Money set aside for a request in flight."""

    funds: Funds
    amount_wei: int
    idempotency_key: str | None


@dataclass(slots=True)
class Books:
    """All rows that the money path changes, as far as they have been needed."""

    gateway: bytes
    lane: Lane
    accounts: dict[bytes, Account] = field(default_factory=dict)
    parties: dict[PartyKey, Party] = field(default_factory=dict)
    unindexed: int = 0  # receipts written since their index was last brought up to date

    def charge(
        self, charge: Charge, hold: OpenHold, *, parties: tuple[PartyKey, PartyKey], served_at_ms: int, epoch: int
    ) -> InferenceReceipt:
        """Bills a request: takes its place, moves every total, and gives the receipt that says so.

        The payer's account and both parties must have been loaded.
        """
        lane, split, work, funds = self.lane, charge.split, charge.work, hold.funds
        account = self.accounts[funds.channel_id]
        account.spend(hold.amount_wei, split.fee_wei)
        place = lane.take_place(epoch)
        packed = place.packed()
        payer_previous, account.previous = account.previous, packed
        node, listing = map(self.parties.__getitem__, parties)
        node_previous = node.earn(split.node_wei, packed)
        listing_previous = listing.earn(split.listing_wei, packed)
        lane.protocol_wei += split.protocol_wei
        lane.gateway_wei += split.gateway_wei
        usage = charge.usage
        return InferenceReceipt(
            charge.request_id,
            NO_PARENT,
            charge.proof.node_receipt_hash,
            Parties(
                funds.channel_id,
                funds.payer,
                self.gateway,
                work.node,
                work.model_id,
                work.listing_id,
                work.listing_version,
                funds.token,
            ),
            PlaceMessage(*place),
            Usage(
                usage.tokens_in,
                usage.tokens_out,
                usage.grade,
                usage.privacy,
                usage.flags,
                usage.ttft_ms,
                usage.total_ms,
                served_at_ms,
            ),
            Shares(split.fee_wei, split.node_wei, split.listing_wei, split.protocol_wei, split.gateway_wei),
            Totals(account.spent_wei, node.total_wei, listing.total_wei, lane.protocol_wei, lane.gateway_wei),
            Previous(payer_previous, node_previous, listing_previous),
            charge.hashes,
        )


def parties_of(charge: Charge) -> tuple[PartyKey, PartyKey]:
    """Whose totals a charge moves: the node's, and the listing's. A listing's totals run per version."""
    work = charge.work
    return (NODE_KIND, work.node), (LISTING_KIND, work.listing_id + work.listing_version.to_bytes(4, "big"))
