import asyncio
import logging
import os
import signal
from pathlib import Path

import msgspec
import pytest
from tests.devnet import Devnet, OnDevnet, running_devnet
from tests.processes.role_process import RoleProcess, running
from tests.settlement.network import Settling, settling

from dgrid.chain.channels import channel_id
from dgrid.chain.events import Role
from dgrid.core.identity import to_hex
from dgrid.core.money import WEI
from dgrid.settlement.anchoring import Anchorer, AnchorOrder
from dgrid.settlement.archives import Promise
from dgrid.settlement.closing import ClosedEpoch
from dgrid.settlement.signed_roots import SignedRoot

SETTLED_S = 20


async def signed_order(network: Settling, closed: ClosedEpoch) -> AnchorOrder:
    signed = SignedRoot.by(network.books.key, closed.root, domain=network.net.domain)
    promises = await network.archives.put(closed.blob, key=network.books.key, root=signed)
    return AnchorOrder(closed.root, signed.signature, tuple(promises))


def body_of(order: AnchorOrder) -> bytes:
    return msgspec.json.encode(order.to_json())


async def closed_epochs(network: Settling, *epochs: int) -> list[ClosedEpoch]:
    config = await network.open_channel("payer-1", amount_wei=10 * WEI)
    found = []
    for epoch in epochs:
        network.books.answer(epoch, network.work(config, "node-1", tokens_in=50_000, tokens_out=100))
        closed = network.books.close(epoch, vouchers=(network.voucher("payer-1", config, 10 * WEI),))
        assert closed is not None
        found.append(closed)
    return found


def test_a_posted_root_is_anchored_and_its_channels_collected(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net)
        (closed,) = await closed_epochs(network, 40)
        async with running(net, "settler", name="settler-9") as settler:
            body = body_of(await signed_order(network, closed))
            status, said = await settler.ask("POST", "/v1/anchors", body)
            assert (status, said["state"]) == (202, "waiting")
            assert (await settler.ask("POST", "/v1/anchors", body))[0] == 202
            fee = network.books.receipts[0].shares.fee
            await network.watcher.until(
                lambda view: any(channel.drawn_wei == fee for channel in view.channels.values()), timeout_s=SETTLED_S
            )
            path = f"/v1/anchors/{to_hex(network.books.key.address)}/40"
            for _ in range(100):
                if (await settler.ask("GET", path))[1]["state"] == "anchored":
                    break
                await asyncio.sleep(0.05)
            assert (await settler.ask("GET", path))[1]["state"] == "anchored"
            assert settler.stop() == 0

    on_devnet(main)


def test_where_a_root_was_anchored_is_told_once(on_devnet: OnDevnet, caplog: pytest.LogCaptureFixture) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        (closed,) = await closed_epochs(network, 40)
        network.queue.accept(await signed_order(network, closed))
        anchorer = Anchorer(network.queue, await net.sender("settler", dgai_wei=0), net.contracts)
        before = network.watcher.finalized
        with caplog.at_level(logging.INFO, logger="dgrid.settlement.anchoring"):
            for _ in range(3):  # until the view shows it, it is sent again under its label
                await anchorer.send_waiting(before)
        assert [record.getMessage().split(" of ")[0] for record in caplog.records] == ["anchored epoch 40"]

    on_devnet(main)


def test_a_root_that_no_transaction_has_room_for_holds_up_no_other_gateways(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        (closed,) = await closed_epochs(network, 40)
        first = msgspec.structs.replace(closed.root, gateway=bytes(19) + b"\x01")
        endless = (Promise(net.key("archive-1").address, b"\x01" * 200_000),)
        network.queue.accept(AnchorOrder(first, bytes(65), endless))
        network.queue.accept(await signed_order(network, closed))
        await network.loop.step()
        where = network.books.key.address, 40
        await network.watcher.until(lambda view: where in view.roots, timeout_s=30)
        (waiting,) = [row for row in network.queue.waiting() if row.order.root.gateway == first.gateway]
        assert "it would have" in waiting.reason

    on_devnet(main)


def test_bad_orders_are_refused(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        (closed,) = await closed_epochs(network, 40)
        async with running(net, "settler", name="settler-9") as settler:
            order = await signed_order(network, closed)
            forged = AnchorOrder(order.root, net.key("stranger").sign(net.domain.digest(order.digest)), order.stored)
            assert (await settler.ask("POST", "/v1/anchors", body_of(forged)))[0] == 401
            assert (await settler.ask("POST", "/v1/anchors", b"{}"))[0] == 400
            assert (await settler.ask("POST", "/v1/anchors", b"\xff"))[0] == 400
            assert (await settler.ask("GET", "/v1/anchors/0x12/1"))[0] == 400
            for epoch in ("1", str(2**63), "9" * 4_000):
                assert (await settler.ask("GET", f"/v1/anchors/{to_hex(bytes(20))}/{epoch}"))[0] == 404
            early = msgspec.structs.replace(order.root, epoch=2**53 - 1)
            early_order = AnchorOrder(early, SignedRoot.by(network.books.key, early, domain=net.domain).signature, ())
            assert (await settler.ask("POST", "/v1/anchors", body_of(early_order)))[0] == 425
            assert (await settler.ask("POST", "/v1/anchors", body_of(order)))[0] == 202
            other = msgspec.structs.replace(order.root, pot=order.root.pot + 1)
            signature = SignedRoot.by(network.books.key, other, domain=net.domain).signature
            second = AnchorOrder(other, signature, order.stored)
            assert (await settler.ask("POST", "/v1/anchors", body_of(second)))[0] == 409

    on_devnet(main)


def test_a_gateway_that_a_penalty_put_out_of_service_is_told_so(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net, archives=1)
        (closed,) = await closed_epochs(network, 40)
        async with running(net, "settler", name="settler-9") as settler:
            order = await signed_order(network, closed)
            gateway = await net.sender("gateway", dgai_wei=0)
            await gateway.send(net.contracts.registry, "unbond", [Role.GATEWAY, WEI], label="below the least")
            async with asyncio.timeout(SETTLED_S):
                while (answer := await settler.ask("POST", "/v1/anchors", body_of(order)))[0] == 202:
                    await asyncio.sleep(0.05)
            status, said = answer
            assert (status, said["error"]["code"]) == (401, "out_of_service")
            assert "stake" in said["error"]["message"]

    on_devnet(main)


def test_roots_accepted_before_a_kill_and_with_the_chain_away_are_anchored_once_each(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net)
        first, second, third = await closed_epochs(network, 40, 41, 43)
        async with running(net, "settler", name="settler-9") as settler:
            await settler.ask("POST", "/v1/anchors", body_of(await signed_order(network, first)))
            settler.kill()  # anywhere between journal, broadcast and receipt
            await settler.start()
            await freeze(net, settler, [await signed_order(network, closed) for closed in (third, second)])
            settler.kill()
            await settler.start()
            total = sum(receipt.shares.fee for receipt in network.books.receipts)
            await network.watcher.until(
                lambda view: [channel.drawn_wei for channel in view.channels.values()] == [total],
                timeout_s=SETTLED_S,
            )
            assert sorted(epoch for _, epoch in network.watcher.finalized.roots) == [40, 41, 43]
            name = channel_id(net.contracts, next(iter(network.watcher.finalized.channels.values())).config)
            assert network.watcher.finalized.drawn_in_lane[(name, 0)] == total

    on_devnet(main)


async def freeze(net: Devnet, settler: RoleProcess, orders: list[AnchorOrder]) -> None:
    """Posts orders while the chain stands still."""
    assert net.chain.pid is not None
    os.kill(net.chain.pid, signal.SIGSTOP)
    try:
        for order in orders:
            assert (await settler.ask("POST", "/v1/anchors", body_of(order)))[0] == 202
        await asyncio.sleep(0.3)
    finally:
        os.kill(net.chain.pid, signal.SIGCONT)


def test_a_root_that_the_chain_lost_with_its_last_seconds_is_anchored_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with running_devnet(tmp_path, keep_state=True) as net:
            network = await settling(net)
            (closed,) = await closed_epochs(network, 40)
            async with running(net, "settler", name="settler-9") as settler:
                order = await signed_order(network, closed)
                await net.is_kept()
                state = tmp_path.joinpath("chain", "state.json")
                kept = state.read_bytes()
                await settler.ask("POST", "/v1/anchors", body_of(order))
                key = network.books.key.address, 40
                await network.watcher.until(lambda view: key in view.roots, timeout_s=SETTLED_S)
                net.chain.kill()
                state.write_bytes(kept)  # what was final is gone
                lost = await network.watcher.until(lambda view: key not in view.roots, timeout_s=SETTLED_S)
                assert lost.channels
                fee = network.books.receipts[0].shares.fee
                await network.watcher.until(
                    lambda view: key in view.roots and [one.drawn_wei for one in view.channels.values()] == [fee],
                    timeout_s=SETTLED_S,
                )

    asyncio.run(main())
