"""Turns a verified answer into a fee, and the fee into a receipt: committed before the client sees the last byte."""

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import msgspec

from dgrid.core.keccak import salted_hash
from dgrid.core.money import Split, split_fee
from dgrid.gateway.orders import Decision, Order, Plan, Seller
from dgrid.gateway.tariff import Tariff
from dgrid.poq.formats import json_faults
from dgrid.poq.schema import Steps
from dgrid.poq.tasks import wants_json
from dgrid.store.contents import Contents
from dgrid.store.ledger import Ledger
from dgrid.store.ledger_rows import Billed, Charge, Proof, StoredAnswer, UsageFacts, Work
from dgrid.wire.answers import call_parts, choices_of
from dgrid.wire.documents import Label
from dgrid.wire.frames import NodeDone
from dgrid.wire.messages import Flag, Hashes, Privacy
from dgrid.wire.quality import Content
from dgrid.wire.seals import Seal

BPS = 10_000
MS_MAX = 2**32 - 1
LABELS_REMEMBERED = 16_384  # one for each node, checks and price between two rounds
JUDGED = (Privacy.COMMITTEE, Privacy.PUBLIC)  # whose content a committee may be given


class SignedDispatch(Protocol):
    @property
    def packed(self) -> bytes: ...

    @property
    def seal(self) -> Seal: ...


class Counted(Protocol):
    """What was verified."""

    @property
    def tokens_in(self) -> int: ...

    @property
    def tokens_out(self) -> int: ...

    @property
    def flags(self) -> int: ...

    @property
    def validity(self) -> tuple[str, ...]: ...

    @property
    def receipt_hash(self) -> bytes: ...

    @property
    def text(self) -> str: ...


class Case(msgspec.Struct, frozen=True, gc=False):
    """One request with the node that served it."""

    order: Order
    plan: Plan
    decision: Decision
    assignment: SignedDispatch
    done: NodeDone

    @property
    def seller(self) -> Seller:
        return self.decision.seller


class Priced(msgspec.Struct, frozen=True, gc=False):
    """A fee and its parts, and the moment whose epoch they are of."""

    split: Split
    served_at_ms: int

    @property
    def fee_wei(self) -> int:
        return self.split.fee_wei


class Times(msgspec.Struct, frozen=True, gc=False):
    ttft_ms: int
    total_ms: int


class Cashier:
    """Bills into one ledger, and keeps what the judges may ask for."""

    def __init__(self, ledger: Ledger, contents: Contents, *, tariff: Tariff, cheapest: Callable[[str], int]) -> None:
        self._ledger, self._contents, self._tariff, self._cheapest = ledger, contents, tariff, cheapest

    def price(self, case: Case, counted: Counted) -> Priced:
        """The fee and its parts if it is charged at once; never above what was held."""
        served_at_ms, epoch = self._ledger.serving()
        terms = self._tariff.billed(case.seller.terms, epoch=epoch)
        split = split_fee(terms, tokens_in=counted.tokens_in, tokens_out=counted.tokens_out)
        assert split.fee_wei <= case.plan.amount_wei, "a fee exceeds its hold"
        return Priced(split, served_at_ms)

    def charge(
        self, case: Case, counted: Counted, *, priced: Priced, wire: bytes, times: Times, answer: StoredAnswer | None
    ) -> tuple[Billed, asyncio.Future[None]]:
        """The receipt at its place; it counts once the future is done, which may raise StorageUnavailable."""
        charge = self._charge_of(case, counted, priced=priced, wire=wire, times=times, answer=answer)
        if case.order.privacy not in JUDGED:
            return self._ledger.bill(charge)
        return self._ledger.bill(charge, lambda billed: self._keep(billed, case, counted))

    def _keep(self, billed: Billed, case: Case, counted: Counted) -> None:
        content = Content(case.order.salt, case.order.body, counted.text, case.done.evidence)
        self._contents.keep(billed.receipt.place.position, billed.struct_hash, content=content)

    def _charge_of(
        self, case: Case, counted: Counted, *, priced: Priced, wire: bytes, times: Times, answer: StoredAnswer | None
    ) -> Charge:
        order, seller, done = case.order, case.seller, case.done
        position, known = cost_position(seller, self._cheapest(seller.model)), case.decision.standing
        label = Label(checks_of(order, counted), position, known.low_bps, known.high_bps)
        hashes = Hashes(order.request_hash, case.decision.route_hash, wire, digest_of_label(label))
        usage = UsageFacts(
            counted.tokens_in,
            counted.tokens_out,
            order.grade,
            order.privacy,
            counted.flags,
            min(times.ttft_ms, MS_MAX),
            min(times.total_ms, MS_MAX),
        )
        listing = seller.listing
        work = Work(seller.node, seller.model, seller.model_id, listing.listing_id, listing.version)
        assignment = case.assignment
        proof = Proof(assignment.packed, assignment.seal, done.receipt, counted.receipt_hash, done.seal)
        return Charge(
            order.request_id, work, usage, priced.split, hashes, proof, label, order.salt, answer, priced.served_at_ms
        )


def cost_position(seller: Seller, cheapest_wei: int) -> int:
    """The seller's price against the cheapest for the model: 10,000 is equal."""
    return BPS if not cheapest_wei else min(2**32, seller.blended_wei * BPS // cheapest_wei)


def checks_of(order: Order, counted: Counted) -> tuple[str, ...]:
    """The checks that an answer passed: where an object was asked for, also whether it is one of that shape."""
    if order.chat.response_format is None or not wants_json(order.chat) or counted.flags & Flag.PARTIAL:
        return counted.validity
    contents, steps = (call_parts(choice)[0] for choice in choices_of(counted.text)), Steps()
    fits = not any(fault for content in contents for fault in json_faults(order.chat, content, steps=steps))
    return (*counted.validity, "format") if fits else counted.validity


@lru_cache(maxsize=LABELS_REMEMBERED)
def digest_of_label(label: Label) -> bytes:
    return label.digest()


def wire_hash(salt: bytes, body: bytes) -> bytes:
    """What the client received, hidden from guessing."""
    return salted_hash(salt, body)
