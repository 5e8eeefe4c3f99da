"""Dealing with the quality court: seeds, disclosures, evaluators' words, canaries, roots, pay-outs.

Each verb is one transaction, and one intent: sent again after a restart it is still the same. Refuses to decide
anything: who should send what, and when, is the roles' business; a call that comes too early or too late is Reverted.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dgrid.chain.abi import Array, Tuple, Word
from dgrid.chain.contracts import Contracts
from dgrid.chain.events import PayoutClaimed, Role
from dgrid.chain.judging import Draw, Opening
from dgrid.chain.reading import event_of
from dgrid.chain.sender import Before, Sender, TransactionReceipt
from dgrid.core.identity import Address, to_hex
from dgrid.core.keccak import keccak
from dgrid.core.merkle import Path
from dgrid.wire.messages import QualityRoot
from dgrid.wire.quality import PayoutAccount, PayoutRow, payouts_tree

ROWS_AT_ONCE = 64
_RELEASES = Tuple((Array(Tuple((Word("address", 20), Word("uint128", 16))), None),))


@dataclass(frozen=True, slots=True)
class Release:
    """What a quality root takes of a gateway's funds, for its nodes and payers."""

    gateway: Address
    amount_wei: int


@dataclass(frozen=True, slots=True)
class EvaluatorSignature:
    """An evaluator's signature under a quality root, in the court's domain."""

    evaluator: Address
    signature: bytes


@dataclass(frozen=True, slots=True)
class PayoutClaim:
    """A row of the pay-outs' tree with its path."""

    account: PayoutAccount
    total_wei: int
    index: int
    path: Path

    def arguments(self) -> tuple[Any, ...]:
        """The Solidity struct PayoutClaim."""
        return *self.account, self.total_wei, self.index, self.path


def commitment_of(evaluator: Address, round_: int, *, reports_root: bytes, salt: bytes) -> bytes:
    """What an evaluator commits to: keccak(abi.encode(evaluator, round, reportsRoot, salt))."""
    return keccak(evaluator.rjust(32, b"\0") + round_.to_bytes(32, "big") + reports_root + salt)


def release_hash(releases: Sequence[Release]) -> bytes:
    """What a quality root says of its releases: keccak(abi.encode(Release[])). Order counts."""
    return keccak(_RELEASES.encode([[(release.gateway, release.amount_wei) for release in releases]]))


def payout_claims(rows: Sequence[PayoutRow], *, payees: Iterable[bytes] | None = None) -> list[PayoutClaim]:
    """Rows of a quality table with their paths: those of some payees, or all."""
    if not rows:
        return []
    tree, wanted = payouts_tree(rows), None if payees is None else set(payees)
    return [
        PayoutClaim(row.account, row.total_wei, index, tree.path(index))
        for index, row in enumerate(rows)
        if wanted is None or row.payee in wanted
    ]


async def fix_seed(sender: Sender, contracts: Contracts, *, gateway: Address, epoch: int) -> TransactionReceipt:
    """Fixes what is drawn of an anchored epoch, from the fourth block after its anchor on.

    Raises Reverted (SeedNotYet; SeedAlreadyFixed when another was faster), ChainUnavailable.
    """
    label = f"fix-seed:{to_hex(gateway)}:{epoch}"
    return await sender.send(contracts.quality_court, "fixSeed", [gateway, epoch], label=label)


async def disclose(sender: Sender, contracts: Contracts, *, draw: Draw, blob_id: bytes) -> TransactionReceipt:
    """As a gateway: where the content of its drawn leaves lies. Once a draw. Raises Reverted, ChainUnavailable."""
    label = f"disclose:{draw.epoch}:{to_hex(draw.seed)}"
    return await sender.send(contracts.quality_court, "disclose", [draw.epoch, draw.seed, blob_id], label=label)


async def commit(sender: Sender, contracts: Contracts, *, round_: int, commitment: bytes) -> TransactionReceipt:
    """As an evaluator: its word for a round's reports. Raises Reverted (TooEarly, TooLate), ChainUnavailable."""
    return await sender.send(contracts.quality_court, "commit", [round_, commitment], label=f"commit:{round_}")


async def reveal(
    sender: Sender, contracts: Contracts, *, round_: int, opening: Opening, salt: bytes, publish: Before | None = None
) -> TransactionReceipt:
    """As an evaluator: what it committed to. `publish` shows the reports, once the court's window is open.

    Raises Reverted (TooEarly, TooLate, WrongOpening), ChainUnavailable, and what `publish` raises.
    """
    arguments, label = [round_, opening.reports_root, opening.blob_id, salt], f"reveal:{round_}"
    return await sender.send(contracts.quality_court, "reveal", arguments, label=label, before=publish)


async def penalize(sender: Sender, contracts: Contracts, *, evaluator: Address, round_: int) -> TransactionReceipt:
    """Reports an evaluator that committed and withheld; the sender gets its share of the slash.

    Raises Reverted (TooEarly, NothingWithheld), ChainUnavailable.
    """
    label = f"penalize:{to_hex(evaluator)}:{round_}"
    return await sender.send(contracts.quality_court, "penalize", [evaluator, round_], label=label)


async def commit_canaries(sender: Sender, contracts: Contracts, *, epoch: int, root: bytes) -> TransactionReceipt:
    """As an author: its canaries of an epoch that has not begun. Raises Reverted (TooLate), ChainUnavailable."""
    return await sender.send(contracts.quality_court, "commitCanaries", [epoch, root], label=f"commit-canaries:{epoch}")


async def open_canaries(
    sender: Sender,
    contracts: Contracts,
    *,
    gateway: Address,
    epoch: int,
    blob_id: bytes,
    publish: Before | None = None,
) -> TransactionReceipt:
    """As an author: what one gateway served of them. `publish` shows it, once the court's window is open.

    Raises Reverted (TooEarly, TooLate), ChainUnavailable, and what `publish` raises.
    """
    arguments, label = [gateway, epoch, blob_id], f"open-canaries:{to_hex(gateway)}:{epoch}"
    return await sender.send(contracts.quality_court, "openCanaries", arguments, label=label, before=publish)


async def post_quality(
    sender: Sender,
    contracts: Contracts,
    *,
    root: QualityRoot,
    releases: Sequence[Release],
    signatures: Iterable[EvaluatorSignature],
) -> TransactionReceipt:
    """Posts a round's root. The releases are in the root's order; the signatures are put into the contract's.

    Raises Reverted (RoundNotNew when another was faster, NotTheQuorum, …), ChainUnavailable.
    """
    taken = [(release.gateway, release.amount_wei) for release in releases]
    ascending = sorted(signatures, key=lambda signature: signature.evaluator)
    signed = [(signature.evaluator, signature.signature) for signature in ascending]
    label = f"post-quality:{root.round}:{to_hex(root.struct_hash())}"
    return await sender.send(contracts.quality_court, "post", [root, taken, signed], label=label)


async def claim_payouts(
    sender: Sender, contracts: Contracts, *, rows: Sequence[PayoutClaim]
) -> tuple[PayoutClaimed, ...]:
    """Claims by the latest final root; a row with nothing due is skipped. Returns what was paid.

    Raises Reverted (NoFinalRoot; NotIncluded when the rows are of another root), ChainUnavailable.
    """
    paid: list[PayoutClaimed] = []
    for at in range(0, len(rows), ROWS_AT_ONCE):
        batch = rows[at : at + ROWS_AT_ONCE]
        arguments = [row.arguments() for row in batch]
        receipt = await sender.send(
            contracts.quality_court, "claim", [arguments], label=f"claim-payouts:{time.time_ns()}"
        )
        paid += _paid(contracts, receipt)
    return tuple(paid)


async def declare_models(
    sender: Sender, contracts: Contracts, *, role: Role, digests: Sequence[bytes]
) -> TransactionReceipt:
    """Says which models a member runs, instead of what it said before; a view's `declared` tells whether it must.

    Raises Reverted (NotRegistered, TooManyModels), ChainUnavailable.
    """
    label = f"declare-models:{time.time_ns()}"
    return await sender.send(contracts.registry, "declareModels", [role, list(digests)], label=label)


def _paid(contracts: Contracts, receipt: TransactionReceipt) -> Iterable[PayoutClaimed]:
    for log in receipt.logs:
        decoded = contracts.decode_log(log)
        event = None if decoded is None else event_of(decoded, timestamp_s=0)
        if isinstance(event, PayoutClaimed):
            yield event
