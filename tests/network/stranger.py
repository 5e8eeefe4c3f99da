"""What anybody finds out with nothing but the chain and the archives: whose money lies where, and whether scores fit.

Uses nothing of the running network but those two doors.
"""

import time
from collections.abc import Collection, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

from dgrid.chain.events import Kind
from dgrid.chain.watcher import ChainWatcher
from dgrid.config import ChainConfig, WalletConfig, to_toml
from dgrid.core.identity import Address, to_hex
from dgrid.evaluator.rescoring import Rescored, Rescorer
from dgrid.poq.dimensions import cost_score
from dgrid.poq.formats import format_score
from dgrid.poq.rules import BUILT_IN_REFERENCES
from dgrid.poq.tasks import question_of
from dgrid.poq.text import reference_score
from dgrid.processes.encoder import OwnEncoder
from dgrid.settlement.evidence import is_signed
from dgrid.settlement.quality import DrawnRecords
from dgrid.settlement.reading import NetworkReader
from dgrid.settlement.recomputing import recompute
from dgrid.settlement.records import Records
from dgrid.wire.openai import ChatRequest, decode_chat
from dgrid.wire.quality import (
    Canaries,
    Disclosure,
    LeafKey,
    PayoutKind,
    Report,
    Verdict,
    decode_content,
    decode_quality,
)

OF_RELEASES = PayoutKind.NODE, PayoutKind.PAYER  # paid from what Settlement releases; the rest from the pool


@dataclass(frozen=True)
class Books:
    """All money that was paid into channels, as it stands after one final block, whatever goes on after it."""

    deposited_wei: int
    escrow_wei: int
    settlement_wei: int  # without the gateways' bonds
    court_wei: int
    paid_wei: int  # to everybody but the court
    anchored_wei: int  # the fees under all roots
    earned_wei: int  # of them: what receipts give, claimed or not
    judged_wei: int  # … what quality roots gave nodes and payers, claimed or not
    unjudged_wei: int  # … what waits for its quality
    due_wei: int  # what can be claimed now by receipts

    @property
    def held_wei(self) -> int:
        """Where the contracts and the token say that the deposits are."""
        return self.escrow_wei + self.settlement_wei + self.court_wei + self.paid_wei

    @property
    def owed_wei(self) -> int:
        """Whose the records and tables say that the fees are."""
        return self.earned_wei + self.judged_wei + self.unjudged_wei


async def books(found: NetworkReader) -> Books:
    """Everything at the latest final block: balances are asked for that block, and records read up to it."""
    watcher = ChainWatcher(found.rpc, found.contracts, None)
    await watcher.poll()
    view, block, contracts = watcher.finalized, hex(watcher.block), found.contracts
    pinned = replace(found, view=view, records=Records(lambda: view, found.archives))

    async def held(contract: bytes) -> int:
        balance: int = await contracts.dgai.read(found.rpc, "balanceOf", [contract], block=block)
        return balance

    claimable = await pinned.claimable(now_s=int(time.time()))
    table = await pinned.quality.latest_table()
    to_court = view.received.get((Address(view.facts.treasury), Kind.PROTOCOL), 0)
    return Books(
        deposited_wei=sum(channel.deposited_wei for channel in view.channels.values()),
        escrow_wei=await held(contracts.channel_escrow.address),
        settlement_wei=await held(contracts.settlement.address) - sum(view.bonds.values()),
        court_wei=await held(contracts.quality_court.address),
        paid_wei=sum(view.received.values()) - to_court + sum(view.paid_out.values()),
        anchored_wei=sum(anchor.root.pot for anchor in view.roots.values()),
        earned_wei=sum(one.earned_wei + one.waiting_wei for one in claimable),
        judged_wei=0 if table is None else sum(row.total_wei for row in table.payouts if row.kind in OF_RELEASES),
        unjudged_wei=sum((await pinned.unjudged_wei()).values()),
        due_wei=sum(one.due_wei for one in claimable),
    )


@dataclass(frozen=True)
class Seen:
    """A judged leaf whose content anybody can read, and what was reported of it."""

    key: LeafKey
    chat: ChatRequest
    answer: str
    cost_bps: int | None
    reports: dict[Address, Report]

    def faults(self, evaluators: Collection[Address]) -> Iterator[str]:
        """What reports of these evaluators say that does not follow from what everybody can see."""
        for evaluator, report in self.reports.items():
            if evaluator in evaluators and report.verdict == Verdict.JUDGED:
                if report.peers and report.format_bps != format_score(self.chat, self.answer):
                    yield f"{to_hex(evaluator)} says {report.format_bps} of the form of {self.key}"
                if report.cost_bps != self.cost_bps:
                    yield f"{to_hex(evaluator)} says {report.cost_bps} of the cost of {self.key}"


async def rescored(found: NetworkReader) -> list[Rescored]:
    """Every posted round's reports on public leaves, scored again with an encoder of one's own."""
    token = found.contracts.dgai.address
    async with aclosing(OwnEncoder()) as encoder:
        rescorer = Rescorer(found.quality, encoder, BUILT_IN_REFERENCES)
        return [
            await rescorer.rescore(await recompute(found.quality, number, token=token))
            for number in found.view.quality_roots
        ]


Told = dict[LeafKey, dict[Address, Report]]


async def all_reports(found: NetworkReader) -> Told:
    """Everything that evaluators ever opened, by leaf."""
    told: Told = {}
    for number, evaluator in found.view.openings:
        for report in (await found.quality.reports(number, evaluator)).reports:
            told.setdefault(report.key, {})[evaluator] = report
    return told


async def canaries(found: NetworkReader) -> tuple[list[Seen], dict[LeafKey, int]]:
    """Every opened canary with what was reported of it, and the truth of its answer as computed here."""
    seen, truths = [], {}
    told = await all_reports(found)
    for (_, gateway, epoch), blob_id in found.view.canary_openings.items():
        drawn = await found.quality.records_of(found.view.draws[gateway, epoch])
        blob = decode_quality(await found.archives.fetch(blob_id))
        assert isinstance(blob, Canaries)
        for one in blob.canaries:
            key, chat = LeafKey(gateway, epoch, one.lane, one.sequence), decode_chat(one.body)
            seen.append(_seen(drawn, key, (chat, one.output), told))
            truths[key] = reference_score(one.task, one.output, one.reference, question=question_of(chat))
    return seen, truths


async def public_requests(found: NetworkReader) -> list[Seen]:
    """Every drawn leaf whose caller let everybody read it, checked to be what gateway and node signed."""
    seen, told = [], await all_reports(found)
    for (gateway, epoch), blob_id in found.view.disclosures.items():
        drawn = await found.quality.records_of(found.view.draws[gateway, epoch])
        blob = decode_quality(await found.archives.fetch(blob_id))
        assert isinstance(blob, Disclosure)
        for leaf in blob.leaves:
            if not leaf.keys:
                key, content = LeafKey(gateway, epoch, leaf.lane, leaf.sequence), decode_content(leaf.content)
                assert is_signed(content, drawn.documents[key])
                seen.append(_seen(drawn, key, (decode_chat(content.request), content.answer), told))
    return seen


def _seen(drawn: DrawnRecords, key: LeafKey, said: tuple[ChatRequest, str], told: Told) -> Seen:
    leaf = next(leaf for leaf in drawn.facts.leaves if leaf.key == key)
    return Seen(key, *said, cost_score(leaf, BUILT_IN_REFERENCES), told.get(key, {}))


def stranger_home(folder: Path, chain: ChainConfig) -> Path:
    """A home that knows a chain, and no gateway, no key and no network."""
    folder.mkdir()
    wallet = WalletConfig((), folder / "api_key", folder / "user.key", chain)
    (folder / "config.toml").write_text(to_toml(wallet))
    return folder
