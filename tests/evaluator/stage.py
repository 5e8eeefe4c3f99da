"""A judged network in one test: a gateway whose leaves hold real content, real archives, evaluators that are stepped.

The chain's clock is moved by the test; nothing here runs by itself but the chain, its watchers and the archives.
"""

import asyncio
import contextlib
import itertools
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec
from nacl.public import PublicKey, SealedBox
from nacl.secret import SecretBox
from nacl.utils import random as random_bytes
from tests.devnet import Devnet, running_devnet
from tests.settlement.network import STAKE_WEI, Settling, settling

from dgrid.chain import court
from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import Role
from dgrid.chain.sender import Sender
from dgrid.chain.view import ChainView, Draw
from dgrid.chain.watcher import ChainWatcher
from dgrid.core.delays import Delays
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak
from dgrid.core.money import WEI
from dgrid.evaluator.clerk import Clerk
from dgrid.evaluator.concluding import LOOKS_MS, Concluder, Desk
from dgrid.evaluator.disclosures import DisclosureReader
from dgrid.evaluator.docket import Docket
from dgrid.evaluator.door import EvaluatorService
from dgrid.evaluator.journal import FILE_NAME, Journal
from dgrid.evaluator.judges.by_rules import RuleJudges
from dgrid.evaluator.judging import Bench
from dgrid.evaluator.keys import EncryptionKey
from dgrid.evaluator.rerun import Peer, PeerAnswer, Repeat, Repeater
from dgrid.evaluator.tally import Tally
from dgrid.evaluator.working import ChainTime, EvaluatorLoop
from dgrid.poq.draw import Duty, duties
from dgrid.poq.rules import BUILT_IN_REFERENCES
from dgrid.processes.life import now_ms
from dgrid.settlement.archives import Archives, doors_of
from dgrid.settlement.closing import ClosedEpoch
from dgrid.settlement.quality import QualityReader
from dgrid.settlement.records import Records
from dgrid.settlement.rounds import Windows, draw_rules, windows_of
from dgrid.wire.messages import ChannelConfig
from dgrid.wire.quality import Content, DisclosedLeaf, Disclosure, SealedKey, encode_content, encode_quality
from dgrid.wire.server import Handler, Reply, Request, Server
from dgrid.wire.typed import Domain, court_domain

EPOCH_S = 60
WEIGHTS = keccak(b"weights")
OTHERS = keccak(b"other weights")
FINAL_S = 30
DEPOSIT_WEI = 10**6 * WEI


def said(number: int) -> Content:
    """What was asked and answered in the leaf of this number."""
    question = f"Ada {number} lives in Oslo. She works as a nurse. Where does Ada {number} live?"
    body = {"model": "auto", "messages": [{"role": "user", "content": question}], "temperature": 0}
    return Content(keccak(number.to_bytes(4, "big")), msgspec.json.encode(body), "Oslo", b"\x01\x00")


@dataclass
class Seat:
    """One evaluator with all that is its own; `life` ends like the process does that is killed."""

    name: str
    me: Address
    encryption: EncryptionKey
    loop: EvaluatorLoop
    service: EvaluatorService
    server: Server
    life: AsyncExitStack

    @property
    def journal(self) -> Journal:
        return self.loop.journal


@dataclass
class Stage:
    """Everything a test of judging touches."""

    net: Devnet
    network: Settling
    gateway: Sender
    seats: dict[str, Seat] = field(default_factory=dict)
    contents: dict[tuple[int, int], Content] = field(default_factory=dict)  # by epoch and sequence
    channels: dict[str, ChannelConfig] = field(default_factory=dict)
    asked: list[Repeat] = field(default_factory=list)
    lies: dict[str, Callable[[], Reply]] = field(default_factory=dict)  # what a door answers instead, by name
    silent: dict[str, asyncio.Event] = field(default_factory=dict)  # doors that never answer, by name; set once asked
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def watcher(self) -> ChainWatcher:
        return self.network.watcher

    @property
    def view(self) -> ChainView:
        return self.watcher.finalized

    @property
    def court(self) -> Domain:
        return court_domain(self.net.config.chain_id, self.net.contracts.quality_court.address)

    def windows(self, number: int) -> Windows:
        return windows_of(self.view, number)

    # --- time ---------------------------------------------------------------------------------------------------------

    async def chain_s(self) -> int:
        block = await self.net.rpc.block("latest")
        assert block is not None
        return block.timestamp_s

    async def go_to(self, moment_s: int) -> None:
        """Moves the chain's clock to a moment, if that is ahead."""
        ahead_s = moment_s - await self.chain_s()
        if ahead_s > 0:
            await self.net.pass_time(ahead_s)

    # --- a gateway ----------------------------------------------------------------------------------------------------

    async def channel(self, name: str) -> ChannelConfig:
        """The payer's channel to the gateway, opened at first."""
        if name not in self.channels:
            self.channels[name] = await self.network.open_channel(name, amount_wei=DEPOSIT_WEI)
        return self.channels[name]

    async def anchor(
        self, epoch: int, leaves: int = 12, *, digest: bytes = WEIGHTS, vouchers: bool = True
    ) -> ClosedEpoch:
        """An anchored epoch of leaves with content; without vouchers, what was used is not collected yet."""
        name = "payer-1"
        config = await self.channel(name)
        for sequence in range(leaves):
            content = said(next(self.numbers))
            work = self.network.work(config, "node-1", tokens_in=40, tokens_out=2)
            self.network.books.answer(epoch, replace(work, said=content, digest=digest))
            self.contents[epoch, sequence] = content
        signed = [self.network.voucher(name, config, DEPOSIT_WEI)] if vouchers else []
        return await self.network.anchor(epoch, *signed)

    async def drawn(self, epoch: int, seat: "Seat") -> Draw:
        """The epoch's draw, its seed fixed by an evaluator."""
        where = self.network.books.key.address, epoch
        await self.until(lambda view: where in view.draws, seat)
        return self.view.draws[where]

    async def disclose(self, draw: Draw, *, altered: bool = False) -> None:
        """The gateway's disclosure of the leaves that are somebody's duty."""
        leaves = [self._closed(draw, duty, altered=altered) for duty in await self.duties(draw)]
        found = {(leaf.lane, leaf.sequence): leaf for leaf in leaves}
        names = self.court.chain_id, self.court.verifying_contract, self.network.books.key.address
        blob = encode_quality(Disclosure(*names, draw.epoch, draw.seed, tuple(found[at] for at in sorted(found))))
        assert len(await self.network.archives.put(blob, key=self.network.books.key)) == len(self.network.stores)
        blob_id = keccak(blob)
        await court.disclose(self.gateway, self.net.contracts, draw=draw, blob_id=blob_id)
        where = draw.gateway, draw.epoch
        await self.watcher.until(lambda view: view.disclosures.get(where) == blob_id, timeout_s=FINAL_S)

    async def duties(self, draw: Draw, name: str | None = None) -> list[Duty]:
        """All duties of a draw, or one evaluator's."""
        quality = QualityReader(self.network.records, self.network.archives, domain=self.net.domain, court=self.court)
        found = duties([(await quality.records_of(draw)).facts], draw_rules(self.view.parameters.at(draw.round)))
        return [duty for duty in found if name is None or duty.evaluator == self.seats[name].me]

    def _closed(self, draw: Draw, duty: Duty, *, altered: bool) -> DisclosedLeaf:
        key = duty.leaf.key
        content = self.contents[draw.epoch, key.sequence]
        content = msgspec.structs.replace(content, answer="Rome") if altered else content
        secret = random_bytes(SecretBox.KEY_SIZE)
        keys = [
            SealedKey(one.address, bytes(SealedBox(PublicKey(one.encryption_key)).encrypt(secret)))
            for one in draw.evaluators
        ]
        data = bytes(SecretBox(secret).encrypt(encode_content(content)))
        return DisclosedLeaf(key.lane, key.sequence, data, tuple(keys))

    # --- evaluators ---------------------------------------------------------------------------------------------------

    async def seat(self, name: str) -> Seat:
        """Registers an evaluator, or lets one that was killed begin anew, and waits until the final chain knows it."""
        known = self.seats.get(name)
        folder = self.net.folder / name
        folder.mkdir(exist_ok=True)
        life, key = AsyncExitStack(), self.net.key(name)
        sender = Sender(self.net.rpc, key, folder=folder, chain_id=self.net.config.chain_id)
        life.push_async_callback(sender.close)
        encryption = EncryptionKey.kept_in(folder)
        journal, loop = self._opened(folder, sender, encryption, life)
        service = EvaluatorService(key.address, journal, self.watcher, loop.tally)
        server = Server(self._door(name, service), host="127.0.0.1", port=0)
        await server.start()
        life.push_async_callback(server.stop)
        seat = self.seats[name] = Seat(name, key.address, encryption, loop, service, server, life)
        await self._enrol(seat, sender, is_new=known is None)
        return seat

    def _opened(
        self, folder: Path, sender: Sender, encryption: EncryptionKey, life: AsyncExitStack
    ) -> tuple[Journal, EvaluatorLoop]:
        net, watcher, key = self.net, self.watcher, self.net.key(folder.name)
        journal, tally = Journal(folder / FILE_NAME), Tally()
        life.callback(journal.close)
        archives = Archives(net.http, lambda: doors_of(watcher.latest), domain=net.domain)
        records = Records(lambda: watcher.finalized, archives)
        quality = QualityReader(records, archives, domain=net.domain, court=self.court)
        repeater = Repeater(self._answer, budget_wei=WEI)
        bench = Bench(key.address, repeater, self._peers, RuleJudges(), None, BUILT_IN_REFERENCES)
        reader = DisclosureReader(archives, self.court, encryption, key.address)
        docket = Docket(journal, quality, reader=reader, bench=bench, tally=tally)
        life.push_async_callback(docket.close)
        desk = Desk(key, self.court, journal, archives, sender, net.contracts, net.http)
        clerk = Clerk(
            key, self.court, journal, archives, net.rpc, sender, net.contracts, partial(secrets.token_bytes, 32)
        )
        time = ChainTime(lambda: watcher.latest_s, now_ms)
        concluder = Concluder(desk, quality, looks=Delays(now_ms, *LOOKS_MS))
        loop = EvaluatorLoop(key.address, watcher, journal, docket, clerk, concluder, time, tally)
        life.push_async_callback(loop.close)
        return journal, loop

    async def _enrol(self, seat: Seat, sender: Sender, *, is_new: bool) -> None:
        url, key = f"http://127.0.0.1:{seat.server.port}", seat.encryption.public
        enroller = Enroller(self.net.rpc, self.net.contracts, sender, dev=True)
        await enroller.enroll(Enrolment(Role.EVALUATOR, url, STAKE_WEI, encryption_key=key), self.watcher.latest)
        member = Role.EVALUATOR, seat.me
        if is_new:
            await court.declare_models(sender, self.net.contracts, role=Role.EVALUATOR, digests=[WEIGHTS])
        await self.watcher.until(
            lambda view: member in view.declared and view.members[member].endpoint == url, timeout_s=FINAL_S
        )

    def _door(self, name: str, service: EvaluatorService) -> Handler:
        async def handle(request: Request) -> Reply:
            while (asked := self.silent.get(name)) is not None:
                asked.set()
                await asyncio.sleep(0.02)
            lie = self.lies.get(name)
            return await service.handle(request) if lie is None else lie()

        return handle

    async def kill(self, name: str) -> None:
        """Ends an evaluator between two steps; its folder stays."""
        await self.seats[name].life.aclose()

    async def _peers(self) -> Sequence[Peer]:
        return [
            Peer(self.net.key("node-1").address, "dgrid-nano", WEIGHTS),
            Peer(self.net.key("node-2").address, "dgrid-nano", WEIGHTS),
            Peer(self.net.key("node-3").address, "dgrid-mini", OTHERS),
        ]

    async def _answer(self, repeat: Repeat) -> PeerAnswer:
        self.asked.append(repeat)
        return PeerAnswer(repeat.peer, keccak(repeat.body), "Oslo")

    # --- steps --------------------------------------------------------------------------------------------------------

    async def until(self, holds: Callable[[ChainView], bool], *seats: Seat) -> None:
        """Steps evaluators until the final view holds something."""
        async with asyncio.timeout(FINAL_S):
            while not holds(self.view):
                await self.turn(*seats)

    async def turn(self, *seats: Seat) -> None:
        """One step of each, then a moment for the chain to become final."""
        for seat in seats:
            await seat.loop.step()
        await asyncio.sleep(0.05)

    async def judged(self, draw: Draw, *seats: Seat) -> None:
        """Steps evaluators until each has a report for every duty."""
        async with asyncio.timeout(FINAL_S):
            while not all([await self._has_judged(draw, seat) for seat in seats]):
                await self.turn(*seats)

    async def _has_judged(self, draw: Draw, seat: Seat) -> bool:
        wanted = {duty.leaf.key for duty in await self.duties(draw, seat.name)}
        return {report.key for report in seat.journal.reports(draw.round)} == wanted


@contextlib.asynccontextmanager
async def staged(folder: Path, *, evaluators: int = 3, slots: int = 1) -> AsyncIterator[Stage]:
    """A network with evaluators that are registered and have not met a draw. `slots` as in `running_devnet`."""
    async with running_devnet(folder, epoch_seconds=EPOCH_S, slots=slots) as net:
        network = await settling(net)
        stage = Stage(net, network, await net.sender("gateway", dgai_wei=0))
        for index in range(evaluators):
            await stage.seat(f"evaluator-{index + 1}")
        try:
            yield stage
        finally:
            for seat in stage.seats.values():
                await seat.life.aclose()


def on_stage(folder: Path, main: Callable[[Stage], Awaitable[None]], *, evaluators: int = 3, slots: int = 1) -> None:
    """Runs an async test on a stage of its own."""

    async def whole() -> None:
        async with staged(folder, evaluators=evaluators, slots=slots) as stage:
            await main(stage)

    asyncio.run(whole())
