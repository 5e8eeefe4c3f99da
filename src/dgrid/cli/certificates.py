"""What a certificate says, for people and for programs: what each drawn evaluator found, and what the node is believed.

Says nothing of whether it holds: that is `dgrid verify`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dgrid.cli.terminal import NOTHING, columns, many, percentage, short
from dgrid.core.identity import Address, to_hex
from dgrid.settlement.certificate import Certificate, Member
from dgrid.settlement.findings import SCORES, finding
from dgrid.wire.quality import CredibilityRow

Json = dict[str, Any]


def findings_data(made: Certificate, names: Mapping[Address, str]) -> Json:
    """A certificate's content without its proofs."""
    members = [_member(one, names) for one in made.members]
    return {
        "id": to_hex(made.document.receipt.request_id),
        "round": made.root.round,
        "drawn_round": made.draw.round,
        "committee": len(members),
        "reports": sum(one["verdict"] is not None for one in members),
        "members": members,
        "node": to_hex(made.document.receipt.parties.node),
        "model": made.document.model,
        "credibility": [_belief(one.row) for one in made.rows],
    }


def _member(member: Member, names: Mapping[Address, str]) -> Json:
    return {
        "evaluator": to_hex(member.evaluator),
        "name": names.get(Address(member.evaluator)),
        "absence": member.absence,
        **finding(None if member.opened is None else member.opened.report),
    }


def _belief(row: CredibilityRow) -> Json:
    return {
        "task": row.task or "all",
        "credibility_bps": row.mean_bps,
        "low_bps": row.low_bps,
        "high_bps": row.high_bps,
        "samples": row.samples,
    }


def findings_text(found: Json) -> str:
    """The same in plain text."""
    head = f"receipt {found['id']}, drawn for round {found['drawn_round']}"
    told = f"{found['reports']} of {many(found['committee'], 'evaluator')} reported"
    titles = "EVALUATOR", "NAME", *(name.upper() for name in SCORES), "GAP", "SAYS"
    rows = [_row(one) for one in found["members"]]
    return "\n".join([f"{head}: {told}", "", columns(titles, rows), "", *_belief_lines(found)])


def _row(member: Json) -> list[str]:
    scores = [NOTHING if (bps := member[f"{name}_bps"]) is None else percentage(bps) for name in SCORES]
    gap = NOTHING if member["gap_micros"] is None else f"{member['gap_micros'] / 1_000_000:.3f} nats"
    return [short(member["evaluator"]), member["name"] or NOTHING, *scores, gap, member["verdict"] or member["absence"]]


def _belief_lines(found: Json) -> Iterator[str]:
    """What is believed of the node's work with the model, all tasks together."""
    for one in found["credibility"]:
        if one["task"] == "all":
            bounds = f"{percentage(one['low_bps'])} to {percentage(one['high_bps'])}"
            yield f"node {short(found['node'])} with {found['model']}, after round {found['round']}:"
            yield f"  credibility {percentage(one['credibility_bps'])} ({bounds}) by {many(one['samples'], 'sample')}"
