from dataclasses import replace
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.devnet import Devnet, OnDevnet, on_devnet
from tests.node.conftest import GATEWAY_KEY, NODE_KEY, GatewayHand, node_receipt
from tests.settlement.network import BOND_WEI, CREATORS, LINE_WEI, Settling, base_of, settling

from dgrid.chain.by_epoch import ByEpoch
from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.events import Kind
from dgrid.chain.facts import Facts
from dgrid.chain.parameter_history import ParameterHistory
from dgrid.chain.parameters import Parameters
from dgrid.chain.sender import Sender
from dgrid.chain.view import Anchor, ChainView
from dgrid.config import NodeConfig
from dgrid.core.identity import Address, Hash
from dgrid.core.money import BPS, WEI
from dgrid.node.books import Books, HeldReceipt
from dgrid.node.metering import Meter, MeterTerms
from dgrid.processes.life import ChainAccess
from dgrid.processes.node import ChainCredit, default_claims
from dgrid.settlement.claims import Party, party_key
from dgrid.settlement.overdue import SPREAD_S, SealedReceipt, due_wei, overdue
from dgrid.wire.blob import decode_record
from dgrid.wire.frames import SignedReceipt
from dgrid.wire.messages import EpochRoot, InferenceReceipt

__all__ = ["on_devnet"]

GATEWAY, NODE = GATEWAY_KEY.address, NODE_KEY.address
EPOCH_S, DEFAULT_S = 10, 60
ENOUGH_WEI = 10**30
VIEW = ChainView(
    facts=Facts(genesis_s=0, epoch_seconds=EPOCH_S, base_share_bps=8_000, withdraw_delay_s=0, treasury=bytes(20)),
    parameters=ParameterHistory.of(Parameters(default_seconds=DEFAULT_S)),
    line_amounts={(GATEWAY, NODE): ENOUGH_WEI},
)


def overdue_s(epoch: int) -> int:
    return (epoch + 1) * EPOCH_S + DEFAULT_S


def with_root(view: ChainView, epoch: int) -> ChainView:
    root = EpochRoot(GATEWAY, epoch, bytes(20), bytes(32), 1, bytes(32), 0, bytes(32))
    return replace(view, roots=ByEpoch({**view.roots, (GATEWAY, epoch): Anchor(root, Hash(root.struct_hash()), 1, 1)}))


def held_in(*epochs: int, lane: int = 0) -> list[HeldReceipt]:
    """A lane's receipts, one an epoch, with their running totals."""
    hand, found = GatewayHand(), []
    for number, epoch in enumerate(epochs, start=1):
        receipt = HeldReceipt.of(hand.acknowledge(node_receipt(number), epoch=epoch)).receipt
        place = msgspec.structs.replace(receipt.place, lane=lane)
        found.append(HeldReceipt.of(hand.sign(msgspec.structs.replace(receipt, place=place))))
    return found


def late(view: ChainView, *held: HeldReceipt, now_s: int, kind: Kind = Kind.NODE) -> dict[Party, int]:
    """The epoch of the receipt to claim by, for each party of a kind."""
    sealed = [SealedReceipt(one.receipt, one.signed.seal) for one in held]
    found = overdue(view, sealed, kinds=(kind,), now_s=now_s)
    return {party: one.receipt.place.epoch for party, one in found.items()}


def own(lane: int = 0) -> Party:
    return Party(GATEWAY, Kind.NODE, lane, bytes(12) + NODE)


def test_a_root_may_come_until_the_very_second() -> None:
    held = held_in(3)
    assert late(VIEW, *held, now_s=overdue_s(3) - 1) == {}
    assert late(VIEW, *held, now_s=overdue_s(3)) == {own(): 3}


def test_nothing_is_claimed_where_a_root_stands() -> None:
    assert late(with_root(VIEW, 3), *held_in(3), now_s=overdue_s(3)) == {}


def test_a_voided_root_is_claimed_against_at_once() -> None:
    convicted = replace(with_root(VIEW, 3), convicted={GATEWAY: 3})
    assert late(convicted, *held_in(2, 3), now_s=overdue_s(3) - DEFAULT_S) == {own(): 3}


def test_the_last_overdue_receipt_of_a_lane_speaks_for_those_before_it() -> None:
    receipts = [*held_in(3, 4, 5), *held_in(4, lane=1)]
    assert late(VIEW, *receipts, now_s=overdue_s(4)) == {own(0): 4, own(1): 4}


def test_a_receipt_without_a_listing_owes_no_creator() -> None:
    assert late(VIEW, *held_in(3), now_s=overdue_s(3), kind=Kind.LISTING) == {}


def test_each_version_of_a_listing_is_claimed_by_its_own_highest_total() -> None:
    held = [
        replace(one, receipt=listed(one.receipt, version=version, total_wei=total_wei))
        for one, version, total_wei in zip(held_in(3, 4, 4), (1, 2, 1), (5, 4, 9), strict=True)
    ]
    found = late(VIEW, *held, now_s=overdue_s(4), kind=Kind.LISTING)
    parties = [Party(GATEWAY, Kind.LISTING, 0, party_key(one.receipt, Kind.LISTING)) for one in held]
    assert found == {parties[2]: 4, parties[1]: 4}


def listed(receipt: InferenceReceipt, *, version: int, total_wei: int) -> InferenceReceipt:
    parties = msgspec.structs.replace(receipt.parties, listing_id=b"l" * 32, listing_version=version)
    return msgspec.structs.replace(
        receipt, parties=parties, totals=msgspec.structs.replace(receipt.totals, listing=total_wei)
    )


@given(st.integers(0, 2**60), st.integers(0, 2**60), st.integers(0, 2**60))
def test_no_more_is_due_than_is_unpaid_and_the_line_holds(claimed_wei: int, line_wei: int, unproven_wei: int) -> None:
    (held,) = held_in(3)
    view = replace(VIEW, line_amounts={(GATEWAY, NODE): line_wei}, unproven={(GATEWAY, NODE): unproven_wei})
    found = due_wei(view, own(), receipt=held.receipt, claimed_wei=claimed_wei)
    assert found == min(base_of(held.total_wei) - claimed_wei, line_wei - unproven_wei)


@given(st.integers(0, 2**60), st.integers(0, 2**60), st.lists(st.integers(0, 2**60), max_size=3))
def test_creators_are_due_what_no_line_reserves(claimed_wei: int, bond_wei: int, lines: list[int]) -> None:
    (held,) = held_in(3)
    receipt = listed(held.receipt, version=1, total_wei=2**60)
    amounts = {(GATEWAY, Address(bytes((number,)) * 20)): line for number, line in enumerate(lines)}
    view = replace(VIEW, bonds={GATEWAY: bond_wei}, line_amounts={**amounts, (NODE, NODE): ENOUGH_WEI})
    party = Party(GATEWAY, Kind.LISTING, 0, party_key(receipt, Kind.LISTING))
    found = due_wei(view, party, receipt=receipt, claimed_wei=claimed_wei)
    assert found == min(2**60 - claimed_wei, bond_wei - sum(lines))


class Life:
    """One life of a node's claims: its books stay, what its key sent before is forgotten with `folder`."""

    def __init__(self, network: Settling, folder: Path, *, claims_for_creators: bool = True) -> None:
        net, self.node = network.net, network.net.key("node-1").address
        self.network, self.books = network, Books(net.folder / "node.sqlite")
        self.sender = Sender(net.rpc, net.key("node-1"), folder=folder, chain_id=DEV_CHAIN_ID)
        config = NodeConfig(
            "node-1", folder, folder, "127.0.0.1", 0, net.config, claims_for_creators=claims_for_creators
        )
        access = ChainAccess(net.rpc, net.contracts, network.watcher)
        self.claims = default_claims(config, access, books=self.books, sender=self.sender)
        self.meter = Meter(
            MeterTerms(net.domain, self.node, net.contracts.dgai.address),
            ChainCredit(network.watcher, self.node),
            self.books,
        )

    def take(self, epoch: int) -> HeldReceipt:
        """The gateway's latest receipt of an epoch comes in."""
        record = decode_record(self.network.books.rows[epoch][-1].record)
        signed = SignedReceipt(record.receipt, record.seal)
        self.meter.acknowledge(self.network.books.key.address, [signed])
        self.books.flush()
        return HeldReceipt.of(signed)

    async def look(self) -> tuple[int, int]:
        """What the node holds after a look at the chain, and how many transactions it has sent in all."""
        net, watcher = self.network.net, self.network.watcher
        chain_s = await net.rpc.now_s()
        await watcher.until(lambda _: watcher.latest_s >= chain_s, timeout_s=30)
        await self.claims.step()
        sent = int(await net.rpc.call("eth_getTransactionCount", ["0x" + self.node.hex(), "latest"]), 16)
        received = await net.balance(self.node)
        await watcher.until(lambda view: view.received.get((self.node, Kind.NODE), 0) == received, timeout_s=30)
        return received, sent

    async def end(self) -> None:
        await self.sender.close()
        self.books.close()


async def works(network: Settling, *epochs: int, tokens_in: int) -> None:
    """The gateway bills one answer of node-1 in each epoch."""
    config = await network.open_channel(f"payer-{epochs[0]}", amount_wei=10 * WEI)
    for epoch in epochs:
        network.books.answer(epoch, network.work(config, "node-1", tokens_in=tokens_in, tokens_out=500))


async def at_work(net: Devnet, *, has_listing: bool = False) -> tuple[Settling, int]:
    """A network whose node-1 has gas and answered once, in an epoch that goes on; and that epoch."""
    network = await settling(net, archives=1)
    await net.sender("node-1", dgai_wei=0)  # gas
    if has_listing:
        await network.list_model()
    now = network.watcher.clock.epoch_at((net.genesis_s + 3600) * 1000)
    await works(network, now, tokens_in=50_000)
    return network, now


def test_a_gateway_that_never_closes_pays_up_to_the_line_once_whatever_the_node_forgets(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network, now = await at_work(net)
        life = Life(network, net.folder / "first")
        small = life.take(now)
        assert await life.look() == (0, 0)
        await net.pass_time(200)
        paid_wei = base_of(small.total_wei)
        assert await life.look() == (paid_wei, 1)
        assert await life.look() == (paid_wei, 1)
        await life.end()

        life = Life(network, net.folder / "second")
        assert await life.look() == (paid_wei, 1)
        await works(network, now + 100, tokens_in=500_000_000)
        assert base_of(life.take(now + 100).total_wei) > LINE_WEI
        assert await life.look() == (paid_wei, 1)
        await net.pass_time(200)
        assert await life.look() == (LINE_WEI, 2)
        assert await life.look() == (LINE_WEI, 2)
        await life.end()

    on_devnet(main)


def test_a_gateway_that_closes_in_time_is_never_claimed_against(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network, now = await at_work(net)
        life = Life(network, net.folder / "first")
        life.take(now)
        await net.pass_time(10)
        assert await life.look() == (0, 0)
        await network.anchor(now)
        await net.pass_time(1000)
        assert await life.look() == (0, 0)
        assert await life.sender.next_nonce() == 0
        await life.end()

    on_devnet(main)


def test_creators_get_theirs_by_the_nodes_receipt_from_bond_that_no_line_reserves(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network, now = await at_work(net, has_listing=True)
        life = Life(network, net.folder / "first")
        held = life.take(now)
        before = {name: await net.balance(net.key(name).address) for name in CREATORS}
        await net.pass_time(200)
        await life.look()
        await net.pass_time(SPREAD_S)
        assert await life.look() == (base_of(held.total_wei), 2)
        owed = held.receipt.totals.listing
        part = owed * CREATORS["creator-1"] // BPS
        paid = [await net.balance(net.key(name).address) - before[name] for name in CREATORS]
        assert paid == [part, owed - part]
        assert min(paid) > 0
        assert await net.contracts.settlement.read(net.rpc, "bondOf", [network.books.key.address]) == (
            BOND_WEI - base_of(held.total_wei) - owed
        )
        assert await life.look() == (base_of(held.total_wei), 2)
        await life.end()

    on_devnet(main)


def test_a_node_whose_operator_says_so_claims_for_nobody_else(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network, now = await at_work(net, has_listing=True)
        life = Life(network, net.folder / "first", claims_for_creators=False)
        held = life.take(now)
        for _ in range(2):
            await net.pass_time(200)
            assert await life.look() == (base_of(held.total_wei), 1)
        await life.end()

    on_devnet(main)
