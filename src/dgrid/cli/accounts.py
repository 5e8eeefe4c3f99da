"""Behind the money commands: whose money, where it lies, and the transactions that move it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dgrid.chain.contracts import Reverted
from dgrid.chain.court import PayoutClaim, claim_payouts
from dgrid.chain.events import Kind, PayoutClaimed
from dgrid.chain.rpc import RpcError
from dgrid.chain.sender import Sender
from dgrid.chain.view import Channel
from dgrid.cli.sending import sending
from dgrid.cli.signers import address_of, key_names, user_of
from dgrid.cli.wallet_config import chain_config, open_client
from dgrid.client.book import used_by_channel
from dgrid.core.errors import DGridError
from dgrid.core.identity import ZERO_ADDRESS, Address, to_hex
from dgrid.settlement.claims import Claimable
from dgrid.settlement.claims import claim as send_rows
from dgrid.settlement.payouts import Payout
from dgrid.settlement.reading import NetworkReader, reading
from dgrid.wire.quality import PayoutKind

TREASURY = "treasury"
GAS_A_ROW = 150_000  # shown where the chain's own estimate fails
GAS_A_PAYOUT = 70_000
BLOCK_S = 2.0  # after it a new block tells which root counts
PARTY_AMOUNTS = "claimable_wei", "claimed_wei", "unjudged_wei"
PAYOUT_NAMES = {PayoutKind.NODE: "quality", PayoutKind.PAYER: "refund", PayoutKind.EVALUATOR: "judging"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A wallet at one moment. Amounts are decimal strings."""

    totals: dict[str, str]
    parties: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class ClaimPlan:
    """What would be claimed, and what sending it costs."""

    rows: list[dict[str, str]]
    due: list[Claimable] = field(repr=False)
    payouts: list[PayoutClaim] = field(repr=False)
    waiting_wei: int
    gas: int
    gas_wei: int


@dataclass(frozen=True, slots=True)
class ClaimResult:
    paid: list[dict[str, str]]
    refused: list[str]


# --- reading ---------------------------------------------------------------------------------------------------------


def read_wallet(home: Path, *, address: str | None = None) -> Sheet:
    """Deposits, use and claims of an address; else deposits and use of the home's user, and the claims of all keys in
    the home and of the treasury that their fees go to.
    """
    return asyncio.run(_read_wallet(home, None if address is None else address_of(address)))


async def _read_wallet(home: Path, address: Address | None) -> Sheet:
    async with reading(chain_config(home)) as network:
        names = {address: "address"} if address is not None else _names(home, network)
        now_s = int(time.time())
        claimables, court = await network.claimable(now_s=now_s), await network.payouts(now_s=now_s, payees=names)
        unjudged = await network.unjudged_wei()
        payer = address or user_of(home).address  # evaluators and authors pay from deposits of their own
        channels = [one for one in network.view.channels.values() if one.config.payer == payer]
    use = _accounts(home) if channels else {}
    used = {one.id: _used(one, use.get(to_hex(one.id), {}), home) for one in channels}
    owed = Owed(claimables, court.accounts, unjudged)
    parties = [_party(name, payee, owed, network) for payee, name in names.items()]
    parties = [one for one in parties if len(names) == 1 or any(one[key] != "0" for key in PARTY_AMOUNTS)]
    held = sum(int(use.get(to_hex(one.id), {}).get("held_wei", "0")) for one in channels)
    totals = {
        "deposited_wei": sum(one.deposited_wei for one in channels),
        "spent_wei": sum(used.values()),
        "held_wei": held,
        "claimable_wei": sum(int(one["claimable_wei"]) for one in parties),
        "claimed_wei": sum(int(one["claimed_wei"]) for one in parties),
        "unjudged_wei": sum(int(one["unjudged_wei"]) for one in parties),
    }
    return Sheet({name: str(amount) for name, amount in totals.items()}, parties)


def _names(home: Path, network: NetworkReader) -> dict[Address, str]:
    """The addresses behind the keys of a home, and the treasury, by what they are called here."""
    return {**key_names(home), Address(network.view.facts.treasury): TREASURY}


def _accounts(home: Path) -> dict[str, dict[str, str]]:
    """What gateways that answer say of our API key's channels, by channel."""
    try:
        found = open_client(home).fetch_all("/v1/account")
    except DGridError:  # gateways may be away or know no such key: the chain and our own books remain
        return {}
    return {account["channel_id"]: account for account in found.values()}


def _used(channel: Channel, account: dict[str, str], home: Path) -> int:
    """The highest of what the chain drew, the gateway counts, and our receipts show."""
    counted = int(account.get("spent_wei", "0"))
    return max(channel.drawn_wei, counted, used_by_channel(home / "roles" / "user", channel.id))


@dataclass(frozen=True, slots=True)
class Owed:
    """What an address may be owed by: receipts, the court's roots, and what no root has judged yet."""

    claimables: Sequence[Claimable]
    payouts: Sequence[Payout]
    unjudged_wei: dict[Address, int]


def _party(name: str, payee: Address, owed: Owed, network: NetworkReader) -> dict[str, str]:
    due = sum(one.share_of(payee, one.total_due_wei) for one in owed.claimables)
    claimed = sum(network.view.received.get((payee, kind), 0) for kind in Kind)
    court = [one for one in owed.payouts if one.account.payee == payee]
    quality = sum(one.total_due_wei for one in court)
    return {
        "name": name,
        "address": to_hex(payee),
        "claimable_wei": str(due + quality),
        "quality_wei": str(quality),  # the part of it that the court pays
        "claimed_wei": str(claimed + sum(one.claimed_wei for one in court)),
        "unjudged_wei": str(owed.unjudged_wei.get(payee, 0)),
    }


# --- claiming --------------------------------------------------------------------------------------------------------


def plan_claim(home: Path) -> ClaimPlan:
    """What the keys of the home, and the treasury, can claim now."""
    return asyncio.run(_plan_claim(home))


async def _plan_claim(home: Path) -> ClaimPlan:
    async with reading(chain_config(home)) as network:
        names = _names(home, network)
        found = await network.claimable(now_s=int(time.time()))
        ours = [one for one in found if any(payee in names for payee, _ in one.payees)]
        due = [one for one in ours if one.due_wei and one.proof is not None]
        court = await network.payouts(now_s=int(time.time()), payees=names)
        gas = await _gas(network, due) + GAS_A_PAYOUT * len(court.claims)
        price = await network.rpc.gas_price_wei()
    rows = [row for one in due for row in _claim_rows(one, names)]
    rows += [_payout_row(one, one.due_wei, names) for one in court.accounts if one.due_wei]
    waiting_wei = sum(one.total_due_wei - one.due_wei for one in ours)
    waiting_wei += sum(one.total_due_wei - one.due_wei for one in court.accounts)
    return ClaimPlan(rows, due, list(court.claims), waiting_wei, gas, gas * price)


def _payout_row(one: Payout | PayoutClaimed, amount_wei: int, names: dict[Address, str]) -> dict[str, str]:
    return {
        "kind": PAYOUT_NAMES[one.account.kind],
        "gateway": "" if one.account.gateway == ZERO_ADDRESS else to_hex(one.account.gateway),
        "payee": to_hex(one.account.payee),
        "name": names.get(one.account.payee, "another"),
        "amount_wei": str(amount_wei),
    }


def _claim_rows(one: Claimable, names: dict[Address, str]) -> Iterable[dict[str, str]]:
    for payee, _ in one.payees:
        yield {
            "kind": one.party.kind.name.lower(),
            "gateway": to_hex(one.party.gateway),
            "payee": to_hex(payee),
            "name": names.get(payee, "another"),
            "amount_wei": str(one.share_of(payee, one.due_wei)),
        }


async def _gas(network: NetworkReader, due: Sequence[Claimable]) -> int:
    if not due:
        return 0
    settlement = network.contracts.settlement
    rows = [(one.party.kind, one.proof.arguments()) for one in due if one.proof is not None]
    call = {"to": to_hex(settlement.address), "data": to_hex(settlement.encode("claim", [rows]))}
    try:
        return int(await network.rpc.call("eth_estimateGas", [call]), 16)
    except RpcError:
        return GAS_A_ROW * len(due)


def send_claim(home: Path, plan: ClaimPlan) -> ClaimResult:
    """Sends the plan from the home's user key; the money goes to the payees."""
    return asyncio.run(_send_claim(home, plan))


async def _send_claim(home: Path, plan: ClaimPlan) -> ClaimResult:
    async with sending(home) as (network, sender):
        names = _names(home, network)
        outcome = await send_rows(sender, network.contracts, rows=plan.due)
        by_court, refused = await _claim_payouts(sender, network, home, rows=plan.payouts)
    paid = [
        {
            "kind": one.kind.name.lower(),
            "gateway": to_hex(one.gateway),
            "payee": to_hex(one.payee),
            "name": names.get(one.payee, "another"),
            "amount_wei": str(one.amount_wei),
        }
        for one in outcome.paid
    ]
    paid += [_payout_row(one, one.amount_wei, names) for one in by_court]
    return ClaimResult(paid, [*outcome.refused, *refused])


async def _claim_payouts(
    sender: Sender, network: NetworkReader, home: Path, *, rows: Sequence[PayoutClaim]
) -> tuple[Sequence[PayoutClaimed], list[str]]:
    """What the court paid."""

    async def send(rows: Sequence[PayoutClaim]) -> Sequence[PayoutClaimed]:
        return await claim_payouts(sender, network.contracts, rows=rows)

    async def renew() -> Sequence[PayoutClaim]:
        await asyncio.sleep(BLOCK_S)
        async with reading(chain_config(home)) as later:
            found = await later.payouts(now_s=int(time.time()), payees={row.account.payee for row in rows})
        return found.claims

    return await claim_or_renew(send, rows, renew=renew) if rows else ((), [])


async def claim_or_renew(
    send: Callable[[Sequence[PayoutClaim]], Awaitable[Sequence[PayoutClaimed]]],
    rows: Sequence[PayoutClaim],
    *,
    renew: Callable[[], Awaitable[Sequence[PayoutClaim]]],
) -> tuple[Sequence[PayoutClaimed], list[str]]:
    """What the court paid, and why it refused. A newer root may become final between planning and sending: then the
    same payees' rows are of the old one, and those of the newer one, which are never less, are sent once.
    """
    try:
        return await send(rows), []
    except Reverted:
        newer = await renew()
    try:
        return await send(newer), []
    except Reverted as error:
        return (), [f"{error.message}; a newer quality root counts now: claim again"]
