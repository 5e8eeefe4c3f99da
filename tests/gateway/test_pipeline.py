import asyncio
from pathlib import Path

from tests.gateway.stage import API_KEY, MARGIN_BPS, PRICE, PROTOCOL_BPS, Stage, play, until

from dgrid.core.money import FREE, Terms, split_fee
from dgrid.engines.scripted import Script
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.verification import verify_receipt

TERMS = Terms(PRICE, FREE, PROTOCOL_BPS, MARGIN_BPS)


def test_answers_bills_and_writes_a_receipt_that_verifies(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        answer = await stage.ask()
        assert answer.status == 200, answer.body
        usage = answer.json["usage"]
        fee_wei = split_fee(TERMS, tokens_in=4, tokens_out=4).fee_wei
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (4, 4)
        assert usage["dgrid"]["fee_wei"] == str(fee_wei)
        assert (stage.account().spent_wei, stage.account().held_wei) == (fee_wei, 0)
        receipt = await stage.get(f"/v1/receipts/{answer.receipt_id}", key=API_KEY)
        document = ReceiptDocument.decode(receipt.body)
        text = answer.json["choices"][0]["message"]["content"]
        assert all(check.ok for check in verify_receipt(document, answer=text))

    play(tmp_path, scenes)


def test_a_streamed_answer_costs_what_the_same_answer_costs_whole(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        whole = await stage.ask()
        streamed = await stage.ask(stream=True, stream_options={"include_usage": True})
        assert streamed.status == 200
        usage = streamed.events[-1]["usage"]
        assert usage["dgrid"]["fee_wei"] == whole.json["usage"]["dgrid"]["fee_wei"]
        text = "".join(event["choices"][0]["delta"].get("content", "") for event in streamed.events[:-1])
        assert text == whole.json["choices"][0]["message"]["content"]
        assert streamed.body.endswith(b": receipt " + streamed.receipt_id.encode() + b"\n\ndata: [DONE]\n\n")
        receipt = await stage.get(f"/v1/receipts/{streamed.receipt_id}", key=API_KEY)
        assert all(check.ok for check in verify_receipt(ReceiptDocument.decode(receipt.body), answer=text))

    play(tmp_path, scenes)


def test_never_bills_twice_when_the_second_node_answers(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        for _ in range(8):
            answer = await stage.ask()
            assert answer.status == 200
        assert stage.account().spent_wei == 8 * split_fee(TERMS, tokens_in=4, tokens_out=4).fee_wei
        assert stage.account().held_wei == 0

    play(tmp_path, scenes, Script(fails_after=0), Script())


def test_many_requests_at_once_never_exceed_the_balance(tmp_path: Path) -> None:
    async def scenes(stage: Stage) -> None:
        fee_wei = split_fee(TERMS, tokens_in=4, tokens_out=4).fee_wei
        worst_wei = split_fee(TERMS, tokens_in=4, tokens_out=64).fee_wei
        stage.deposit(3 * worst_wei)
        answers = await asyncio.gather(*(stage.ask() for _ in range(32)))
        served = [answer for answer in answers if answer.status == 200]
        assert {answer.code for answer in answers if answer.status != 200} <= {"insufficient_budget"}
        assert 3 <= len(served) < 32
        await until(lambda: stage.account().held_wei == 0)
        assert stage.account().spent_wei == len(served) * fee_wei <= 3 * worst_wei

    play(tmp_path, scenes, Script(first_delay_s=0.05))
