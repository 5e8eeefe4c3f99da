"""Clients that hang up: they pay for what reached them if the node signs it, and for nothing else."""

import asyncio
from pathlib import Path

import msgspec
from tests.gateway.stage import API_KEY, Stage, play, until

from dgrid.engines.scripted import Script
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import Flag

WORDS = tuple(f" word{at}" for at in range(200))


async def begin(stage: Stage, **fields: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A raw client that has sent a request."""
    body = msgspec.json.encode(
        {"model": "tiny", "messages": [{"role": "user", "content": "Tell"}], "max_tokens": 200, **fields}
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.server.port)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {API_KEY}\r\n"
    writer.write(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)
    return reader, writer


def test_a_client_that_hangs_up_in_mid_stream_pays_for_the_signed_prefix_only(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        reader, writer = await begin(stage, stream=True)
        received = b""
        while received.count(b"word") < 5:
            received += await reader.read(4096)
        writer.transport.abort()
        await until(lambda: stage.service.ledger.open_holds == 0 and stage.account().spent_wei > 0)
        await until(lambda: stage.nodes[0].stand.presence.in_flight == 0)
        receipts = (await stage.get("/v1/receipts", key=API_KEY)).json["receipts"]
        document = ReceiptDocument.decode((await stage.get(f"/v1/receipts/{receipts[0]['id']}")).body)
        usage = document.receipt.usage
        assert usage.flags & Flag.PARTIAL
        assert 5 <= usage.tokens_out <= document.node_receipt.tokens_out < 100

    play(tmp_path, scenes, Script(pieces=WORDS, token_delay_s=0.02))


def test_a_client_that_hangs_up_before_the_first_word_pays_nothing_and_the_node_stops(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        for stream in (True, False):
            _, writer = await begin(stage, stream=stream)
            await until(lambda: stage.nodes[0].stand.presence.in_flight == 1)
            writer.transport.abort()
            await until(lambda: stage.service.ledger.open_holds == 0)
            await until(lambda: stage.nodes[0].stand.presence.in_flight == 0)
            assert (stage.account().spent_wei, stage.account().held_wei) == (0, 0)
            assert stage.service.router.loads.of(stage.nodes[0].key.address).in_flight == 0
        assert stage.nodes[0].engine.cancelled == 2

    play(tmp_path, scenes, Script(first_delay_s=3600.0), timeout_s=600.0)


def test_a_second_node_takes_over_before_the_first_word(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        first = "0x" + stage.nodes[0].key.address.hex()
        answer = await stage.ask(stream=True, provider={"order": [first]})
        assert answer.status == 200
        assert answer.headers[b"x-dgrid-attempts"] == b"2"
        assert not any("error" in event for event in answer.events)

    play(tmp_path, scenes, Script(fails_after=0), Script())


def test_a_node_killed_in_the_middle_of_requests_is_replaced(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        asked = [asyncio.create_task(stage.ask(f"Question {at}")) for at in range(12)]
        await until(lambda: stage.nodes[0].stand.presence.in_flight > 0)
        stage.nodes[0].server.drop()
        assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
        assert len((await stage.get("/v1/receipts", key=API_KEY)).json["receipts"]) == 12

    play(tmp_path, scenes, Script(first_delay_s=0.2), Script(first_delay_s=0.2))
