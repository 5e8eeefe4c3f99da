"""A round from draw to pay-out on a real chain, to the unit, and what the court refuses on the way."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st
from tests.chain.courtroom import MODEL_DIGEST, Courtroom, commitment, courtroom
from tests.devnet import Devnet, OnDevnet
from tests.settlement.network import STAKE_WEI, base_of

from dgrid.chain import court
from dgrid.chain.contracts import Reverted
from dgrid.chain.court import Release, payout_claims, release_hash
from dgrid.chain.events import Role
from dgrid.chain.funding import fund_dev
from dgrid.chain.parameters import Parameters
from dgrid.chain.view import Opening
from dgrid.core.identity import ZERO_ADDRESS, Address, to_hex
from dgrid.core.keccak import keccak
from dgrid.core.money import BPS, WEI
from dgrid.wire.quality import PayoutAccount, PayoutKind, PayoutRow, amount_of

EVALUATORS = ("evaluator-1", "evaluator-2", "evaluator-3")
CANARIES = keccak(b"canaries")
VECTORS = Path(__file__).parents[2] / "contracts" / "test" / "quality_vectors.json"
KNOWN: dict[str, Any] = json.loads(VECTORS.read_text())


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def test_commitment_and_releases_hash_as_the_court_took_them() -> None:
    known, root = KNOWN["commitment"], KNOWN["root"]
    opened = {"reports_root": raw(known["reportsRoot"]), "salt": raw(known["salt"])}
    assert court.commitment_of(Address(raw(known["evaluator"])), known["round"], **opened) == raw(known["hash"])
    releases = [Release(Address(raw(root["releasedBy"])), int(root["released"]))]
    assert release_hash(releases) == raw(root["message"]["releasesHash"])


@given(st.lists(st.tuples(st.binary(min_size=20, max_size=20), st.integers(0, 2**128 - 1)), max_size=5))
def test_the_hash_of_releases_is_soliditys(releases: list[tuple[bytes, int]]) -> None:
    known = keccak(encode(["(address,uint128)[]"], [releases]))
    assert release_hash([Release(Address(gateway), amount) for gateway, amount in releases]) == known


async def judge(room: Courtroom, round_: int, *, withholding: str = "") -> None:
    """Every evaluator commits; all but one reveal; the clock stands where canaries are opened."""
    commits, reveals, opens, _ = await room.windows(round_)
    contracts = room.net.contracts
    await room.pass_until(commits)
    for name, sender in room.evaluators.items():
        await court.commit(sender, contracts, round_=round_, commitment=commitment(name, room.net, round_=round_))
    await room.pass_until(reveals)
    for name, sender in room.evaluators.items():
        if name != withholding:
            root, blob = keccak(b"reports of " + name.encode()), keccak(name.encode())
            opening = Opening(root, blob)
            await court.reveal(sender, contracts, round_=round_, opening=opening, salt=keccak(b"salt"))
    await room.pass_until(opens)


def test_a_round_pays_node_payer_and_evaluator_from_their_own_purses(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        room = await courtroom(net, *EVALUATORS)
        await room.serve(100)
        (receipt,) = room.network.books.receipts
        draw = await room.draw(100)
        await judge(room, draw.round)
        _, _, _, posts = await room.windows(draw.round)
        await room.pass_until(posts)

        remainder = receipt.shares.node - base_of(receipt.shares.node)
        kept, returned = remainder * 3 // 5, remainder - remainder * 3 // 5
        earned = WEI // 1000
        await fund_dev(net.rpc, net.contracts, address=net.contracts.quality_court.address, dgai_wei=earned)
        due = {
            PayoutAccount(PayoutKind.NODE, room.gateway, net.key("node-1").address): kept,
            PayoutAccount(PayoutKind.PAYER, room.gateway, net.key("payer-1").address): returned,
            PayoutAccount(PayoutKind.EVALUATOR, ZERO_ADDRESS, net.key("evaluator-1").address): earned,
        }
        rows = tuple(PayoutRow(*account, amount_of(amount)) for account, amount in due.items())
        releases = (Release(room.gateway, remainder),)
        root = room.root(draw.round, rows, releases)
        before = {account: await net.balance(account.payee) for account in due}
        poster = await net.sender("anyone", dgai_wei=0)
        one = room.sign(root, "evaluator-1")
        with pytest.raises(Reverted, match="NotTheQuorum"):
            await court.post_quality(poster, net.contracts, root=root, releases=releases, signatures=one)
        two = room.sign(root, "evaluator-2", "evaluator-1")
        await court.post_quality(poster, net.contracts, root=root, releases=releases, signatures=two)
        assert await net.contracts.settlement.read(net.rpc, "releasableOf", [room.gateway]) == (
            -(-receipt.shares.fee * 2_000 // BPS) - remainder
        )
        with pytest.raises(Reverted, match="NoFinalRoot"):
            await court.claim_payouts(poster, net.contracts, rows=payout_claims(rows))
        paid = await room.claim(payout_claims(rows))
        assert [(event.account, event.amount_wei) for event in paid] == list(due.items())
        for account, amount in due.items():
            assert await net.balance(account.payee) == before[account] + amount
        assert await net.balance(net.contracts.quality_court.address) == 0
        assert await room.claim(payout_claims(rows)) == ()  # nothing is left, nothing is paid twice

        view = await room.network.watcher.until(lambda view: len(view.paid_out) == 3, timeout_s=30)
        assert view.last_quality_round == draw.round
        assert view.quality_roots[draw.round].digest == root.struct_hash()
        assert view.quality_roots[draw.round].root == root
        (block,) = await net.rpc.blocks([view.quality_roots[draw.round].block])
        assert view.quality_roots[draw.round].block_hash == block.hash
        assert view.paid_out == due

    on_devnet(main)


def test_a_draw_keeps_who_stood_ready_to_judge(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        room = await courtroom(net, "evaluator-1", "evaluator-2")
        await room.serve(100)
        draw = await room.draw(100)
        await room.add_evaluators("evaluator-3")
        await court.declare_models(room.evaluators["evaluator-1"], net.contracts, role=Role.EVALUATOR, digests=[])
        me = Role.EVALUATOR, net.key("evaluator-1").address
        view = await room.network.watcher.until(lambda view: view.declared[me] == (), timeout_s=30)
        assert view.draws[(room.gateway, 100)] == draw
        assert not draw.expired
        names = sorted(("evaluator-1", "evaluator-2"), key=lambda name: net.key(name).address)
        assert [one.address for one in draw.evaluators] == [net.key(name).address for name in names]
        assert {one.models for one in draw.evaluators} == {(MODEL_DIGEST,)}
        assert {one.stake_wei for one in draw.evaluators} == {STAKE_WEI}
        assert [one.encryption_key for one in draw.evaluators] == [keccak(name.encode()) for name in names]
        assert draw.round == room.network.watcher.clock.epoch_at(draw.timestamp_ms)
        again = await net.sender("another", dgai_wei=0)
        with pytest.raises(Reverted, match="SeedAlreadyFixed"):
            await court.fix_seed(again, net.contracts, gateway=room.gateway, epoch=100)
        anchor = view.roots[(room.gateway, 100)]
        deciding = await net.rpc.block(anchor.block + 3)
        assert deciding is not None
        assert draw.seed == keccak(anchor.digest + deciding.hash)
        brought = await net.rpc.call("eth_getTransactionReceipt", [to_hex(anchor.transaction)])
        assert int(brought["blockNumber"], 16) == anchor.block

    on_devnet(main)


def test_who_withholds_is_penalized_once_and_the_reporter_gets_its_share(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        room = await courtroom(net, "evaluator-1", "evaluator-2")
        await room.serve(100)
        draw = await room.draw(100)
        await judge(room, draw.round, withholding="evaluator-2")
        reporter = await net.sender("reporter", dgai_wei=0)
        late, honest = net.key("evaluator-2").address, net.key("evaluator-1").address
        with pytest.raises(Reverted, match="NothingWithheld"):
            await court.penalize(reporter, net.contracts, evaluator=honest, round_=draw.round)
        supply = await net.contracts.dgai.read(net.rpc, "totalSupply")
        await court.penalize(reporter, net.contracts, evaluator=late, round_=draw.round)
        penalty = Parameters().late_penalty_wei
        assert await net.balance(reporter.address) == penalty // 5
        assert await net.contracts.dgai.read(net.rpc, "totalSupply") == supply - penalty * 4 // 5
        another = await net.sender("another", dgai_wei=0)
        with pytest.raises(Reverted, match="NothingWithheld"):
            await court.penalize(another, net.contracts, evaluator=late, round_=draw.round)
        key = draw.round, late
        view = await room.network.watcher.until(lambda view: key in view.penalized, timeout_s=30)
        assert view.penalized == {key: penalty}
        assert view.members[(Role.EVALUATOR, late)].stake_wei == STAKE_WEI - penalty
        assert not view.members[(Role.EVALUATOR, late)].active  # below the minimum until it adds to its stake
        opened = Opening(keccak(b"reports of evaluator-1"), keccak(b"evaluator-1"))
        assert view.openings == {(draw.round, honest): opened}
        assert view.commitments[key] == commitment("evaluator-2", net, round_=draw.round)

    on_devnet(main)


def test_canaries_are_committed_before_their_epoch_and_opened_after_the_reveal(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        room = await courtroom(net, "evaluator-1")
        author = await net.sender("author", dgai_wei=0)
        block = await net.rpc.block("latest")
        assert block is not None
        clock = room.network.watcher.clock
        epoch = clock.epoch_at(block.timestamp_s * 1000) + 20
        anyone = await net.sender("anyone", dgai_wei=0)
        with pytest.raises(Reverted, match="OnlyAuthor"):
            await court.commit_canaries(anyone, net.contracts, epoch=epoch, root=CANARIES)
        with pytest.raises(Reverted, match="TooLate"):
            await court.commit_canaries(author, net.contracts, epoch=epoch - 20, root=CANARIES)
        await court.commit_canaries(author, net.contracts, epoch=epoch, root=CANARIES)
        await room.pass_until(clock.closes_at_ms(epoch) // 1000)
        await room.serve(epoch)
        draw = await room.draw(epoch)
        gateway = await net.sender("gateway", dgai_wei=0)
        await court.disclose(gateway, net.contracts, draw=draw, blob_id=keccak(b"content"))
        opened = keccak(b"opened")
        with pytest.raises(Reverted, match="TooEarly"):
            await court.open_canaries(author, net.contracts, gateway=room.gateway, epoch=epoch, blob_id=opened)
        await judge(room, draw.round)
        await court.open_canaries(author, net.contracts, gateway=room.gateway, epoch=epoch, blob_id=opened)
        key = author.address, room.gateway, epoch
        view = await room.network.watcher.until(lambda view: key in view.canary_openings, timeout_s=30)
        assert view.canary_openings[key] == opened
        assert view.authors == {author.address}
        assert view.canary_roots == {(author.address, epoch): CANARIES}
        assert view.disclosures == {(room.gateway, epoch): keccak(b"content")}
        assert view.disclosed_ms[(room.gateway, epoch)] >= draw.timestamp_ms

    on_devnet(main)


def test_rows_of_another_root_pay_nothing(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        room = await courtroom(net, "evaluator-1")
        await room.serve(100)
        draw = await room.draw(100)
        await judge(room, draw.round)
        await room.pass_until((await room.windows(draw.round))[3])
        node = net.key("node-1").address
        rows = tuple(
            PayoutRow(kind, room.gateway, node, amount_of(wei))
            for kind, wei in ((PayoutKind.NODE, 5), (PayoutKind.PAYER, 6))
        )
        releases = (Release(room.gateway, 11),)
        root = room.root(draw.round, rows, releases)
        anyone = await net.sender("anyone", dgai_wei=0)
        signed = room.sign(root, "evaluator-1")
        await court.post_quality(anyone, net.contracts, root=root, releases=releases, signatures=signed)
        (row,) = payout_claims(rows[:1])
        with pytest.raises(Reverted, match="NotIncluded|WrongPathLength|IndexOutOfRange"):
            await room.claim([row])
        (row, other) = payout_claims(rows, payees=[node])
        with pytest.raises(Reverted, match="NotIncluded"):
            await room.claim([dataclasses.replace(row, total_wei=6), other])
        assert [event.amount_wei for event in await room.claim([row])] == [5]

    on_devnet(main)
