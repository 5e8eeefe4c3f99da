"""Who paid whom in a network, and what was judged: read from the chain and the archives, as a stranger would."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dgrid.author.accounts import accounts_of
from dgrid.chain.events import Role
from dgrid.config import load_wallet
from dgrid.core.identity import Address, address_from_hex
from dgrid.poq.panels import all_duties
from dgrid.processes.home import Home
from dgrid.settlement.reading import NetworkReader, reading
from dgrid.settlement.rounds import rules_of
from dgrid.wire.quality import PayoutKind

USERS, EVALUATORS, CANARIES = "users", "evaluators", "canaries"
PAYERS = (USERS, EVALUATORS, CANARIES)
AUTHOR_ACCOUNTS = 4
BLOCKS_AT_ONCE = 50


@dataclass(slots=True)
class Accounts:
    """A network's whole life so far. Sums in wei; gas and transactions by the role of who sent them."""

    answers: dict[str, int] = field(default_factory=dict)  # by who paid
    fees_wei: dict[str, int] = field(default_factory=dict)
    protocol_wei: int = 0  # of the fees: the court's income
    evaluator_pay_wei: int = 0  # credited in the last table
    earned_wei: int = 0  # the evaluators' balances at the network's rate: payable once they have judged 50 tasks
    refunds_wei: int = 0  # what nodes did not keep
    rounds: int = 0
    duties: int = 0
    reports: int = 0
    identity_checks: int = 0
    reruns: int = 0  # answers that reports were compared with
    gas: dict[str, int] = field(default_factory=dict)
    transactions: dict[str, int] = field(default_factory=dict)


async def is_settled(home: Home) -> bool:
    """Whether every root that stands was judged. Raises DGridError."""
    async with reading(load_wallet(home.wallet_file).chain) as network:
        view = network.view
        draws = [view.draws.get((Address(one.root.gateway), one.root.epoch)) for one in network.records.anchors()]
        return all(draw is not None and draw.round <= view.last_quality_round for draw in draws)


async def read_accounts(home: Home, *, first_block: int) -> Accounts:
    """Everything since genesis, gas since a block. Raises DGridError."""
    async with reading(load_wallet(home.wallet_file).chain) as network:
        accounts = Accounts()
        await _read_receipts(network, home, accounts)
        await _read_rounds(network, accounts)
        await _read_gas(network, _senders(home), accounts, first_block=first_block)
        return accounts


async def latest_block(home: Home) -> int:
    async with reading(load_wallet(home.wallet_file).chain) as network:
        return int(await network.rpc.call("eth_blockNumber", []), 16)


async def _read_receipts(network: NetworkReader, home: Home, accounts: Accounts) -> None:
    answers, fees = Counter(dict.fromkeys(PAYERS, 0)), Counter(dict.fromkeys(PAYERS, 0))
    payers = _payers(home, network)
    for anchor in network.records.anchors():
        for receipts in (await network.records.epoch(anchor)).blob.receipts.values():
            for receipt in receipts:
                who = payers.get(Address(receipt.parties.payer), USERS)
                answers[who] += 1
                fees[who] += receipt.shares.fee
                accounts.protocol_wei += receipt.shares.protocol
    accounts.answers, accounts.fees_wei = dict(answers), dict(fees)


def _payers(home: Home, network: NetworkReader) -> dict[Address, str]:
    judges = {address: EVALUATORS for role, address in network.view.members if role is Role.EVALUATOR}
    wallets = accounts_of(home.key("author-1"), AUTHOR_ACCOUNTS) if home.key_file("author-1").exists() else ()
    return judges | {account.address: CANARIES for account in wallets}


async def _read_rounds(network: NetworkReader, accounts: Accounts) -> None:
    view, quality = network.view, network.quality
    for key in view.openings:
        reports = (await quality.reports(*key)).reports
        accounts.reports += len(reports)
        accounts.identity_checks += sum(report.identity is not None for report in reports)
        accounts.reruns += sum(len(report.peers) for report in reports)
    for judged_round in view.quality_roots:
        accounts.rounds += 1
        drawn = [one.facts for one in await quality.drawn(judged_round)]
        accounts.duties += len(all_duties(drawn, rules_of(view, judged_round)))
    table = await quality.latest_table()
    if table is not None:
        paid: Counter[int] = Counter()
        for row in table.payouts:
            paid[row.kind] += row.total_wei
        rate_wei = view.parameters.at(table.round).evaluator_rate_wei
        accounts.evaluator_pay_wei, accounts.refunds_wei = paid[PayoutKind.EVALUATOR], paid[PayoutKind.PAYER]
        accounts.earned_wei = sum(max(0, row.balance_micros) * rate_wei // 10**6 for row in table.balances)


def _senders(home: Home) -> dict[Address, str]:
    """The roles behind the keys of a home."""
    names = sorted(file.stem for file in (home.path / "keys").glob("*.key"))
    senders = {home.key(name).address: name.rpartition("-")[0] or name for name in names}
    wallets = accounts_of(home.key("author-1"), AUTHOR_ACCOUNTS) if "author-1" in names else ()
    return senders | {account.address: "author" for account in wallets}


async def _read_gas(
    network: NetworkReader, senders: Mapping[Address, str], accounts: Accounts, *, first_block: int
) -> None:
    gas, transactions = Counter[str](), Counter[str]()
    last = int(await network.rpc.call("eth_blockNumber", []), 16)
    for begin in range(first_block, last + 1, BLOCKS_AT_ONCE):
        numbers = range(begin, min(begin + BLOCKS_AT_ONCE, last + 1))
        calls: list[tuple[str, list[Any]]] = [("eth_getBlockReceipts", [hex(number)]) for number in numbers]
        for receipt in (one for block in await network.rpc.batch(calls) for one in block or ()):
            role = senders.get(address_from_hex(receipt["from"]), "set-up")
            gas[role] += int(receipt["gasUsed"], 16)
            transactions[role] += 1
    accounts.gas, accounts.transactions = dict(gas), dict(transactions)
