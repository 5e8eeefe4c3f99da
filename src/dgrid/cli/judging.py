"""Behind the commands about quality: certificates, evaluators, why a node is believed.

Everything is read from the chain and any one archive; no gateway is asked for what it could bend.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dgrid.chain.events import Role
from dgrid.chain.view import ChainView, Member
from dgrid.cli.later import Note, awaited, sooner_or_later
from dgrid.cli.signers import key_names
from dgrid.cli.terminal import many, short
from dgrid.cli.wallet_config import chain_config, open_client
from dgrid.core.errors import DGridError, InvalidRequest, NotYet, ReceiptNotFound
from dgrid.core.identity import Address, ModelId, from_hex, model_id, to_hex
from dgrid.engines.catalog import Catalog
from dgrid.settlement.certificate import Certificate
from dgrid.settlement.certifying import certify
from dgrid.settlement.fates import Fate, fates
from dgrid.settlement.reading import NetworkReader, reading
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.quality import BalanceRow, Change, CredibilityRow, LeafKey, QualityTable

Rows = list[dict[str, Any]]

LOOKED_AT = 100  # receipts, the latest first, for one that was judged


# --- certificates -----------------------------------------------------------------------------------------------------


def certificate(home: Path, *, request_id: bytes | None, wait_s: float, note: Note) -> Certificate:
    """The certificate of a receipt, or of the latest judged one of this home's.

    Raises NotYet, NotDrawn, ReceiptNotFound, CheckFailed, NetworkUnreachable.
    """

    def look() -> Certificate:
        wanted = request_id or _latest_judged(home)
        return asyncio.run(_certificate(home, wanted))

    explain = partial(sooner_or_later, home, request_id=request_id)
    return awaited(look, wait_s=wait_s, note=note, explain=explain)


def _latest_judged(home: Path) -> bytes:
    """Raises ReceiptNotFound where nothing was asked yet, NotYet."""
    listed = open_client(home).receipts(limit=LOOKED_AT)
    if not listed:
        raise ReceiptNotFound("this home has no receipts yet", hint="`dgrid chat` asks something")
    judged = [one["id"] for one in with_fates(home, listed) if one["judging"] == Fate.JUDGED]
    if not judged:
        hint = "`dgrid receipts --judged` shows how far it is; `--wait 120` waits for it"
        raise NotYet(f"none of your latest {many(len(listed), 'receipt')} is judged yet", hint=hint)
    return from_hex(judged[0], size=32)


async def _certificate(home: Path, request_id: bytes) -> Certificate:
    async with reading(chain_config(home)) as network:
        return await certify(network.quality, network.records, request_id=request_id)


# --- receipts ---------------------------------------------------------------------------------------------------------


def with_fates(home: Path, receipts: Rows) -> Rows:
    """Receipts as gateways list them, with what became of each as `judging`. Raises CheckFailed, NetworkUnreachable."""
    return asyncio.run(_with_fates(home, receipts))


async def _with_fates(home: Path, receipts: Rows) -> Rows:
    by_epoch: dict[int, list[bytes]] = {}
    for one in receipts:
        by_epoch.setdefault(one["epoch"], []).append(from_hex(one["id"], size=32))
    async with reading(chain_config(home)) as network:
        found = await fates(network.quality, network.records, by_epoch=by_epoch)
    return [{**one, "judging": found[from_hex(one["id"], size=32)].value} for one in receipts]


# --- evaluators -------------------------------------------------------------------------------------------------------


def evaluators(home: Path) -> Rows:
    """All evaluators that ever registered, with what the last table says of them."""
    return asyncio.run(_evaluators(home))


async def _evaluators(home: Path) -> Rows:
    async with reading(chain_config(home)) as network:
        table = await network.quality.latest_table()
        view = network.view
    names, balances = key_names(home), {} if table is None else {row.evaluator: row for row in table.balances}
    members = sorted((one for (role, _), one in view.members.items() if role is Role.EVALUATOR), key=_by_stake)
    return [_evaluator(view, member.address, balances.get(member.address), names) for member in members]


def _by_stake(member: Member) -> tuple[int, bytes]:
    return -member.stake_wei, member.address


def _evaluator(
    view: ChainView, address: Address, balance: BalanceRow | None, names: Mapping[Address, str]
) -> dict[str, Any]:
    member = view.members[Role.EVALUATOR, address]
    committed = {number for number, evaluator in view.commitments if evaluator == address}
    opened = {number for number, evaluator in view.openings if evaluator == address}
    withheld = {number for number, evaluator in view.penalized if evaluator == address}
    row = balance or BalanceRow(address, 0, 0, (), bytes(16), 0)
    return {
        "address": to_hex(address),
        "name": names.get(address),
        "state": "active" if member.active else "inactive",
        "endpoint": member.endpoint,
        "stake_wei": str(member.stake_wei),
        "models": len(view.declared.get((Role.EVALUATOR, address), ())),
        "tasks": row.tasks,
        "balance": row.balance_micros,
        "paid_wei": str(row.paid_wei),
        "missed": row.missed,
        "committed_round": max(committed, default=None),
        "opened_round": max(opened, default=None),
        "rounds": {"committed": len(committed), "opened": len(opened), "withheld": len(withheld)},
    }


# --- nodes ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why a node is believed: what the last table says, and the leaves behind its latest changes."""

    node: dict[str, Any]
    rows: Rows
    changes: Rows


def judged_nodes(home: Path) -> Rows:
    """All registered nodes as the chain and the last quality table have them: for when no gateway answers."""
    return asyncio.run(_judged_nodes(home))


async def _judged_nodes(home: Path) -> Rows:
    async with reading(chain_config(home)) as network:
        table = await network.quality.latest_table()
        view = network.view
    members = sorted((one for (role, _), one in view.members.items() if role is Role.NODE), key=_by_stake)
    return [{**_node(member, table), **_backing(view, member)} for member in members]


def _backing(view: ChainView, member: Member) -> dict[str, Any]:
    """What stands behind a member's work, and what it cost already."""
    return {
        "stake_wei": str(member.stake_wei),
        "delegated_wei": str(member.delegated_wei),
        "commission_bps": member.commission_bps,
        "slashed_wei": str(view.slashed.get((member.role, member.address), 0)),
    }


def _node(member: Member, table: QualityTable | None) -> dict[str, Any]:
    address = member.address
    rows = [] if table is None else [row for row in table.credibility if row.node == address and row.task == ""]
    best = max(rows, key=lambda row: row.samples, default=None)
    return {
        "address": to_hex(address),
        "model": None if best is None else model_named(best.model),
        "credibility_bps": None if best is None else best.mean_bps,
        "low_bps": 0 if best is None else best.low_bps,
        "high_bps": 10_000 if best is None else best.high_bps,
        "samples": 0 if best is None else best.samples,
        "traffic_share_bps": None,
        "state": "registered" if member.active else "jailed" if member.jailed_until_s else "inactive",
    }


def model_named(name: bytes) -> str:
    """A model by its id: a table holds no names, so only built-in ones have theirs."""
    known = {model_id(one.id): one.id for one in Catalog.built_in().models}
    return known.get(ModelId(name), short(to_hex(name)))


def reasons(home: Path, node: str, *, limit: int) -> Reasons:
    """Why a node is believed what it is. Raises InvalidRequest for a name that fits no node, or several."""
    return asyncio.run(_reasons(home, node, limit))


async def _reasons(home: Path, node: str, limit: int) -> Reasons:
    async with reading(chain_config(home)) as network:
        names = key_names(home)
        address = the_node(node, network.view, names=names)
        table = await network.quality.latest_table()
        if table is None:
            raise NotYet("no quality root is posted yet", hint="the first comes some epochs after the first request")
        found = await _changes(network, table, address, limit=limit)
        leaves = await _leaves_behind(network, [change for change, _ in found])
    rows = [_credibility(row) for row in table.credibility if row.node == address]
    member = network.view.members[Role.NODE, address]
    who = {"node": to_hex(address), "name": names.get(address), **_backing(network.view, member)}
    return Reasons(who, rows, [_change(change, number, leaves.get(change.key)) for change, number in found])


def the_node(text: str, view: ChainView, *, names: Mapping[Address, str]) -> Address:
    """A node by its name here, its address or the beginning of it. Raises InvalidRequest where not just one fits."""
    nodes = [address for role, address in view.members if role is Role.NODE]
    lowered = text.lower().partition("…")[0]
    fits = [one for one in nodes if names.get(one) == text or (len(lowered) > 3 and to_hex(one).startswith(lowered))]
    if len(fits) != 1:
        found = f"{text} fits {len(fits)} nodes" if fits else f"there is no node {text}"
        hint = "`dgrid nodes` lists them; give a name such as node-1, or an address's beginning"
        raise InvalidRequest(found, hint=hint)
    return fits[0]


async def _changes(
    network: NetworkReader, table: QualityTable, node: Address, *, limit: int
) -> list[tuple[Change, int]]:
    """A node's latest changes with their rounds, back through the tables as far as any archive has them."""
    found: list[tuple[Change, int]] = []
    numbers = sorted(network.view.quality_roots, reverse=True)
    for number in numbers:
        if len(found) >= limit:
            break
        try:
            one = table if number == table.round else await network.quality.table(number)
        except DGridError:
            break
        own = sorted((change for change in one.changes if change.node == node), key=lambda change: change.key)
        found += [(change, number) for change in own]
    return found[:limit]


async def _leaves_behind(network: NetworkReader, changes: Sequence[Change]) -> dict[LeafKey, ReceiptDocument]:
    """The receipts behind changes."""
    found: dict[LeafKey, ReceiptDocument] = {}
    for place in sorted({(Address(change.key.gateway), change.key.epoch) for change in changes}):
        drawn = await network.quality.records_of(network.view.draws[place])
        found |= drawn.documents
    return found


def _credibility(row: CredibilityRow) -> dict[str, Any]:
    return {
        "model": to_hex(row.model),
        "task": row.task or "all",
        "credibility_bps": row.mean_bps,
        "low_bps": row.low_bps,
        "high_bps": row.high_bps,
        "samples": row.samples,
        "round": row.round,
    }


def _change(change: Change, number: int, leaf: ReceiptDocument | None) -> dict[str, Any]:
    return {
        "round": number,
        "receipt_id": None if leaf is None else to_hex(leaf.receipt.request_id),
        "model": None if leaf is None else leaf.model,
        "task": change.task or "all",
        "cause": change.cause,
        "score_bps": change.score_bps,
        "weight_micros": change.weight_micros,
    }
