"""How proposals and simulations are shown: for people as text, for programs as plain data."""

from collections.abc import Sequence
from typing import Any

from dgrid.chain.parameters import Tunable, tunable
from dgrid.cli.ballots import Shown
from dgrid.cli.terminal import columns, dgai, many, short
from dgrid.core.identity import to_hex
from dgrid.governance.changes import Change, KnownCall, ParameterChange, shown_value
from dgrid.governance.proposals import ProposalState
from dgrid.governance.simulation import Comparison, Simulation

SHOWN_VOTES = 20


def proposal_data(one: Shown) -> dict[str, Any]:
    """A proposal for programs; amounts are decimal strings."""
    proposal, tally = one.proposal, one.proposal.tally
    return {
        "number": one.number,
        "id": str(proposal.id),
        "title": proposal.title,
        "proposer": to_hex(proposal.proposed.proposer),
        "state": one.state.value,
        "vote_start_s": proposal.proposed.vote_start_s,
        "vote_end_s": proposal.vote_end_s,
        "ready_s": proposal.ready_s,
        "in_effect_from": one.in_effect_from,
        "for_wei": str(tally.for_wei),
        "against_wei": str(tally.against_wei),
        "abstain_wei": str(tally.abstain_wei),
        "quorum_wei": str(one.quorum_wei),
        "changes": [change_data(change) for change in one.changes],
        "votes": [
            {"voter": to_hex(vote.voter), "support": vote.support, "wei": str(vote.weight_wei), "reason": vote.reason}
            for vote in proposal.votes
        ],
    }


def proposal_text(one: Shown) -> str:
    """A proposal for people."""
    proposal, tally = one.proposal, one.proposal.tally
    lines = [f"#{one.number}  {one.state.value}  {proposal.title}"]
    lines += [f"  {change}" for change in one.changes]
    counts = tally.for_wei, tally.against_wei, tally.abstain_wei
    lines.append("  for {}, against {}, abstain {}".format(*map(dgai, counts)))
    lines.append(f"  quorum {dgai(one.quorum_wei)}{'' if tally.counted_wei >= one.quorum_wei else ', not reached'}")
    for vote in sorted(proposal.votes, key=lambda vote: -vote.weight_wei)[:SHOWN_VOTES]:
        choice = ("against", "for", "abstain")[vote.support]
        lines.append(f"    {short(to_hex(vote.voter))}  {choice}  {dgai(vote.weight_wei)}  {vote.reason}".rstrip())
    lines.append(f"  {_time_text(one)}")
    return "\n".join(lines)


def _time_text(one: Shown) -> str:
    match one.state:
        case ProposalState.PENDING | ProposalState.ACTIVE | ProposalState.QUEUED:
            return one.waits
        case ProposalState.SUCCEEDED:
            return f"it has passed: `dgrid gov queue {one.number}`"
        case ProposalState.READY:
            return f"it can be executed: `dgrid gov execute {one.number}`"
        case ProposalState.EXECUTED if any(isinstance(change, ParameterChange) for change in one.changes):
            return f"in effect from epoch {one.in_effect_from}"
        case ProposalState.EXECUTED:
            return "it was carried out"
        case _:
            return "it changes nothing"


def change_data(change: Change) -> dict[str, Any]:
    if isinstance(change, ParameterChange):
        known = change.parameter
        sizes = {"old": str(change.old), "new": str(change.new), "unit": known.unit.value}
        return {"kind": "parameter", "name": known.name, **sizes, "readers": known.readers}
    if isinstance(change, KnownCall):
        arguments = {name: shown_value(value) for name, value in change.arguments}
        called = {"contract": change.contract, "function": change.function, "arguments": arguments}
        return {"kind": "call", **called, "value_wei": str(change.value_wei)}
    call = change.call
    strange = {"target": to_hex(call.target), "contract": change.contract or None, "data": to_hex(call.data)}
    return {"kind": "strange_call", **strange, "value_wei": str(call.value_wei)}


# --- a simulation -----------------------------------------------------------------------------------------------------


def values_text(found: Sequence[dict[str, Any]]) -> str:
    """All parameters, amounts in DGAI."""
    titles = "PARAMETER", "VALUE", "UNIT", "COMING", "BOUNDS"
    return columns(titles, [_value_row(one, tunable(one["name"])) for one in found])


def _value_row(one: dict[str, Any], known: Tunable) -> tuple[str, ...]:
    coming = ", ".join(f"{known.shown(int(next_['value']))} from epoch {next_['from_epoch']}" for next_ in one["next"])
    bounds = f"{known.shown(known.bounds.minimum)} to {known.shown(known.bounds.maximum)}"
    return known.name, known.shown(int(one["value"])), known.shown_unit, coming, bounds


def simulation_data(found: Simulation) -> dict[str, Any]:
    draws = found.draws
    evaluators = sorted(draws.duties_was.keys() | draws.duties_would.keys())
    return {
        "first_epoch": found.first_epoch,
        "last_epoch": found.last_epoch,
        "receipts": found.receipts,
        "fees": [_comparison_data(one) for one in found.fees],
        "payouts": [_comparison_data(one) for one in found.payouts],
        "leaves": draws.leaves,
        "drawn_was": draws.drawn_was,
        "drawn_would": draws.drawn_would,
        "duties": [
            {"evaluator": to_hex(one), "was": draws.duties_was.get(one, 0), "would": draws.duties_would.get(one, 0)}
            for one in evaluators
        ],
        "inactive": [{"role": role, "address": to_hex(address)} for role, address in found.inactive],
    }


def _comparison_data(one: Comparison) -> dict[str, str]:
    return {"kind": one.kind, "party": to_hex(one.party), "was_wei": str(one.was_wei), "would_wei": str(one.would_wei)}


def simulation_text(found: Simulation) -> str:
    draws, rows = found.draws, [_comparison_row("fee", one) for one in found.fees]
    rows += [_comparison_row("pay-out", one) for one in found.payouts]
    duties = sum(draws.duties_was.values()), sum(draws.duties_would.values())
    lines = [
        f"epochs {found.first_epoch} to {found.last_epoch}: {many(found.receipts, 'receipt')}",
        columns(("SUM", "OF", "PARTY", "WAS", "WOULD BE", "CHANGE"), rows),
        f"drawn    {draws.drawn_was} → {draws.drawn_would} of {many(draws.leaves, 'answer')}",
        f"duties   {duties[0]} → {duties[1]}",
    ]
    lines += [f"inactive {role} {to_hex(address)}" for role, address in found.inactive]
    return "\n".join(lines)


def _comparison_row(what: str, one: Comparison) -> tuple[str, ...]:
    party = short(to_hex(one.party)) if one.party else ""
    return what, one.kind, party, dgai(one.was_wei), dgai(one.would_wei), dgai(one.would_wei - one.was_wei)
