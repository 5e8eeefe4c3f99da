"""Evaluators in a real court on a dev chain: their loops are stepped, the chain's clock is moved by the test.

The accused node is one of paper: it signs what it is asked, with real receipts, and says what the test wants.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec
from tests.devnet import Devnet, running_devnet
from tests.settlement.books import MODEL
from tests.settlement.network import STAKE_WEI, Settling, settling

from dgrid.chain import court
from dgrid.chain.case_view import Case
from dgrid.chain.court import EvaluatorSignature
from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import Role
from dgrid.chain.sender import Sender
from dgrid.chain.view import ChainView, PostedQuality
from dgrid.core.identity import Address
from dgrid.core.keccak import ZERO_HASH, keccak
from dgrid.core.money import WEI
from dgrid.evaluator.cases.accusing import Accuser
from dgrid.evaluator.cases.journal import FILE_NAME, VoteJournal
from dgrid.evaluator.cases.jury import Bar, Jury
from dgrid.evaluator.cases.sampling import Reply, Sampler
from dgrid.evaluator.cases.working import CaseLoop, CourtDesk
from dgrid.evaluator.clerk import Clerk
from dgrid.evaluator.concluding import quorum_of
from dgrid.evaluator.journal import FILE_NAME as JOURNAL_NAME
from dgrid.evaluator.journal import Journal
from dgrid.evaluator.planning import Commit, Reveal
from dgrid.evaluator.rerun import Peer
from dgrid.evaluator.tally import Tally
from dgrid.evaluator.working import ChainTime
from dgrid.gateway.admit import forwarded
from dgrid.processes.life import now_ms
from dgrid.settlement.appealing import BondPurse
from dgrid.settlement.hearings import windows_of_hearing
from dgrid.settlement.quality import QualityReader
from dgrid.settlement.rounds import root_of, windows_of
from dgrid.settlement.samples import SampleTerms
from dgrid.wire.blob import decode_record
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import Content, Identity, QualityTable, encode_quality
from dgrid.wire.typed import Domain, court_domain

WEIGHTS = keccak(b"weights")
EPOCH_S = 60
FINAL_S = 30
NEAR, FAR = b"near", b"far"
DEADLINE_S = 300
PAUSED = "paused"


def write_body(chance: bytes, model: str) -> bytes:
    messages = [{"role": "user", "content": f"Where does {chance.hex()} live?"}]
    return msgspec.json.encode({"model": model, "messages": messages})


@dataclass
class ByEvidence:
    """Finds what the paper node put into its evidence."""

    measured: int = 0

    async def measure(self, digest: bytes, content: Content) -> Identity | None:
        assert digest == WEIGHTS
        self.measured += 1
        gap = 400_000 if content.evidence == FAR else 1_000
        return Identity(10, gap, gap, 0, -200_000)


@dataclass
class PaperNode:
    """Answers with receipts of one gateway, as another model or as the claimed one; or not at all."""

    network: Settling
    payer: str
    evidence: bytes = NEAR
    seldom: int = 0  # of twenty replies that many are the claimed model's, where the evidence is another's
    is_away: bool = False
    asked: int = 0

    @property
    def address(self) -> Address:
        return self.network.net.key("node-1").address

    @property
    def peer(self) -> Peer:
        return Peer(self.address, MODEL, WEIGHTS)

    async def reply(self, peer: Peer, body: bytes) -> Reply:
        assert peer == self.peer
        evidence = NEAR if self.asked % 20 < self.seldom else self.evidence
        self.asked += 1
        if self.is_away:
            await asyncio.sleep(3600)
        books, net = self.network.books, self.network.net
        block = await net.rpc.block("latest")
        assert block is not None
        epoch = (block.timestamp_s - net.genesis_s) // net.epoch_seconds
        books.deadline_s = net.genesis_s + epoch * net.epoch_seconds + DEADLINE_S
        chat = decode_chat(body)
        content = Content(secrets.token_bytes(32), forwarded(chat, body), "Oslo", evidence)
        config = next(one.config for one in self.network.watcher.finalized.channels.values())
        work = self.network.work(config, "node-1", tokens_in=40, tokens_out=2)
        books.answer(epoch, replace(work, said=content, digest=WEIGHTS, seed=chat.wanted_seed or 0))
        record = decode_record(books.rows[epoch][-1].record)
        return Reply(ReceiptDocument.of(record, domain=net.domain), content)


@dataclass
class CourtSeat:
    """One evaluator with all that is its own; `life` ends like the process does that is killed."""

    name: str
    me: Address
    loop: CaseLoop
    clerk: Clerk
    life: AsyncExitStack

    @property
    def votes(self) -> VoteJournal:
        return self.loop.desk.journal


@dataclass
class Courtroom:
    """Everything a test of cases touches."""

    network: Settling
    node: PaperNode
    seats: dict[str, CourtSeat] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    @property
    def view(self) -> ChainView:
        return self.network.watcher.finalized

    @property
    def domain(self) -> Domain:
        net = self.network.net
        return court_domain(net.config.chain_id, net.contracts.quality_court.address)

    @property
    def case(self) -> Case:
        """The latest."""
        return list(self.view.cases.values())[-1]

    async def seat(self, name: str) -> CourtSeat:
        """An evaluator that begins, or begins anew after it was killed."""
        net, watcher, key = self.network.net, self.network.watcher, self.network.net.key(name)
        folder = net.folder / name
        folder.mkdir(exist_ok=True)
        life = AsyncExitStack()
        sender = Sender(net.rpc, key, folder=folder, chain_id=net.config.chain_id)
        life.push_async_callback(sender.close)
        votes, salt = VoteJournal(folder / FILE_NAME), partial(secrets.token_bytes, 32)
        life.callback(votes.close)
        journal = Journal(folder / JOURNAL_NAME)
        life.callback(journal.close)
        clerk = Clerk(key, self.domain, journal, self.network.archives, net.rpc, sender, net.contracts, salt)
        quality = QualityReader(self.network.records, self.network.archives, domain=net.domain, court=self.domain)
        terms = SampleTerms(net.domain, self.domain, write_body)
        sampler = Sampler(key.address, self.node.reply, ByEvidence(), terms, WEI)
        bar = Bar(key, quality, self.network.archives, sampler, net.contracts.dgai.address)
        jury = Jury(bar)
        desk = CourtDesk(BondPurse(net.rpc, net.contracts, sender, True), votes)
        accuser = Accuser(key.address, bar, jury, lambda _: True, desk.signers, journal.secret)
        time = ChainTime(lambda: watcher.latest_s, now_ms)
        loop = CaseLoop(watcher, desk, jury, accuser, self._peers, time, Tally(), salt)
        life.push_async_callback(loop.close)
        self.seats[name] = CourtSeat(name, key.address, loop, clerk, life)
        return self.seats[name]

    async def register(self, name: str) -> None:
        """Registers an evaluator that runs the model."""
        net, watcher = self.network.net, self.network.watcher
        sender = await net.sender(name, dgai_wei=0)
        enrolment = Enrolment(Role.EVALUATOR, "http://127.0.0.1:1", STAKE_WEI, encryption_key=keccak(name.encode()))
        await Enroller(net.rpc, net.contracts, sender, dev=True).enroll(enrolment, watcher.latest)
        await court.declare_models(sender, net.contracts, role=Role.EVALUATOR, digests=[WEIGHTS])
        await sender.close()

    async def _peers(self) -> tuple[Peer, ...]:
        return (self.node.peer,)

    # --- a root on which evaluators can ask ---------------------------------------------------------------------------

    async def post(self) -> PostedQuality:
        """The root of a round in which all evaluators committed and opened."""
        net, number = self.network.net, await self._epoch()
        windows = windows_of(self.view, number)
        await self.go_to(windows.commit_from_s)
        for seat in self.seats.values():
            await seat.clerk.commit(Commit(number))
        await self.go_to(windows.reveal_from_s)
        for seat in self.seats.values():
            await seat.clerk.reveal(Reveal(number), within_s=10)
        await self.go_to(windows.post_from_s)
        table = QualityTable(self.domain.chain_id, self.domain.verifying_contract, number, ZERO_HASH, *((),) * 8)
        keys = [net.key(name) for name in self.seats]
        assert await self.network.archives.put(encode_quality(table), key=keys[0])
        root = root_of(table, token=net.contracts.dgai.address, previous=None)
        digest = self.domain.digest(root.struct_hash())
        signatures = [EvaluatorSignature(key.address, key.sign(digest)) for key in keys]
        view = await self.network.watcher.until(
            lambda view: sum(of == number for of, _ in view.openings) == len(keys), timeout_s=FINAL_S
        )
        enough = quorum_of(signatures, view, number=number)
        anyone = await net.sender("anyone", dgai_wei=0)
        await court.post_quality(anyone, net.contracts, root=root, releases=(), signatures=enough)
        view = await self.network.watcher.until(lambda view: number in view.quality_roots, timeout_s=FINAL_S)
        return view.quality_roots[number]

    async def _epoch(self) -> int:
        block = await self.network.net.rpc.block("latest")
        assert block is not None
        return self.view.clock.epoch_at(1000 * block.timestamp_s)

    # --- steps --------------------------------------------------------------------------------------------------------

    async def until(self, holds: Callable[[ChainView], bool], *names: str) -> None:
        """Steps evaluators, by default all, until the final view holds something."""
        async with asyncio.timeout(FINAL_S):
            while not holds(self.view):
                for name in names or tuple(self.seats):
                    await self.seats[name].loop.step()
                await asyncio.sleep(0.05)

    async def go_to(self, second: int) -> None:
        """Moves the chain's clock on to a moment, and a little further."""
        net = self.network.net
        block = await net.rpc.block("latest")
        assert block is not None
        if block.timestamp_s <= second:
            await net.pass_time(second - block.timestamp_s + 1)

    async def hear(self, *, stage: int = 0) -> None:
        """From the seed to the opened votes of one hearing."""
        await self.until(lambda view: self.case.stage == stage and self.case.hearing.is_complete)
        windows = windows_of_hearing(self.view, self.case)
        await self.until(lambda view: self._have_found())
        await self.go_to(windows.enrol_until_s)
        await self.until(lambda view: len(self.case.hearing.sealed) == self.case.hearing.size)
        await self.go_to(windows.vote_until_s)
        await self.until(lambda view: len(self.case.hearing.votes) == self.case.hearing.size)
        await self.go_to(windows.unseal_until_s)

    def _have_found(self) -> bool:
        case = self.case
        sit = [seat for seat in self.seats.values() if seat.me in case.hearing.seats]
        return all(seat.votes.vote(case.id, case.stage) is not None for seat in sit)

    async def close_case(self) -> Case:
        """After the time for an appeal: carried out."""
        windows = windows_of_hearing(self.view, self.case)
        await self.go_to(windows.appeal_until_s + 30)
        await self.until(lambda view: not self.case.is_open)
        return self.case


@contextlib.asynccontextmanager
async def laying(net: Devnet, slots: int) -> AsyncIterator[None]:
    """Where many blocks must lie on one to make it final: lays them, until the test's file says to pause."""

    async def lay() -> None:
        while slots > 1:
            if not (net.folder / PAUSED).exists():
                await net.rpc.call("anvil_mine", [hex(2 * slots + 1)])
            await asyncio.sleep(0.05)

    task = asyncio.create_task(lay())
    try:
        yield
    finally:
        task.cancel()


@contextlib.asynccontextmanager
async def courtroom(
    folder: Path, *, evaluators: int, changed: dict[str, int] | None, slots: int
) -> AsyncIterator[Courtroom]:
    """A node that serves one gateway, and evaluators that are registered and have met no case."""
    devnet = running_devnet(folder, epoch_seconds=EPOCH_S, changed=changed, slots=slots)
    async with devnet as net, laying(net, slots):
        network = await settling(net)
        node = await net.sender("node-1", dgai_wei=0)
        enroller = Enroller(net.rpc, net.contracts, node, dev=True)
        await enroller.enroll(Enrolment(Role.NODE, "http://127.0.0.1:1", STAKE_WEI), network.watcher.latest)
        await network.open_channel("payer-1", amount_wei=10**6 * WEI)
        room = Courtroom(network, PaperNode(network, "payer-1"))
        names = [f"evaluator-{index + 1}" for index in range(evaluators)]
        for name in names:
            await room.register(name)
            await room.seat(name)
        await network.watcher.until(lambda view: len(view.declared) == evaluators, timeout_s=FINAL_S)
        await net.pass_time(3)  # a member's stake must have stood before a case
        try:
            yield room
        finally:
            for seat in room.seats.values():
                await seat.life.aclose()


def in_court(
    folder: Path,
    main: Callable[[Courtroom], Awaitable[None]],
    *,
    evaluators: int = 4,
    changed: dict[str, int] | None = None,
    slots: int = 1,
) -> None:
    """Runs an async test in a courtroom of its own."""

    async def whole() -> None:
        async with courtroom(folder, evaluators=evaluators, changed=changed, slots=slots) as room:
            await main(room)

    asyncio.run(whole())
