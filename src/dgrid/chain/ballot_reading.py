"""From the governor's and the Timelock's decoded logs to the facts in `ballots`. Decodes, decides nothing."""

from collections.abc import Callable
from typing import Any

from dgrid.chain.ballots import (
    BallotEvent,
    Call,
    OperationCancelled,
    OperationExecuted,
    ProposalCancelled,
    ProposalExecuted,
    ProposalQueued,
    Proposed,
    Voted,
    VoteExtended,
)
from dgrid.chain.moments import Moment
from dgrid.core.identity import Address

_Arguments = dict[str, Any]


def _proposed(at: Moment, a: _Arguments) -> Proposed:
    parts = zip(a["targets"], a["values"], a["calldatas"], strict=True)
    calls = tuple(Call(Address(target), value_wei, data) for target, value_wei, data in parts)
    span = a["voteStart"], a["voteEnd"]
    return Proposed(at, a["proposalId"], Address(a["proposer"]), calls, *span, a["description"])


def _voted(at: Moment, a: _Arguments) -> Voted:
    return Voted(at, a["proposalId"], Address(a["voter"]), a["support"], a["weight"], a["reason"])


BALLOT_READERS: dict[tuple[str, str], Callable[[Moment, _Arguments], BallotEvent]] = {
    ("governor", "ProposalCreated"): _proposed,
    ("governor", "VoteCast"): _voted,
    ("governor", "VoteCastWithParams"): _voted,
    ("governor", "ProposalExtended"): lambda at, a: VoteExtended(at, a["proposalId"], a["extendedDeadline"]),
    ("governor", "ProposalQueued"): lambda at, a: ProposalQueued(at, a["proposalId"], a["etaSeconds"]),
    ("governor", "ProposalExecuted"): lambda at, a: ProposalExecuted(at, a["proposalId"]),
    ("governor", "ProposalCanceled"): lambda at, a: ProposalCancelled(at, a["proposalId"]),
    ("timelock", "CallExecuted"): lambda at, a: OperationExecuted(at, a["id"]),
    ("timelock", "Cancelled"): lambda at, a: OperationCancelled(at, a["id"]),
}
