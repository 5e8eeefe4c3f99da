"""The tour a new user takes, on a real network: ask, route, run, settle, verify."""

import json
from pathlib import Path

from tests.network.running import RunningNetwork, until

QUESTION = "Maria lives in Oslo and works as a nurse. Tim plays the cello.\nWhere does Maria live?"
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "city": {"type": "string"}},
    "required": ["name", "city"],
    "additionalProperties": False,
}


def asked(text: str = QUESTION) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_the_openai_client_gets_an_answer_with_usage_from_each_gateway(network: RunningNetwork) -> None:
    for index in (0, 1):
        reply = network.openai(index).chat.completions.create(model="dgrid-mini", messages=asked())
        assert "Oslo" in reply.choices[0].message.content
        assert reply.usage.prompt_tokens > 10
        assert reply.usage.completion_tokens >= 1
        assert reply.model == "dgrid-mini"


def test_a_streamed_answer_is_the_same_text_and_ends_with_usage(network: RunningNetwork) -> None:
    client = network.openai()
    whole = client.chat.completions.create(model="dgrid-mini", messages=asked(), temperature=0)
    stream = client.chat.completions.create(
        model="dgrid-mini", messages=asked(), stream=True, temperature=0, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_json_schema_output_parses(network: RunningNetwork) -> None:
    text = 'Maria lives in Oslo. Maria is 34 years old.\nExtract JSON: {"name": string, "city": string}'
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}}
    reply = network.openai().chat.completions.create(
        model="dgrid-mini", messages=asked(text), response_format=form, temperature=0, max_tokens=60
    )
    assert json.loads(reply.choices[0].message.content).keys() == {"name", "city"}


def test_the_same_seed_gives_the_same_answer(network: RunningNetwork) -> None:
    def once() -> str:
        reply = network.openai().chat.completions.create(
            model="dgrid-nano", messages=asked("Tell me a story."), seed=7, temperature=1.5, max_tokens=40
        )
        return str(reply.choices[0].message.content)

    assert once() == once()


def test_logprobs_come_only_when_asked_for(network: RunningNetwork) -> None:
    client = network.openai()
    asked_for = client.chat.completions.create(model="dgrid-mini", messages=asked(), logprobs=True, top_logprobs=2)
    assert asked_for.choices[0].logprobs.content[0].logprob <= 0
    plain = client.chat.completions.create(model="dgrid-mini", messages=asked())
    assert plain.choices[0].logprobs is None


def test_models_are_listed_with_virtual_ones(network: RunningNetwork) -> None:
    names = {model.id for model in network.openai().models.list()}
    assert {"dgrid-nano", "dgrid-micro", "dgrid-mini", "auto", "auto:cheap", "auto:fast", "auto:best"} <= names


def test_chat_in_the_terminal_prints_the_answer(network: RunningNetwork) -> None:
    ran = network.dgrid("chat", QUESTION, "--model", "dgrid-mini")
    assert ran.code == 0, ran.err
    assert "Oslo" in ran.out


def test_a_receipt_verifies_offline_and_a_flipped_digit_does_not(network: RunningNetwork, tmp_path: Path) -> None:
    answer = network.dgrid("chat", QUESTION, "--model", "dgrid-mini")
    assert answer.code == 0
    receipts = until(lambda: network.dgrid("--json", "receipts").json["receipts"], what="a receipt")
    file, said = tmp_path / "receipt.json", tmp_path / "answer.txt"
    assert network.dgrid("receipts", "get", receipts[0]["id"], "-o", str(file)).code == 0
    said.write_text(answer.out.removesuffix("\n"))
    valid = network.dgrid("--json", "verify", str(file), "--answer", str(said))
    assert valid.code == 0, valid.out + valid.err
    assert valid.json["valid"] is True

    document = json.loads(file.read_bytes())
    document["receipt"]["shares"]["fee"] = str(int(document["receipt"]["shares"]["fee"]) + 1)
    file.write_text(json.dumps(document, separators=(",", ":"), sort_keys=True))
    broken = network.dgrid("--json", "verify", str(file))
    assert broken.code == 1
    assert any(not check["ok"] and check["reason"] for check in broken.json["checks"])


def test_an_epoch_audits_from_the_archives_and_the_chain(network: RunningNetwork) -> None:
    network.dgrid("chat", QUESTION)
    receipt = until(lambda: network.dgrid("--json", "receipts").json["receipts"], what="a receipt")[0]
    audit = network.dgrid("--json", "audit", receipt["id"], "--wait", "60", timeout_s=90)
    assert audit.code == 0, audit.out + audit.err
    assert audit.json["records_root"] == audit.json["onchain_root"] or audit.json["ok"] is True
    whole = network.dgrid("--json", "audit", "--epoch", str(audit.json["epoch"]), timeout_s=90)
    assert whole.json["ok"] is True
    assert whole.json["count"] >= 1
    assert whole.json["failures"] == []


def test_wallet_and_claim_account_for_every_unit(network: RunningNetwork) -> None:
    network.dgrid("chat", QUESTION)
    receipt = until(lambda: network.dgrid("--json", "receipts").json["receipts"], what="a receipt")[0]
    assert network.dgrid("audit", receipt["id"], "--wait", "60", timeout_s=90).code == 0
    wallet = network.dgrid("--json", "wallet")
    assert wallet.code == 0, wallet.err
    assert int(wallet.json["deposited_wei"]) >= int(wallet.json["spent_wei"]) > 0
    claimed = until(lambda: network.dgrid("claim", "--yes", timeout_s=120).code == 0, timeout_s=90, what="a claim")
    assert claimed


def test_status_and_doctor_say_all_is_well(network: RunningNetwork) -> None:
    status = network.dgrid("--json", "status")
    assert {process["role"] for process in status.json["processes"]} == {
        "chain",
        "gateway",
        "node",
        "archive",
        "settler",
        "watcher",
    }
    assert network.dgrid("doctor").code == 0
