"""Proposals as anybody sees them: who proposed what, how it was voted, and how far it has come at some moment.

Pure, over the chain's view; the states and their limits are those of OpenZeppelin's Governor with a Timelock.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from dgrid.chain.abi import tuple_of
from dgrid.chain.ballots import BallotView, Call, Proposed, Voted, columns_of
from dgrid.core.errors import RequestError
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak

TITLE_LENGTH_MAX = 120
_OPERATION = tuple_of(
    [
        {"type": "address[]", "name": "targets"},
        {"type": "uint256[]", "name": "values"},
        {"type": "bytes[]", "name": "payloads"},
        {"type": "bytes32", "name": "predecessor"},
        {"type": "bytes32", "name": "salt"},
    ]
)


class ProposalNotFound(RequestError):
    """No proposal has this id."""

    status = 404
    code = "proposal_not_found"
    exit_code = 5


class Support(IntEnum):
    """What a vote says, as the governor counts it."""

    AGAINST = 0
    FOR = 1
    ABSTAIN = 2


class ProposalState(StrEnum):
    """How far a proposal has come."""

    PENDING = "pending"  # the vote has not begun
    ACTIVE = "active"
    DEFEATED = "defeated"
    SUCCEEDED = "succeeded"  # it can be queued
    QUEUED = "queued"  # the Timelock makes it wait
    READY = "ready"  # it can be executed
    EXECUTED = "executed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Tally:
    """Votes in wei of DGAI, stake's included."""

    for_wei: int = 0
    against_wei: int = 0
    abstain_wei: int = 0

    @property
    def counted_wei(self) -> int:
        """What a quorum is measured by: who abstains takes part."""
        return self.for_wei + self.abstain_wei

    @property
    def is_won(self) -> bool:
        return self.for_wei > self.against_wei


@dataclass(frozen=True, slots=True)
class Proposal:
    """One proposal with all that was said of it."""

    proposed: Proposed
    votes: tuple[Voted, ...]
    vote_end_s: int
    ready_s: int | None  # when it can be executed; None: not queued
    executed_ms: int | None
    is_cancelled: bool

    @property
    def id(self) -> int:
        return self.proposed.proposal

    @property
    def calls(self) -> tuple[Call, ...]:
        return self.proposed.calls

    @property
    def title(self) -> str:
        """The description's first line."""
        lines = self.proposed.description.strip().splitlines()
        return lines[0].lstrip("# ")[:TITLE_LENGTH_MAX] if lines else ""

    @property
    def tally(self) -> Tally:
        sums = dict.fromkeys(Support, 0)
        for vote in self.votes:
            sums[Support(vote.support)] += vote.weight_wei
        return Tally(sums[Support.FOR], sums[Support.AGAINST], sums[Support.ABSTAIN])

    @property
    def description_hash(self) -> bytes:
        return keccak(self.proposed.description.encode())

    def arguments(self) -> tuple[list[Address], list[int], list[bytes], bytes]:
        """What `queue` and `execute` take."""
        return (*columns_of(self.calls), self.description_hash)

    def state_at(self, now_s: int, *, quorum_wei: int) -> ProposalState:
        """Its state at a moment, as the chain's clock shows it."""
        if self.is_cancelled:
            return ProposalState.CANCELLED
        if self.executed_ms is not None:
            return ProposalState.EXECUTED
        if now_s <= self.proposed.vote_start_s:
            return ProposalState.PENDING
        if now_s <= self.vote_end_s:
            return ProposalState.ACTIVE
        if self.tally.counted_wei < quorum_wei or not self.tally.is_won:
            return ProposalState.DEFEATED
        if self.ready_s is None:
            return ProposalState.SUCCEEDED
        return ProposalState.QUEUED if now_s < self.ready_s else ProposalState.READY


def proposals(view: BallotView, *, governor: Address) -> Iterator[Proposal]:
    """All proposals, the oldest first. `governor` names the Timelock's operations."""
    votes: dict[int, list[Voted]] = {number: [] for number in view.proposals}
    for (number, _), vote in view.votes.items():
        if number in votes and vote.support in tuple(Support):
            votes[number].append(vote)
    for number, proposed in view.proposals.items():
        yield _proposal(view, proposed, votes=tuple(votes[number]), governor=governor)


def operation_id(proposed: Proposed, *, governor: Address) -> bytes:
    """The Timelock's name for a proposal's calls (`TimelockController.hashOperationBatch`)."""
    salt = bytes(a ^ b for a, b in zip(governor + bytes(12), keccak(proposed.description.encode()), strict=True))
    return keccak(_OPERATION.encode((*columns_of(proposed.calls), bytes(32), salt)))


def _proposal(view: BallotView, proposed: Proposed, *, votes: tuple[Voted, ...], governor: Address) -> Proposal:
    number, operation = proposed.proposal, operation_id(proposed, governor=governor)
    return Proposal(
        proposed,
        votes,
        view.vote_ends_s.get(number, proposed.vote_end_s),
        view.ready_s.get(number),
        view.executed_ms.get(number, view.operations_executed_ms.get(operation)),
        number in view.cancelled or operation in view.operations_cancelled,
    )
