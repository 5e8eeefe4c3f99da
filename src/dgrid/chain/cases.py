"""Dealing with `Cases`: accusing, enrolling, voting, appealing, carrying out. One transaction a verb, one intent each.

Sent again after a restart it is still the same. Refuses to decide anything: who accuses, and how a member votes, is the
roles' business; a call that comes too early or too late is Reverted.
"""

import time
from dataclasses import dataclass

from dgrid.chain.case_events import Refund, Subject
from dgrid.chain.channels import approve
from dgrid.chain.contracts import Contracts
from dgrid.chain.court import EvaluatorSignature
from dgrid.chain.events import Role
from dgrid.chain.judging import PostedQuality
from dgrid.chain.past_events import root_event
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Before, Sender, TransactionReceipt
from dgrid.core.identity import Address, to_hex
from dgrid.core.keccak import keccak


@dataclass(frozen=True, slots=True)
class Accusation:
    """What a case is opened with. `evidence` names a blob; a quality root has no accused."""

    subject: Subject
    accused: Address
    matter: bytes
    evidence: bytes
    refunds: tuple[Refund, ...] = ()


def vote_of(evaluator: Address, case: bytes, *, stage: int, guilty: bool, evidence: bytes, salt: bytes) -> bytes:
    """What a member commits to: keccak(abi.encode(evaluator, id, stage, guilty, evidence, salt))."""
    numbers = stage.to_bytes(32, "big") + int(guilty).to_bytes(32, "big")
    return keccak(evaluator.rjust(32, b"\0") + case + numbers + evidence + salt)


async def open_case(
    sender: Sender, contracts: Contracts, *, accusation: Accusation, bond_wei: int
) -> TransactionReceipt:
    """Accuses, against the bond. Raises Reverted (CaseStanding when another was faster, …), ChainUnavailable."""
    await approve(sender, contracts, spender=contracts.cases.address, amount_wei=bond_wei)
    refunds = [(one.payer, one.amount_wei) for one in accusation.refunds]
    named = accusation.accused, accusation.matter, accusation.evidence
    label = f"open-case:{accusation.subject.value}:{':'.join(map(to_hex, named))}:{time.time_ns()}"
    return await sender.send(contracts.cases, "open", [accusation.subject, *named, refunds], label=label)


async def fix_seed(sender: Sender, contracts: Contracts, *, case: bytes, stage: int) -> TransactionReceipt:
    """Fixes who may sit, from the fourth block after the case was opened or appealed on.

    Raises Reverted (SeedNotYet; SeedAlreadyFixed when another was faster), ChainUnavailable.
    """
    label = f"fix-case-seed:{to_hex(case)}:{stage}:{time.time_ns()}"  # a seed that was missed is fixed again
    return await sender.send(contracts.cases, "fixSeed", [case], label=label)


async def enrol(sender: Sender, contracts: Contracts, *, case: bytes, stage: int) -> TransactionReceipt:
    """As an evaluator: takes a seat. Raises Reverted (RankTooHigh when others sit), ChainUnavailable."""
    return await sender.send(contracts.cases, "enrol", [case], label=f"enrol:{to_hex(case)}:{stage}")


async def commit_vote(
    sender: Sender, contracts: Contracts, *, case: bytes, stage: int, commitment: bytes
) -> TransactionReceipt:
    """As a member: its sealed vote. Raises Reverted (TooEarly, TooLate, NotAMember), ChainUnavailable."""
    return await sender.send(
        contracts.cases, "commitVote", [case, commitment], label=f"commit-vote:{to_hex(case)}:{stage}"
    )


async def reveal_vote(
    sender: Sender,
    contracts: Contracts,
    *,
    case: bytes,
    stage: int,
    opening: tuple[bool, bytes, bytes],
    publish: Before | None = None,
) -> TransactionReceipt:
    """As a member: (guilty, evidence, salt) of its vote. `publish` shows the evidence, once the window is open.

    Raises Reverted (TooEarly, TooLate, WrongOpening), ChainUnavailable, and what `publish` raises.
    """
    label = f"reveal-vote:{to_hex(case)}:{stage}"
    return await sender.send(contracts.cases, "revealVote", [case, *opening], label=label, before=publish)


async def appeal(sender: Sender, contracts: Contracts, *, case: bytes, bond_wei: int) -> TransactionReceipt:
    """Takes the first verdict to a larger jury, against twice the bond. Raises Reverted, ChainUnavailable."""
    await approve(sender, contracts, spender=contracts.cases.address, amount_wei=2 * bond_wei)
    return await sender.send(contracts.cases, "appeal", [case], label=f"appeal:{to_hex(case)}:{time.time_ns()}")


async def execute(sender: Sender, contracts: Contracts, *, case: bytes) -> TransactionReceipt:
    """Carries out what was decided. Raises Reverted (TooEarly; CaseClosed: another was faster), ChainUnavailable."""
    return await sender.send(contracts.cases, "execute", [case], label=f"execute:{to_hex(case)}:{time.time_ns()}")


async def slash_signer(
    sender: Sender, contracts: Contracts, *, case: bytes, evaluator: Address, signature: bytes
) -> TransactionReceipt:
    """Slashes who signed a root that a jury overturned. Raises Reverted (AlreadySlashed), ChainUnavailable."""
    label = f"slash-signer:{to_hex(case)}:{to_hex(evaluator)}"
    return await sender.send(contracts.cases, "slashSigner", [case, evaluator, signature], label=label)


async def unjail(sender: Sender, contracts: Contracts, *, role: Role) -> TransactionReceipt:
    """As a member whose time is over: comes back. Raises Reverted (StillJailed, StakeTooLow), ChainUnavailable."""
    return await sender.send(contracts.registry, "unjail", [role], label=f"unjail:{role.name}:{time.time_ns()}")


async def signatures_of(rpc: Rpc, contracts: Contracts, *, posted: PostedQuality) -> list[EvaluatorSignature]:
    """Who signed a posted root, whoever sent it. Raises CheckFailed (the chain does not show it), ChainUnavailable,
    RpcError.
    """
    topics = [posted.root.round.to_bytes(32, "big")]
    found = await root_event(rpc, contracts.quality_court, name="QualityPosted", topics=topics, posted=posted)
    return [EvaluatorSignature(Address(evaluator), signature) for evaluator, signature in found["signatures"]]
