"""Who does how well, and how that is known: nodes, evaluators, the latest judgement and the receipts behind it.

Read-only and public: scores, counts, addresses and sums, never a word of what was asked or answered. All figures are of
the latest final quality table, which anybody can fetch by its name and compute again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from dgrid.chain.events import Kind, Role
from dgrid.chain.view import ChainView, Member
from dgrid.core.identity import Address, model_id, to_hex
from dgrid.core.places import Place
from dgrid.gateway.presence import KnownNode
from dgrid.gateway.route.entrants import Repute, entrants_of
from dgrid.gateway.route.standing import EVERY_TASK, Standing
from dgrid.gateway.views import Sources
from dgrid.wire.quality import BalanceRow, Change, PayoutKind, QualityTable, TaskType

Json = dict[str, Any]
TASKS = (EVERY_TASK, *map(str, TaskType))


class QualityViews:
    """Answers questions about quality."""

    def __init__(self, sources: Sources) -> None:
        self._from = sources

    # --- nodes ---

    def nodes(self) -> Json:
        nodes, loads = self._from.presence.nodes, self._from.router.loads
        served = sum(loads.of(address).served for address in nodes)
        reputes, judged_wei = self._reputes(), self._from.court.view.paid_by_court(PayoutKind.NODE)
        return {
            "nodes": [
                {**self._node(nodes[address], served, reputes), **self._earnings(address, judged_wei)}
                for address in sorted(nodes)
            ]
        }

    def _reputes(self) -> dict[tuple[bytes, str], Repute]:
        """What routing thinks of each node's work with each model."""
        credibility, market = self._from.router.picture.credibility, self._from.router.market
        return {
            (one.seller.node, model): one.repute
            for model, found in market.models.items()
            for one in entrants_of(found.sellers, credibility)
        }

    def _node(self, known: KnownNode, served: int, reputes: dict[tuple[bytes, str], Repute]) -> Json:
        address, offer = known.member.address, known.offer
        load = self._from.router.loads.of(address)
        models = [model.model for model in offer.models] if offer is not None else []
        first = self._standing(address, models[0]) if models else Standing()
        return {
            "address": to_hex(address),
            "model": models[0] if models else None,
            "models": models,
            "state": self._state(known),
            "endpoint": known.member.endpoint,
            "stake_wei": str(known.member.stake_wei),
            "delegated_wei": str(known.member.delegated_wei),
            "region": offer.region if offer is not None else None,
            "engine": offer.engine if offer is not None else None,
            "capacity": offer.capacity if offer is not None else 0,
            "in_flight": load.in_flight,
            "served": load.served,
            "latency_ms": None if load.latency_ms is None else round(load.latency_ms, 1),
            "credit_line_wei": str(self._from.chain.credit_line_wei(address)),
            **interval(first),
            "repute": reputes.get((address, models[0]), Repute.NEW).value if models else None,
            "credibility": [row for model in models for row in self._rows(address, model)],
            "traffic_share_bps": load.served * 10_000 // served if served else 0,
        }

    def _standing(self, address: bytes, model: str, *, task: str = EVERY_TASK) -> Standing:
        return self._from.router.picture.credibility.find(address, model_id(model), task=task)

    def _rows(self, address: bytes, model: str) -> Iterable[Json]:
        """What is known of a node's work with a model, kind of task by kind of task."""
        for task in TASKS:
            standing = self._standing(address, model, task=task)
            if standing.samples:
                yield {"model": model, "task": task or "all", **interval(standing)}

    def _earnings(self, address: bytes, judged_wei: Mapping[bytes, int]) -> Json:
        """What this gateway ever owed the node, and what the chain has paid it from all gateways."""
        paid_wei = self._from.court.view.received.get((Address(address), Kind.NODE), 0) + judged_wei.get(address, 0)
        return {"earned_here_wei": str(self._from.ledger.node_total(address)), "paid_wei": str(paid_wei)}

    def _state(self, known: KnownNode) -> str:
        """What its presence says, unless this gateway keeps away from it or has no credit left with it."""
        source, address = self._from, known.member.address
        if known.state != "serving":
            return known.state
        if source.router.loads.of(address).is_ejected(source.now_ms()):
            return "ejected"
        owed_wei, market = source.router.owed_wei(address), source.router.market  # the lines that routing goes by
        lines = (one.line_wei for found in market.models.values() for one in found.sellers if one.node == address)
        return known.state if any(owed_wei < line_wei for line_wei in lines) else "unfunded"

    # --- evaluators ---

    def evaluators(self) -> Json:
        view, table = self._from.court.view, self._from.credibility.table
        balances = {row.evaluator: row for row in table.balances} if table is not None else {}
        members = sorted(self._evaluators(view), key=lambda member: member.address)
        paid_wei = view.paid_by_court(PayoutKind.EVALUATOR)
        return {
            "round": table.round if table is not None else None,
            "evaluators": [
                {
                    **self._evaluator(member, balances.get(member.address)),
                    "paid_wei": str(paid_wei.get(member.address, 0)),
                }
                for member in members
            ],
        }

    def _evaluators(self, view: ChainView) -> list[Member]:
        return [member for (role, _), member in view.members.items() if role is Role.EVALUATOR]

    def _evaluator(self, member: Member, row: BalanceRow | None) -> Json:
        view, address = self._from.court.view, member.address
        return {
            "address": to_hex(address),
            "endpoint": member.endpoint,
            "stake_wei": str(member.stake_wei),
            "active": member.active,
            "models": self._models_of(view.declared.get((Role.EVALUATOR, address), ())),
            "tasks": row.tasks if row is not None else 0,
            "balance_micros": row.balance_micros if row is not None else 0,
            "missed": row.missed if row is not None else 0,
            "earned_wei": str(row.paid_wei if row is not None else 0),
            "rounds_opened": view.rounds_opened.get(address, 0),
            "rounds_withheld": view.rounds_withheld.get(address, 0),
        }

    def _models_of(self, digests: Sequence[bytes]) -> list[str]:
        """The names of models by their digests, as offers tie them; a digest that nobody offers stays one."""
        market = self._from.router.market
        names = {one.model_digest: one.model for found in market.models.values() for one in found.sellers}
        return sorted(names.get(digest, to_hex(digest)) for digest in digests)

    # --- the latest judgement ---

    def quality(self, limit: int, *, node: bytes | None = None) -> Json:
        """The latest table, and what moved credibility in it and before it: of one node, or of all."""
        view, table = self._from.court.view, self._from.credibility.table
        rounds = list(islice(reversed(view.quality_roots), limit))
        return {
            "latest": self._latest(table) if table is not None else None,
            "rounds": [self._round(view, judged) for judged in rounds],
            "changes": [self._change(*found) for found in islice(self._changes(node), limit)],
            "flagged": self._flagged(table) if table is not None else [],
            "canaries_opened": list(islice(self._canaries(view), limit)),
        }

    def _latest(self, table: QualityTable) -> Json:
        return {
            "round": table.round,
            "judged": [{"gateway": to_hex(gateway), "epoch": epoch} for gateway, epoch in table.judged],
            "nodes": len({row.node for row in table.credibility}),
            "evaluators": len(table.balances),
            "changes": len(table.changes),
        }

    def _round(self, view: ChainView, judged: int) -> Json:
        posted = view.quality_roots[judged]
        return {
            "round": judged,
            "digest": to_hex(posted.digest),
            "blob_id": to_hex(posted.root.blob_id),
            "credibility_root": to_hex(posted.root.credibility_root),
            "payouts_root": to_hex(posted.root.payouts_root),
            "payouts_total_wei": str(posted.root.payouts_total),
            "posted_at_ms": posted.timestamp_ms,
        }

    def _changes(self, node: bytes | None) -> Iterator[tuple[int, Change]]:
        """What moved credibility, the latest round first."""
        changes = self._from.credibility.changes
        for judged in sorted(changes, reverse=True):
            yield from ((judged, one) for one in changes[judged] if node in (None, one.node))

    def _change(self, judged: int, change: Change) -> Json:
        """One leaf's share in a change, and where its receipt is found."""
        key = change.key
        is_ours = key.gateway == self._from.gateway
        receipt = self._from.reader.at(Place(key.epoch, key.lane, key.sequence)) if is_ours else None
        gateway = self._from.court.view.members.get((Role.GATEWAY, Address(key.gateway)))
        return {
            "round": judged,
            "node": to_hex(change.node),
            "model": self._model_named(change.model),
            "task": change.task or "all",
            "cause": change.cause,
            "score_bps": change.score_bps,
            "weight_micros": change.weight_micros,
            "gateway": to_hex(key.gateway),
            "gateway_url": gateway.endpoint if gateway is not None else None,
            "epoch": key.epoch,
            "lane": key.lane,
            "sequence": key.sequence,
            "receipt": to_hex(receipt.request_id) if receipt is not None else None,
        }

    def _model_named(self, name: bytes) -> str:
        known = (model for model in self._from.router.market.models if model_id(model) == name)
        return next(known, to_hex(name))

    def _flagged(self, table: QualityTable) -> list[Json]:
        """Nodes that were found to run another model than they sold."""
        return [
            {"node": to_hex(row.node), "model": self._model_named(row.model), "round": row.flagged_round}
            for row in table.suspicions
            if row.flagged_round >= 0
        ]

    def _canaries(self, view: ChainView) -> Iterator[Json]:
        """Opened known-answer tasks, the latest epochs first."""
        for (author, gateway, epoch), blob_id in view.canary_openings.newest():
            yield {"author": to_hex(author), "gateway": to_hex(gateway), "epoch": epoch, "blob_id": to_hex(blob_id)}


def interval(standing: Standing) -> Json:
    """A belief as it is shown: none yet is null, not a half."""
    return {
        "credibility_bps": standing.mean_bps if standing.samples else None,
        "low_bps": standing.low_bps,
        "high_bps": standing.high_bps,
        "samples": standing.samples,
    }
