"""The author on a real chain: committed to, sent, opened in its window; killed between the steps, it goes on."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.devnet import Devnet, OnDevnet
from tests.processes.role_process import running
from tests.settlement.network import STAKE_WEI, Settling, settling

from dgrid.author.accounts import Account, Channels, accounts_of, payable, solvent
from dgrid.author.chance import Chance
from dgrid.author.generator import known_task
from dgrid.author.journal import Journal, KeptCanary, Served
from dgrid.author.naming import Answering
from dgrid.author.planning import PlannedCanary
from dgrid.author.stock import Stock, read_questions
from dgrid.author.traffic import TrafficReader
from dgrid.author.working import SENT_AT_ONCE, AuthorLoop, Desk, Door, Luck
from dgrid.chain.court import fix_seed
from dgrid.chain.devchain import DEV_ACCOUNT
from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import Role
from dgrid.chain.funding import transfer_dev
from dgrid.core.errors import DGridError, NodeMisbehaved
from dgrid.core.identity import Address, api_key_tag, channel_salt
from dgrid.core.merkle import TreeNode, leaf, root_of_path
from dgrid.core.money import BPS, WEI
from dgrid.processes.author_asking import write_body
from dgrid.settlement.rounds import windows_of
from dgrid.wire.messages import ChannelConfig
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import Canaries, canary_item, decode_quality
from dgrid.wire.typed import court_domain

DEPOSIT_WEI = 10 * WEI
REQUESTS = 40  # of a stranger, in one epoch


@dataclass
class Stage:
    """A settling network with an author of two accounts, and a gateway that bills what it is asked."""

    net: Devnet
    network: Settling
    accounts: tuple[Account, ...]
    loop: AuthorLoop
    ahead_s: int = 0
    asked: list[tuple[Door, KeptCanary]] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    hanging: set[Address] = field(default_factory=set)  # gateways that never answer

    @property
    def author(self) -> Address:
        return self.net.key("author").address

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_s * 1000

    @property
    def epoch(self) -> int:
        return self.network.watcher.clock.epoch_at(self.now_ms())

    async def ask(self, door: Door, canary: KeptCanary) -> Served:
        """What the gateway does: a receipt in the epoch of the moment."""
        self.asked.append((door, canary))
        if canary.gateway in self.hanging:
            await asyncio.Event().wait()
        if self.faults:
            raise self.faults.pop()
        receipt = self.bill(door.account)
        place = receipt.place
        return Served(place.epoch, place.lane, place.sequence, bytes(32), "an answer", "0x", "dgrid-mini")

    def bill(self, account: Account):  # type: ignore[no-untyped-def]
        config = self.channel_of(account)
        return self.network.books.answer(self.epoch, self.network.work(config, "node-1", tokens_in=100, tokens_out=10))

    def channel_of(self, account: Account) -> ChannelConfig:
        salt = channel_salt(self.network.books.key.address, api_key_tag(account.api_key))
        channels = self.network.watcher.finalized.channels.values()
        return next(one.config for one in channels if one.config.salt == salt)

    async def reborn(self) -> None:
        """The author is killed, and started again on what it kept."""
        self.loop.journal.close()
        self.loop = await a_loop(self.net, self.network, self)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                await self.loop.step()
                await asyncio.sleep(0.05)

    async def anchored_traffic(self) -> int:
        """An epoch in which a stranger asked a lot, anchored."""
        epoch, config = self.epoch, await self.network.open_channel("payer-1", amount_wei=WEI)
        for _ in range(REQUESTS):
            self.network.books.answer(epoch, self.network.work(config, "node-1", tokens_in=100, tokens_out=10))
        await self.over(epoch)
        await self.network.anchor(epoch)
        return epoch

    async def over(self, epoch: int) -> None:
        while self.epoch <= epoch:
            await asyncio.sleep(0.05)


async def a_loop(net: Devnet, network: Settling, stage: "Stage | None" = None, *, name: str = "author") -> AuthorLoop:
    key, watcher = net.key(name), network.watcher
    accounts = accounts_of(key, 2)
    chance = Chance(random.Random(5))
    court = court_domain(net.contracts.chain_id, net.contracts.quality_court.address)
    sender = await net.sender(name, dgai_wei=0)

    async def ask(door: Door, canary: KeptCanary) -> Served:
        assert stage is not None
        return await stage.ask(door, canary)

    return AuthorLoop(
        Desk(key, court, watcher, sender, net.contracts, network.archives),
        Journal(net.folder / "canaries.sqlite"),
        TrafficReader(network.records, domain=net.domain, own={account.address for account in accounts}),
        accounts,
        Luck(chance, lambda: chance.random.randbytes(32), lambda: chance.random.randbytes(16).hex()),
        write_body,
        ask,
        lambda: time.time_ns() // 1_000_000 if stage is None else stage.now_ms(),
    )


async def a_stage(net: Devnet) -> Stage:
    network = await settling(net, archives=1)
    stage = Stage(net, network, accounts_of(net.key("author"), 2), await a_loop(net, network))
    stage.loop.journal.close()
    stage.loop = await a_loop(net, network, stage)
    channels = Channels(net.rpc, net.config, net.folder, stage.accounts, DEPOSIT_WEI)
    await channels.open_missing(network.watcher.latest)
    gateway = network.books.key.address
    wanted = {account.channel(gateway) for account in stage.accounts}
    await network.watcher.until(lambda view: wanted <= payable(view) and bool(view.authors), timeout_s=30)
    return stage


def test_canaries_follow_traffic_and_are_opened_in_their_window(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await a_stage(net)
        network, loop = stage.network, stage.loop
        gateway = network.books.key.address
        await stage.until(lambda: stage.epoch % 2 == 0)
        assert loop.journal.counts() == {}, "nothing is asked of an idle network"
        await stage.anchored_traffic()
        await stage.until(lambda: bool(stage.asked))
        epoch = stage.asked[0][1].epoch
        await stage.until(lambda: stage.epoch > epoch)
        answered = loop.journal.counts()["answered"]
        assert answered > 0
        assert {door.account.address for door, _ in stage.asked} <= {one.address for one in stage.accounts}

        await network.anchor(epoch)
        await net.rpc.call("anvil_mine", ["0x4"])
        await fix_seed(await net.sender("anyone", dgai_wei=0), net.contracts, gateway=gateway, epoch=epoch)
        view = await network.watcher.until(lambda view: (gateway, epoch) in view.draws, timeout_s=30)
        windows = windows_of(view, view.draws[gateway, epoch].round)
        kept = [store.used_bytes for store in network.stores]
        for ahead_s in (0, windows.open_from_s + 1 - int(time.time())):
            stage.ahead_s = ahead_s
            await loop.step()
        assert network.watcher.latest.canary_openings == {}, "not before the reports are open"
        assert [store.used_bytes for store in network.stores] == kept, "nor shown to whom a clock ahead would show them"
        await net.pass_time(stage.ahead_s)
        key = stage.author, gateway, epoch
        await stage.until(lambda: key in network.watcher.finalized.canary_openings)
        blob = decode_quality(await network.archives.fetch(network.watcher.finalized.canary_openings[key]))
        assert isinstance(blob, Canaries)
        opened = list(blob.canaries)
        assert len(opened) <= answered
        for canary in opened:
            start = leaf(canary_item(canary.nonce, canary.body, canary.reference))
            path = tuple(TreeNode(step, 0) for step in canary.path)
            top = root_of_path(start, index=canary.index, count=blob.committed, path=path)
            assert top.hash == network.watcher.finalized.canary_roots[stage.author, epoch]
        assert (gateway, epoch) not in loop.journal.unopened()

    on_devnet(main)


def test_killed_between_any_two_steps_it_goes_on(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await a_stage(net)
        await stage.anchored_traffic()
        while stage.loop.journal.batch(stage.epoch + 1) is None:  # planned, and killed before it noted the commitment
            await stage.loop.step()
            await asyncio.sleep(0.05)
        epoch = stage.epoch + 1
        batch = stage.loop.journal.batch(epoch)
        assert batch is not None
        stage.loop.journal._db.execute("UPDATE batches SET is_committed = 0")
        await stage.reborn()
        await stage.until(lambda: stage.epoch >= epoch)
        await stage.until(lambda: bool(stage.asked))
        names = [canary.idempotency_key for _, canary in stage.asked]
        await stage.reborn()
        await stage.until(lambda: stage.epoch > epoch)
        assert stage.network.watcher.finalized.canary_roots[stage.author, epoch] == batch.root
        again = [canary.idempotency_key for _, canary in stage.asked[len(names) :]]
        assert len(set(again) | set(names)) == len({canary.place for _, canary in stage.asked})

    on_devnet(main)


class FewAtFirst(random.Random):
    """Chance that draws no canary from the first 40 requests, and one from each that is drawn after them."""

    drawn = 0

    def randrange(self, start: int, *more: Any) -> int:
        if start != BPS:
            return super().randrange(start, *more)
        self.drawn += 1
        return BPS - 1 if self.drawn <= REQUESTS else 0


def test_an_epoch_that_chance_gave_no_canary_is_not_drawn_again(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await a_stage(net)
        chance = FewAtFirst(1)
        stage.loop.luck = replace(stage.loop.luck, chance=Chance(chance))
        await stage.anchored_traffic()
        await stage.until(lambda: chance.drawn > REQUESTS)
        epochs = [epoch for epoch in range(stage.epoch + 2) if stage.loop.journal.batch(epoch) is not None]
        assert 0 < stage.loop._without < min(epochs)

    on_devnet(main)


def test_own_questions_are_asked_once_and_generated_ones_when_they_are_used_up(
    on_devnet: OnDevnet, tmp_path: Path
) -> None:
    file = tmp_path / "own.jsonl"
    texts = [f"Box {at} holds {at * 7} pens.\nHow many pens are in box {at}?" for at in range(6)]
    lines = [{"messages": [{"role": "user", "content": text}], "reference": "some"} for text in texts]
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")

    async def main(net: Devnet) -> None:
        stage = await a_stage(net)
        epochs: set[int] = set()
        while len(epochs) < 2:
            stage.loop.stock = Stock(read_questions(file))
            await stage.anchored_traffic()
            asked = len(stage.asked)
            await stage.until(lambda asked=asked: len(stage.asked) > asked)  # type: ignore[misc]
            epoch = stage.asked[-1][1].epoch
            await stage.until(lambda epoch=epoch: stage.epoch > epoch)  # type: ignore[misc]
            epochs.add(epoch)
            await stage.reborn()
        own, others = Counter[str](), 0
        for body in {(one.epoch, one.place): one.body for _, one in stage.asked}.values():
            said = decode_chat(body).messages[-1].text()
            own += Counter([said] if said in texts else [])
            others += said not in texts
        assert own == Counter(texts)
        assert others > 0

    on_devnet(main)


def test_where_no_account_can_pay_nothing_is_planned_and_no_own_question_used_up(
    on_devnet: OnDevnet, tmp_path: Path
) -> None:
    file = tmp_path / "own.jsonl"
    line = {"messages": [{"role": "user", "content": "Box 4 holds 9 pens. How many pens?"}], "reference": "9"}
    file.write_text(json.dumps(line), encoding="utf-8")

    async def main(net: Devnet) -> None:
        stage = await a_stage(net)
        rich, stage.loop.accounts = stage.loop.accounts, accounts_of(net.key("poor"), 2)
        stage.loop.stock = Stock(read_questions(file))
        epoch = await stage.anchored_traffic()
        await stage.until(lambda: stage.epoch > epoch + 2)
        assert stage.loop.journal.counts() == {}
        assert stage.loop.journal.own_questions() == frozenset()
        stage.loop.accounts = rich
        await stage.anchored_traffic()
        await stage.until(lambda: bool(stage.loop.journal.own_questions()))

    on_devnet(main)


def test_an_account_without_money_keeps_no_other_from_its_channel(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        accounts = accounts_of(net.key("author"), 3)
        all_wei = await net.balance(DEV_ACCOUNT.address)
        await transfer_dev(net.rpc, net.contracts.dgai, to=accounts[2].address, amount_wei=all_wei // 3)
        await transfer_dev(net.rpc, net.contracts.dgai, to=net.key("others").address, amount_wei=all_wei // 4)
        channels = Channels(net.rpc, net.config, net.folder, accounts, all_wei // 3)
        with pytest.raises(DGridError):
            await channels.open_missing(network.watcher.latest)
        gateway = network.books.key.address
        wanted = {accounts[at].channel(gateway) for at in (0, 2)}
        view = await network.watcher.until(lambda view: wanted <= payable(view), timeout_s=30)
        assert solvent(view, accounts) == {gateway: [0, 2]}

    on_devnet(main)


def test_a_gateway_that_never_answers_keeps_no_other_from_its_canaries(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await a_stage(net)
        watcher, second = stage.network.watcher, net.key("gateway-2").address
        enroller = Enroller(net.rpc, net.contracts, await net.sender("gateway-2", dgai_wei=0), dev=True)
        await enroller.enroll(Enrolment(Role.GATEWAY, "http://127.0.0.1:2", STAKE_WEI), watcher.latest)
        view = await watcher.until(lambda view: (Role.GATEWAY, second) in view.members, timeout_s=30)
        await Channels(net.rpc, net.config, net.folder, stage.accounts, DEPOSIT_WEI).open_missing(view)
        await watcher.until(lambda view: bool(solvent(view, stage.accounts)[second]), timeout_s=30)
        task = known_task(stage.loop.luck.chance, answering=Answering(), write=write_body)
        gateways = [second] * 2 * SENT_AT_ONCE + [stage.network.books.key.address]
        batch = [PlannedCanary(task, bytes((at,)) * 32, gateway, 0, at) for at, gateway in enumerate(gateways)]
        await stage.over(stage.epoch)
        epoch, stage.hanging = stage.epoch, {second}
        stage.loop.journal.add_batch(epoch, batch, keys=[str(at) for at in range(len(batch))])
        stage.loop.journal.note_committed(epoch)
        stage.loop.send_due()
        await asyncio.sleep(0.1)
        assert [canary.place for _, canary in stage.asked] == [*range(SENT_AT_ONCE), len(batch) - 1]

    on_devnet(main)


def test_what_is_refused_or_too_late_is_given_up(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        stage = await a_stage(net)
        await stage.anchored_traffic()
        stage.faults = [NodeMisbehaved("no")] * 1000
        await stage.until(lambda: bool(stage.asked))
        epoch = stage.asked[0][1].epoch
        await stage.until(lambda: stage.epoch > epoch)
        counts = stage.loop.journal.counts()
        assert counts.get("answered", 0) == 0
        assert counts["lost"] > 0
        assert (stage.author, epoch) in stage.network.watcher.finalized.canary_roots

    on_devnet(main)


def test_an_author_that_is_not_appointed_commits_to_nothing(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        stage = Stage(net, network, (), await a_loop(net, network, name="stranger"))
        stage.loop.journal.close()
        stage.loop = await a_loop(net, network, stage, name="stranger")
        await stage.anchored_traffic()
        epoch = stage.epoch
        await stage.until(lambda: stage.epoch > epoch + 1)
        assert stage.loop.journal.counts() == {}
        assert network.watcher.finalized.canary_roots == {}

    on_devnet(main)


def test_the_process_opens_channels_and_stops_cleanly(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        async with running(net, "author", name="author") as author:
            address = net.key("author").address
            accounts = accounts_of(net.key("author"), 4)
            wanted = {account.channel(network.books.key.address) for account in accounts}
            await network.watcher.until(lambda view: address in view.authors and wanted <= payable(view), timeout_s=30)
            _, health = await author.ask("GET", "/healthz")
            assert set(health) == {"role", "address", "is_appointed", "chain_block", "chain_is_stale"}
            status, _ = await author.ask("GET", "/v1/canaries")
            assert status == 404
            author.kill()
            await author.start()
            assert author.stop() == 0
            assert len(network.watcher.finalized.active(Role.GATEWAY)) == 1

    on_devnet(main)
