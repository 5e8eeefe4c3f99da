import asyncio
import os
import secrets
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.devnet import Devnet, OnDevnet, free_port, on_devnet
from tests.settlement.network import base_of, settling

from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import Kind, Role
from dgrid.config import ConfigError, NodeConfig, to_toml
from dgrid.core.identity import Address, model_id
from dgrid.core.keccak import salted_hash
from dgrid.core.money import WEI
from dgrid.engines.catalog import Catalog
from dgrid.engines.openai_engine import OpenAiEngine
from dgrid.node.books import Books, HeldReceipt
from dgrid.processes.life import now_ms
from dgrid.processes.node import BOOKS_NAME, RunningNode, running_node
from dgrid.processes.node_models import sold_model
from dgrid.wire.answers import Answer
from dgrid.wire.blob import decode_record
from dgrid.wire.evidence import decode_evidence
from dgrid.wire.frames import DispatchEnvelope, FrameKind, FrameReader, SignedReceipt, decode_done, encode
from dgrid.wire.messages import Dispatch
from dgrid.wire.offers import ModelOffer, decode_offer
from dgrid.wire.openai import decode_chunk
from dgrid.wire.seals import seal, sealed_by
from dgrid.wire.server import PortTaken, Reply, Request, Server, json_reply

__all__ = ["on_devnet"]
MARIA = "Maria lives in Oslo and works as a nurse.\nWho works as a nurse?"


def node_config(net: Devnet, name: str = "node-1", **changes: Any) -> NodeConfig:
    folder = net.folder / name
    folder.mkdir(exist_ok=True)
    key_file = folder / "key"
    key_file.write_text(net.key(name).secret.hex())
    common = NodeConfig(name, folder, key_file, "127.0.0.1", free_port(), net.config, dev=True)
    return replace(common, model="dgrid-mini", **changes)


async def with_line(net: Devnet, node: Address) -> None:
    """Enrols a gateway that gives the node a credit line."""
    enroller = Enroller(net.rpc, net.contracts, await net.sender("gateway"), dev=True)
    watcher = await net.watcher("gateway-eyes")
    await enroller.enroll(Enrolment(Role.GATEWAY, "http://127.0.0.1:1", 1000 * WEI), watcher.latest)
    await enroller.ensure_bond(5000 * WEI)
    await enroller.ensure_lines({node: 100 * WEI}, watcher.latest)


def envelope(net: Devnet, node: Address, offer: ModelOffer, *, body: dict[str, Any]) -> bytes:
    key, salt = net.key("gateway"), secrets.token_bytes(32)
    raw = msgspec.json.encode({"model": offer.model, "messages": [{"role": "user", "content": MARIA}], **body})
    model = Catalog.built_in().model(offer.model)
    prices = int(offer.in_price_wei), int(offer.out_price_wei)
    dispatch = Dispatch(
        request_id=secrets.token_bytes(32),
        forwarded_hash=salted_hash(salt, raw),
        gateway=key.address,
        node=node,
        model_id=model_id(offer.model),
        model_digest=model.digest,
        token=net.config.address("dgai"),
        in_price=prices[0],
        out_price=prices[1],
        seed=1,
        nonce=secrets.randbelow(2**63),
        deadline=now_ms() + 20_000,
        config_hash=bytes(32),
        last_receipt=bytes(32),
    )
    sealed = seal(key, net.domain, [dispatch.struct_hash()])[0]
    return encode(DispatchEnvelope(dispatch.packed(), sealed, salt, offer.model, raw))


async def wait_for_line(node: RunningNode, gateway: Address) -> None:
    meter = node.service._stand.meter
    async with asyncio.timeout(30):
        while meter._chain.credit_line_wei(gateway) == 0 or not meter._chain.is_gateway(gateway):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("stream", [True, False])
def test_a_node_registers_itself_and_answers_a_paying_gateway(on_devnet: OnDevnet, *, stream: bool) -> None:
    async def main(net: Devnet) -> None:
        config, node_address = node_config(net), net.key("node-1").address
        async with running_node(config) as node:
            await with_line(net, node_address)
            watcher = await net.watcher("eyes")
            view = await watcher.until(lambda view: (Role.NODE, node_address) in view.members, timeout_s=30)
            member = view.members[(Role.NODE, node_address)]
            assert (member.endpoint, member.offer_digest) == (node.url, node.service.offer.digest)

            reply = await net.http.request("GET", node.url + "/v1/offer")
            offer = decode_offer(await reply.read(), node=node_address)
            assert offer.engine.startswith("llama.cpp")
            assert offer.models[0].tokenizer in Catalog.built_in().tokenizers()

            await wait_for_line(node, net.key("gateway").address)
            sent = envelope(net, node_address, offer.models[0], body={"stream": stream})
            reply = await net.http.request("POST", node.url + "/v1/dispatch", body=sent)
            body = await reply.read()
            assert reply.status == 200, body
            *objects, (last, payload) = FrameReader().feed(body)
            answer = Answer()
            for _, chunk in objects:
                answer.add(decode_chunk(chunk))
            assert answer.text() == "Maria"
            assert last is FrameKind.DONE
            done, receipt = decode_done(payload)
            assert sealed_by(net.domain, receipt.struct_hash(), done.seal) == node_address
            tokenizer = Catalog.built_in().tokenizers()[offer.models[0].tokenizer]
            assert receipt.tokens_in == tokenizer.count_prompt([("user", MARIA)])
            assert receipt.tokens_out == tokenizer.count_reply("Maria") == len(decode_evidence(done.evidence)[0].ids)

    on_devnet(main)


def test_a_node_registers_when_its_engine_has_answered_and_spends_nothing_before(
    on_devnet: OnDevnet, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(net: Devnet) -> None:
        port, node = free_port(), net.key("node-1").address
        where = {"engine_url": f"http://127.0.0.1:{port}/v1", "in_price_wei": "1", "out_price_wei": "1"}
        async with running_node(node_config(net, **where)):
            async with asyncio.timeout(10):
                while caplog.text.count("no engine answers") < 2:
                    await asyncio.sleep(0.02)
            assert int(await net.rpc.call("eth_getTransactionCount", ["0x" + node.hex(), "latest"]), 16) == 0
            engine = Server(models, host="127.0.0.1", port=port)
            await engine.start()
            watcher = await net.watcher("eyes")
            await watcher.until(lambda view: (Role.NODE, node) in view.members, timeout_s=15)
            await engine.stop()

    async def models(_request: Request) -> Reply:
        return json_reply({"data": [{"id": "dgrid-mini"}]})

    on_devnet(main)


def test_the_same_offer_is_published_after_a_restart(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        digests = []
        for prices in ({}, {}, {"in_price_wei": "7"}):
            async with running_node(node_config(net, **prices)) as node:
                digests.append(node.service.offer.digest)
        assert digests[0] == digests[1] != digests[2]

    on_devnet(main)


def test_a_node_claims_by_itself_what_a_gateway_never_closed(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network, node = await settling(net, archives=1), net.key("node-1").address
        channel = await network.open_channel("payer-1", amount_wei=10 * WEI)
        work = network.work(channel, "node-1", tokens_in=50_000, tokens_out=500)
        owed_wei = base_of(network.books.answer(9, work).totals.node)
        record = decode_record(network.books.rows[9][0].record)
        config = node_config(net)
        books = Books(config.folder / BOOKS_NAME)  # as an earlier life left them
        books.keep_receipt(HeldReceipt.of(SignedReceipt(record.receipt, record.seal)))
        books.close()
        key = node, Kind.NODE
        for _ in range(2):
            async with running_node(config):
                view = await network.watcher.until(lambda view: key in view.received, timeout_s=30)
                await asyncio.sleep(1)
                assert view.received[key] == network.watcher.latest.received[key] == owed_wei

    on_devnet(main)


def test_a_port_in_use_is_said_at_once(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        config = node_config(net)
        async with running_node(config):
            with pytest.raises(PortTaken):
                async with running_node(replace(config, folder=net.folder / "other")):
                    pass

    on_devnet(main)


def test_the_process_stops_cleanly_when_it_is_told_to(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        config = node_config(net)
        file = net.folder / "node.toml"
        file.write_text(to_toml(config))
        command = [sys.executable, "-m", "dgrid.processes", "node", str(file), str(os.getpid())]
        process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
        assert process.stderr is not None
        log = b""
        while b"serving dgrid-mini" not in log:
            log += await asyncio.wait_for(process.stderr.readline(), 30)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 8) == 0
        assert b"Traceback" not in log + await process.stderr.read()

    on_devnet(main)


def plain_config(folder: Path, **changes: Any) -> NodeConfig:
    chain: Any = None
    return replace(NodeConfig("n", folder, folder / "key", "127.0.0.1", 0, chain), **changes)


def test_a_gguf_file_is_served_under_the_operators_name_and_price(tmp_path: Path) -> None:
    path = Catalog.built_in().model("dgrid-nano").path
    prices = {"in_price_wei": "5", "out_price_wei": "6"}
    sold = sold_model(plain_config(tmp_path, model="mine", model_file=str(path), **prices))
    assert (sold.terms.model, sold.terms.price.in_wei, sold.terms.price.out_wei) == ("mine", 5, 6)
    assert (sold.terms.quantization, sold.terms.context, sold.terms.template) == ("q8_0", 512, "chatml")
    assert sold.tokenizer is not None


def test_someone_elses_server_is_served_without_a_digest(tmp_path: Path) -> None:
    (tmp_path / "engine-key").write_text("secret\n")
    where = {"engine_url": "http://127.0.0.1:9/v1/", "engine_api_key_file": str(tmp_path / "engine-key")}
    sold = sold_model(plain_config(tmp_path, model="big", in_price_wei="5", out_price_wei="6", **where))
    assert isinstance(sold.engine, OpenAiEngine)
    assert sold.terms.digest == bytes(32)
    assert sold.tokenizer is None


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "unknown"},
        {"model": "big", "engine_url": "http://127.0.0.1:9/v1"},
        {"in_price_wei": "-1"},
        {
            "engine_url": "http://127.0.0.1:9/v1",
            "engine_api_key_file": "nowhere",
            "in_price_wei": "1",
            "out_price_wei": "1",
        },
    ],
)
def test_a_model_that_cannot_be_sold_is_a_configuration_error(tmp_path: Path, changes: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        sold_model(plain_config(tmp_path, **changes))
