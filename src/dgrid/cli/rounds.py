"""The judging behind audited epochs, computed again: does each round's table follow, and do the scores that lie open?

Everything is read from the chain and any one archive. An encoder is started only where scores rest on one.
"""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from dgrid.chain.view import ChainView
from dgrid.core.identity import Address, to_hex
from dgrid.evaluator.rescoring import Rescored, Rescorer, Unfounded
from dgrid.poq.identity import Likelihood
from dgrid.poq.rules import BUILT_IN_REFERENCES
from dgrid.processes.encoder import OwnEncoder
from dgrid.settlement.audit import AuditReport
from dgrid.settlement.reading import NetworkReader
from dgrid.settlement.recomputing import Reported, RoundAudit, recompute
from dgrid.settlement.rounds import posted_over
from dgrid.wire.quality import LeafKey

Rows = list[dict[str, Any]]


async def audited_quality(network: NetworkReader, reports: Sequence[AuditReport]) -> Rows:
    """The judging behind audited epochs: one entry a round, and one for epochs that wait for theirs."""
    view = network.view
    rounds: dict[tuple[int | None, int | None], list[Address]] = {}
    for report in reports:
        draw = view.draws.get((report.gateway, report.epoch))
        number = None if draw is None else covering_round(view, draw.round)
        rounds.setdefault((None if draw is None else draw.round, number), []).append(report.gateway)
    async with aclosing(OwnEncoder()) as encoder:
        rescorer = Rescorer(network.quality, encoder, BUILT_IN_REFERENCES)
        return [await _round(network, *key, gateways=gateways, rescorer=rescorer) for key, gateways in rounds.items()]


def covering_round(view: ChainView, drawn_round: int) -> int | None:
    """The first posted round that takes a draw's round in."""
    posted = posted_over(view, drawn_round)
    return None if posted is None else posted.root.round


async def _round(
    network: NetworkReader,
    drawn_round: int | None,
    posted: int | None,
    *,
    gateways: Sequence[Address],
    rescorer: Rescorer,
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "gateways": [to_hex(gateway) for gateway in gateways],
        "state": "no seed yet" if drawn_round is None else "being judged" if posted is None else "posted",
        "drawn_round": drawn_round,
        "round": posted,
    }
    if posted is None:
        return {**entry, "recomputes": None, "differences": []}
    token = network.contracts.dgai.address
    audit = await recompute(network.quality, posted, token=token)
    return {**entry, **_round_data(audit, await rescorer.rescore(audit))}


def _round_data(found: RoundAudit, scores: Rescored) -> dict[str, Any]:
    obedience = found.obedience
    return {
        "recomputes": found.ok,
        "blob_id": to_hex(found.root.blob_id),
        "credibility_root": to_hex(found.root.credibility_root),
        "payouts_root": to_hex(found.root.payouts_root),
        "payouts_wei": str(found.root.payouts_total),
        "drawn": obedience.drawn,
        "duties": obedience.duties,
        "reported": obedience.reported,
        "undisclosed": obedience.undisclosed,
        "missed": [_reported_data(one) for one in obedience.missed],
        "unbidden": [_reported_data(one) for one in obedience.unbidden],
        "rescored": scores.reports,
        "not_rescored": scores.unread,
        "unfounded": [_unfounded_data(one) for one in scores.unfounded],
        "likelihoods": [_likelihood_data(one) for one in found.likelihoods],
        "refused": list(found.refused),
        "differences": list(found.differences),
    }


def _reported_data(one: Reported) -> dict[str, Any]:
    judged_round, evaluator, key = one
    return {"round": judged_round, "evaluator": to_hex(evaluator), **_place_data(key)}


def _unfounded_data(one: Unfounded) -> dict[str, Any]:
    return {"round": one.round, "evaluator": to_hex(one.evaluator), **_place_data(one.key), "reason": one.reason}


def _likelihood_data(one: Likelihood) -> dict[str, Any]:
    return {
        "node": to_hex(one.node),
        "model_id": to_hex(one.model),
        "replies": one.replies,
        "tokens": one.tokens,
        "likelihood_micros": one.likelihood_micros,
        "misses_micros": one.misses_micros,
    }


def _place_data(key: LeafKey) -> dict[str, Any]:
    return {"gateway": to_hex(key.gateway), "epoch": key.epoch, "lane": key.lane, "sequence": key.sequence}
