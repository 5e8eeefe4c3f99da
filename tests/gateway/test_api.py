"""What clients may get wrong, and what they are told; who may see what."""

import asyncio
import base64
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.gateway.stage import (
    API_KEY,
    CHANNELS,
    DOMAIN,
    GATEWAY_KEY,
    PAYER_KEY,
    Stage,
    play,
    until,
)

from dgrid.core.identity import api_key_tag, model_id, to_hex
from dgrid.core.keccak import salted_hash
from dgrid.core.money import WEI
from dgrid.engines.scripted import Script
from dgrid.gateway.api import Access
from dgrid.gateway.facts import Channel
from dgrid.settlement.evidence import is_signed
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import InferenceRequest, Voucher
from dgrid.wire.quality import decode_content
from dgrid.wire.typed import dgrid_domain

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"key": ""}, 401, "invalid_api_key"),
        ({"key": "dg-wrong"}, 401, "invalid_api_key"),
        ({"key": "sk-another"}, 401, "invalid_api_key"),
        ({"model": "gpt-99"}, 404, "model_not_found"),
        ({"body": b"{"}, 400, "invalid_json"),
        ({"body": b'{"model":"tiny"}'}, 400, "invalid_request"),
        ({"max_tokens": 0}, 400, "invalid_request"),
        ({"text": "word " * 5000}, 400, "context_length_exceeded"),
        ({"dgrid": {"budget": "1"}}, 402, "insufficient_budget"),
        ({"dgrid": {"verify": "consensus"}}, 400, "invalid_request"),
        ({"provider": {"only": ["0x00"]}}, 503, "no_node_available"),
        ({"headers": {"idempotency-key": "k" * 256}}, 400, "invalid_request"),
        ({"headers": {"x-dgrid-payment": "!!!"}}, 400, "invalid_request"),
    ],
)
def test_a_wrong_request_gets_its_code_and_costs_nothing(
    tmp_path: Path, fields: dict[str, Any], status: int, code: str
) -> None:
    async def scenes(stage: Stage) -> None:
        answer = await stage.ask(**fields)
        assert (answer.status, answer.code) == (status, code), answer.body
        assert (stage.account().spent_wei, stage.account().held_wei) == (0, 0)
        assert not stage.nodes[0].engine.requests

    play(tmp_path, scenes)


def test_a_request_above_the_balance_is_refused_before_any_byte_leaves(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.deposit(1)
        answer = await stage.ask()
        assert (answer.status, answer.code) == (402, "insufficient_budget")
        assert not stage.nodes[0].engine.requests

    play(tmp_path, scenes)


def test_a_payer_who_asks_to_withdraw_is_not_served_and_what_was_billed_stands(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        assert (await stage.ask()).status == 200
        spent_wei = stage.account().spent_wei
        channel = next(iter(stage.chain.channels.values()))
        stage.chain.put_channel(replace(channel, is_leaving=True))
        assert (await stage.ask()).code == "insufficient_budget"
        assert stage.account().spent_wei == spent_wei

    play(tmp_path, scenes)


def test_a_cut_off_chain_is_said_and_serving_goes_on(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        stage.chain.degraded = True
        answer = await stage.ask()
        assert (answer.status, answer.headers[b"x-dgrid-degraded"]) == (200, b"chain")

    play(tmp_path, scenes)


def test_a_repeated_key_gives_the_same_answer_and_is_billed_once(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        spent_wei = 0
        for stream in (False, True):
            headers = {"idempotency-key": f"key {stream}"}
            first = await stage.ask(stream=stream, headers=headers)
            spent_wei = stage.account().spent_wei
            again = await stage.ask(stream=stream, headers=headers)
            assert (again.status, again.body, again.receipt_id) == (first.status, first.body, first.receipt_id)
            assert stage.account().spent_wei == spent_wei
            other = await stage.ask("Something else", stream=stream, headers=headers)
            assert (other.status, other.code) == (409, "idempotency_conflict")
        await stage.restart_gateway()
        assert (await stage.ask(stream=False, headers={"idempotency-key": "key False"})).headers[
            b"x-dgrid-cache"
        ] == b"replay"
        assert stage.account().spent_wei == spent_wei

    play(tmp_path, scenes)


def test_a_key_in_progress_conflicts_and_a_failed_one_may_be_used_again(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        headers = {"idempotency-key": "once"}
        first = asyncio.create_task(stage.ask(headers=headers))
        await until(lambda: stage.service.ledger.open_holds == 1)
        assert (await stage.ask(headers=headers)).code == "idempotency_conflict"
        assert (await first).status == 200
        await stage.nodes[0].server.stop()
        failing = {"idempotency-key": "twice"}
        assert (await stage.ask(headers=failing)).status in (502, 503)
        await until(lambda: stage.service.ledger.open_holds == 0)
        assert (await stage.ask(headers=failing)).status in (502, 503)

    play(tmp_path, scenes, Script(first_delay_s=0.3))


class Payer:
    """Signs its own vouchers and requests."""

    def __init__(self, stage: Stage, channel: Channel) -> None:
        self.stage, self.channel, self.nonce = stage, channel, 0

    def header(self, body: bytes, **bent: Any) -> str:
        self.nonce += 1
        salt = secrets.token_bytes(32)
        request = InferenceRequest(
            salted_hash(salt, body),
            PAYER_KEY.address,
            model_id("tiny"),
            0,
            0,
            WEI,
            bytes(32),
            self.nonce,
            bent.pop("deadline", self.stage.now_ms() + 60_000),
            bent.pop("gateway", GATEWAY_KEY.address),
        )
        domain = bent.pop("domain", DOMAIN)
        key = bent.pop("key", PAYER_KEY)
        amount = bent.pop("amount", 100 * WEI)
        voucher = PAYER_KEY.sign(CHANNELS.digest(Voucher(self.channel.channel_id, amount).struct_hash()))
        payment = {
            "chainId": bent.pop("chain_id", 31337),
            "channelId": "0x" + self.channel.channel_id.hex(),
            "voucher": {"maxClaimableAmount": str(amount), "signature": "0x" + voucher.hex()},
            "request": request.to_json(),
            "signature": "0x" + bent.pop("twist", lambda s: s)(key.sign(domain.digest(request.struct_hash()))).hex(),
            "salt": "0x" + salt.hex(),
        }
        return base64.urlsafe_b64encode(msgspec.json.encode(payment)).decode()


def high_s_twin(signature: bytes) -> bytes:
    s = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


BODY = msgspec.json.encode({"model": "tiny", "messages": [{"role": "user", "content": "Who?"}], "max_tokens": 8})


def test_a_signed_voucher_pays_up_to_its_ceiling(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        payer = Payer(stage, stage.chain.open_channel(b"vouchers0000", authorizer=PAYER_KEY.address))
        answer = await stage.ask(key="", body=BODY, headers={"x-dgrid-payment": payer.header(BODY)})
        assert answer.status == 200, answer.body
        state = stage.service.ledger.account_state(payer.channel.channel_id)
        assert 0 < state.spent_wei <= state.ceiling_wei == 100 * WEI
        low = await stage.ask(key="", body=BODY, headers={"x-dgrid-payment": payer.header(BODY)})
        assert low.status == 200

    play(tmp_path, scenes)


def test_a_voucher_below_the_cost_is_refused(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        payer = Payer(stage, stage.chain.open_channel(b"vouchers0000", authorizer=PAYER_KEY.address))
        answer = await stage.ask(key="", body=BODY, headers={"x-dgrid-payment": payer.header(BODY, amount=5)})
        assert (answer.status, answer.code) == (402, "insufficient_budget")

    play(tmp_path, scenes)


@pytest.mark.parametrize(
    ("bent", "code"),
    [
        ({"chain_id": 56}, "wrong_chain"),
        ({"domain": dgrid_domain(56, b"\x11" * 20)}, "invalid_signature"),
        ({"deadline": 1}, "signature_expired"),
        ({"gateway": b"\x09" * 20}, "invalid_signature"),
        ({"key": GATEWAY_KEY}, "invalid_signature"),
        ({"twist": high_s_twin}, "invalid_signature"),
    ],
    ids=["wrong chain", "other chain's domain", "expired", "other gateway", "other signer", "high-s twin"],
)
def test_a_wrong_signature_is_refused_by_name(tmp_path: Path, bent: dict[str, Any], code: str) -> None:
    async def scenes(stage: Stage) -> None:
        payer = Payer(stage, stage.chain.open_channel(b"vouchers0000", authorizer=PAYER_KEY.address))
        answer = await stage.ask(key="", body=BODY, headers={"x-dgrid-payment": payer.header(BODY, **bent)})
        assert (answer.status, answer.code) == (401, code), answer.body

    play(tmp_path, scenes)


def test_a_signed_request_is_served_once_even_after_a_restart(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        payer = Payer(stage, stage.chain.open_channel(b"vouchers0000", authorizer=PAYER_KEY.address))
        headers = {"x-dgrid-payment": payer.header(BODY)}
        assert (await stage.ask(key="", body=BODY, headers=headers)).status == 200
        assert (await stage.ask(key="", body=BODY, headers=headers)).code == "signature_replayed"
        await stage.restart_gateway()
        assert (await stage.ask(key="", body=BODY, headers=headers)).code == "signature_replayed"
        other = BODY.replace(b"Who", b"Why")
        assert (await stage.ask(key="", body=other, headers=headers)).code == "invalid_signature"

    play(tmp_path, scenes)


def test_only_the_owner_sees_a_receipt_s_salt(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        answer = await stage.ask()
        path = f"/v1/receipts/{answer.receipt_id}"
        assert "salt" in (await stage.get(path, key=API_KEY)).json
        assert "salt" not in (await stage.get(path)).json
        assert (await stage.get("/v1/receipts")).code == "invalid_api_key"
        assert len((await stage.get("/v1/receipts", key=API_KEY)).json["receipts"]) == 1
        assert (await stage.get("/v1/account", key=API_KEY)).json["spent_wei"] == str(stage.account().spent_wei)

    play(tmp_path, scenes)


def test_every_route_keeps_to_its_access(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        for route in stage.service.api.routes:
            path = route.path.replace("*", "0x" + "00" * 32)
            answer = await stage.request(route.method, path, b"{}", {})
            assert (answer.status == 401) == (route.access is not Access.PUBLIC), route
        assert (await stage.get("/v1/nowhere")).code == "route_not_found"
        assert (await stage.get("/v1/receipts/zz")).code == "invalid_request"
        assert (await stage.get("/v1/network/epochs?limit=0")).code == "invalid_request"

    play(tmp_path, scenes)


def test_auto_is_answered_by_a_real_model_and_says_which(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        for name in ("auto", "auto:cheap", "auto:fast", "auto:best"):
            answer = await stage.ask(model=name)
            assert (answer.json["model"], answer.headers[b"x-dgrid-model"]) == ("tiny", b"tiny")
        listed = (await stage.get("/v1/models")).json["data"]
        assert {model["id"] for model in listed} >= {"tiny", "auto"}
        assert (await stage.get("/v1/models/tiny")).json["context_length"] == 4096

    play(tmp_path, scenes)


def test_who_paid_sees_what_the_hashes_cover_and_nobody_else(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        answer = await stage.ask(provider={"only": [to_hex(stage.nodes[0].key.address)]})
        path = f"/v1/receipts/{answer.receipt_id}"
        document = ReceiptDocument.decode((await stage.get(path, key=API_KEY)).body)
        shown = await stage.get(f"{path}/content", key=API_KEY)
        content = decode_content(shown.body)
        assert is_signed(content, document)
        assert b"provider" not in content.request
        assert (await stage.get(f"{path}/content")).code == "invalid_api_key"
        other = stage.chain.open_channel(api_key_tag("dg-other"), authorizer=GATEWAY_KEY.address)
        assert other is not None
        assert (await stage.get(f"{path}/content", key="dg-other")).code == "receipt_not_found"
        secret = await stage.ask(dgrid={"privacy": "none"})
        hidden = await stage.get(f"/v1/receipts/{secret.receipt_id}/content", key=API_KEY)
        assert hidden.code == "receipt_not_found"

    play(tmp_path, scenes)
