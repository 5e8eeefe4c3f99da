"""An author's loop: commit to the next epoch's canaries, send this one's, open those that are judged.

Each step rests on the journal and the final chain alone, so that the loop can be killed between any two lines. What a
gateway or the chain refuses is tried again while its time lasts, and given up after that: a lost canary harms nobody.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from dgrid.author.accounts import Account, solvent
from dgrid.author.chance import Chance
from dgrid.author.generator import WriteBody
from dgrid.author.journal import Journal, KeptCanary, Served
from dgrid.author.planning import Pen, PlannedCanary, PlanTerms, plan_batch
from dgrid.author.stock import Stock
from dgrid.author.traffic import TrafficReader
from dgrid.chain import court
from dgrid.chain.channels import gateways_to_pay
from dgrid.chain.contracts import Contracts
from dgrid.chain.sender import Sender
from dgrid.chain.view import ChainView
from dgrid.chain.watcher import ChainWatcher
from dgrid.core.errors import DGridError
from dgrid.core.identity import Address, to_hex
from dgrid.core.money import BPS
from dgrid.settlement.archives import Archives
from dgrid.settlement.rounds import windows_of
from dgrid.wire.blob import blob_id
from dgrid.wire.quality import Canaries, encode_quality
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)

TICK_S: Final = 0.5
SENT_AT_ONCE: Final = 8  # at one gateway: one that never answers keeps the others from nothing
COMMIT_FROM_BPS, SEND_UNTIL_BPS = 5_000, 9_000  # of an epoch: the last one's records are there; answers fall into it
EPOCHS_KEPT: Final = 512
EPOCHS_LED: Final = 32  # so long it is believed whom a virtual name leads to


@dataclass(frozen=True, slots=True)
class Door:
    """Where a canary is sent, and by whom."""

    url: str
    account: Account


Ask = Callable[[Door, KeptCanary], Awaitable[Served]]  # raises DGridError
Sent = tuple[Address, int, int]  # at which gateway; of which epoch, at which place in its batch


@dataclass(frozen=True, slots=True)
class Luck:
    """Where an author's chance comes from. `nonce` draws 32 random bytes, `name` an idempotency key."""

    chance: Chance
    nonce: Callable[[], bytes]
    name: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Desk:
    """An author's ways to the chain and the archives."""

    key: SigningKey
    domain: Domain  # the court's
    watcher: ChainWatcher
    sender: Sender
    contracts: Contracts
    archives: Archives


@dataclass(slots=True)
class AuthorLoop:
    """One author at work."""

    desk: Desk
    journal: Journal
    traffic: TrafficReader
    accounts: tuple[Account, ...]
    luck: Luck
    write: WriteBody
    ask: Ask
    now_ms: Callable[[], int]
    stock: Stock = field(default_factory=Stock)
    _sending: dict[Sent, asyncio.Task[None]] = field(default_factory=dict)
    _without: int = -1  # the latest epoch for which chance drew no canary: drawn again, it would get one in the end

    async def run(self) -> None:
        """Runs until cancelled."""
        try:
            while True:
                await self.step()
                await asyncio.sleep(TICK_S)
        finally:
            tasks = list(self._sending.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def step(self) -> None:
        """All that can be done now; what fails waits for the next time."""
        self.send_due()
        for work in (self.commit_next, self.open_judged):
            try:
                await work()
            except DGridError as error:
                logger.info("%s: not yet: %s", work.__name__, error.message)

    # --- the next epoch -----------------------------------------------------------------------------------------------

    async def commit_next(self) -> None:
        """Plans the next epoch once the last one's records are there, and commits to it. Raises DGridError."""
        desk, now_ms = self.desk, self.now_ms()
        epoch = desk.watcher.clock.epoch_at(now_ms)
        is_appointed = desk.key.address in desk.watcher.finalized.authors
        if not is_appointed or self._share_gone(epoch, now_ms) < COMMIT_FROM_BPS:
            return
        batch = self.journal.batch(epoch + 1)
        if batch is None:
            planned = [] if self._without == epoch + 1 else await self._plan(epoch)
            if not planned:
                return
            batch = self.journal.add_batch(epoch + 1, planned, keys=[self.luck.name() for _ in planned])
            self.journal.forget_before(epoch - EPOCHS_KEPT)
        if not batch.is_committed:
            await court.commit_canaries(desk.sender, desk.contracts, epoch=batch.epoch, root=batch.root)
            self.journal.note_committed(batch.epoch)
            logger.info("committed to the canaries of epoch %d", batch.epoch)

    async def _plan(self, epoch: int) -> list[PlannedCanary]:
        """The canaries of the epoch after this one."""
        traffic = await self.traffic.before(epoch)
        if not traffic.by_gateway:
            return []
        view = self.desk.watcher.finalized
        accounts = solvent(view, self.accounts)
        for gateway in traffic.by_gateway:
            if not accounts.get(gateway):
                logger.warning("no account can pay at %s: nothing is asked there", to_hex(gateway))
        fresh = self.stock.fresh(self.journal.own_questions())
        planned = plan_batch(
            self.luck.chance,
            traffic,
            terms=plan_terms(view, epoch + 1, accounts=accounts),
            pen=Pen(self.write, self.luck.nonce, fresh, self.stock.share_bps, self._led_to(epoch)),
        )
        self._without = self._without if planned else epoch + 1
        if fresh and len(fresh) == sum(bool(one.task.question) for one in planned):
            logger.warning("these were the last own questions: from the epoch after this all canaries are generated")
        return planned

    def _led_to(self, epoch: int) -> dict[str, str]:
        return self.journal.led_to(since_epoch=epoch - EPOCHS_LED)

    def _share_gone(self, epoch: int, now_ms: int) -> int:
        """How much of an epoch is over, in basis points."""
        clock = self.desk.watcher.clock
        return (now_ms - clock.opens_at_ms(epoch)) * BPS // (clock.length_s * 1000)

    # --- this epoch ---------------------------------------------------------------------------------------------------

    def send_due(self) -> None:
        """Starts what is due and not under way, a bounded number at a time."""
        now_ms = self.now_ms()
        epoch = self.desk.watcher.clock.epoch_at(now_ms)
        self._see_committed(epoch)
        self.journal.give_up_before(epoch)
        if self._share_gone(epoch, now_ms) >= SEND_UNTIL_BPS:
            return
        due = self.journal.due(epoch, now_ms=now_ms)
        doors = self._doors() if due else {}
        for canary in due:
            name = canary.gateway, canary.epoch, canary.place
            door = doors.get((canary.gateway, canary.account % len(self.accounts)))
            is_full = sum(of == canary.gateway for of, _, _ in self._sending) >= SENT_AT_ONCE
            if door is not None and name not in self._sending and not is_full:
                task = asyncio.create_task(self._send(canary, door))
                self._sending[name] = task
                task.add_done_callback(partial(self._forget, name))

    def _forget(self, name: Sent, _sent: asyncio.Task[None]) -> None:
        self._sending.pop(name, None)

    def _see_committed(self, epoch: int) -> None:
        """An earlier life may have been ended before it noted that its root stands on chain."""
        batch = self.journal.batch(epoch)
        root = self.desk.watcher.finalized.canary_roots.get((self.desk.key.address, epoch))
        if batch is not None and not batch.is_committed and batch.root == root:
            self.journal.note_committed(epoch)

    def _doors(self) -> dict[tuple[Address, int], Door]:
        """By gateway and account, as far as it can pay there. It looks through all channels: once for all canaries."""
        view = self.desk.watcher.finalized
        able = solvent(view, self.accounts)
        return {
            (member.address, at): Door(member.endpoint, self.accounts[at])
            for member in gateways_to_pay(view)
            for at in able[member.address]
        }

    async def _send(self, canary: KeptCanary, door: Door) -> None:
        self.journal.note_sending(canary)
        try:
            served = await self.ask(door, canary)
        except DGridError as error:
            logger.info("a canary at %s was not answered: %s", door.url, error.message)
            self.journal.note_lost(canary)
        else:
            self.journal.note_served(canary, served)

    # --- judged epochs ------------------------------------------------------------------------------------------------

    async def open_judged(self) -> None:
        """Opens, in its window, what each gateway served; gives up what is past it. Raises DGridError."""
        view, now_s = self.desk.watcher.finalized, self.now_ms() // 1000
        for gateway, epoch in self.journal.unopened():
            draw = view.draws.get((gateway, epoch))
            if draw is None:
                continue
            windows = windows_of(view, draw.round)
            if now_s >= windows.post_from_s:
                self.journal.note_opened(gateway, epoch, is_opened=False)
                logger.warning("the canaries of epoch %d at %s were not opened in time", epoch, to_hex(gateway))
            elif now_s >= windows.open_from_s:
                await self._open(gateway, epoch)

    async def _open(self, gateway: Address, epoch: int) -> None:
        desk, batch = self.desk, self.journal.opened(gateway, epoch)
        network = desk.domain.chain_id, desk.domain.verifying_contract
        blob = encode_quality(Canaries(*network, desk.key.address, gateway, epoch, batch.committed, batch.canaries))
        publish = partial(desk.archives.lay, blob, key=desk.key, what="canaries")
        await court.open_canaries(
            desk.sender, desk.contracts, gateway=gateway, epoch=epoch, blob_id=blob_id(blob), publish=publish
        )
        self.journal.note_opened(gateway, epoch, is_opened=True)
        logger.info("opened %d canaries of epoch %d", len(batch.canaries), epoch)


def plan_terms(view: ChainView, epoch: int, *, accounts: Mapping[Address, Sequence[int]]) -> PlanTerms:
    """How many canaries an epoch gets, and when."""
    span = view.clock.opens_at_ms(epoch), view.clock.closes_at_ms(epoch)
    return PlanTerms(view.parameters.at(epoch).canary_bps, *span, accounts=accounts)
