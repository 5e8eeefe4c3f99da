"""`dgrid chat` and its kin against gateways that really answer."""

import json
from pathlib import Path

import pytest
import typer
from tests.cli.conftest import Dgrid
from tests.client.serving import Gateway, serving

from dgrid.cli.terminal import wei_of
from dgrid.core.errors import InvalidApiKey, NoNodeAvailable


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, dgrid: Dgrid) -> object:
    """Points the command line at gateways."""

    def use(urls: list[str]) -> None:
        monkeypatch.setenv("DGRID_GATEWAY_URL", ",".join(urls))
        monkeypatch.setenv("DGRID_API_KEY", "dg-test")

    return use


def test_chat_streams_the_answer_and_names_the_receipt_beside_it(dgrid: Dgrid, network: object) -> None:
    gateway = Gateway()
    with serving(gateway) as urls:
        network(urls)  # type: ignore[operator]
        shown = dgrid("chat", "What does Tim play?")
    assert (shown.code, shown.out) == (0, "Tim plays the cello.\n")
    assert next(iter(gateway.documents)) in shown.err
    assert "fee" in shown.err
    assert json.loads(gateway.asked[0].body)["stream"] is True


def test_chat_for_programs_is_one_object(dgrid: Dgrid, network: object) -> None:
    with serving(Gateway()) as urls:
        network(urls)  # type: ignore[operator]
        shown = dgrid("chat", "What does Tim play?", "--json", "--model", "dgrid-mini", "--max-tokens", "9")
    assert shown.data["schema"] == "dgrid.chat/1"
    assert (shown.data["text"], shown.data["fee_wei"], shown.data["verified"]) == ("Tim plays the cello.", "26", True)
    assert not shown.err


def test_chat_uses_the_other_gateway_when_one_is_dead(dgrid: Dgrid, network: object) -> None:
    with serving(Gateway()) as urls:
        network(["http://127.0.0.1:1", *urls])  # type: ignore[operator]
        shown = dgrid("chat", "What does Tim play?", "--quiet")
    assert (shown.code, shown.out, shown.err) == (0, "Tim plays the cello.\n", "")


@pytest.mark.parametrize(("refusal", "code"), [(InvalidApiKey("no"), 4), (NoNodeAvailable("none"), 3)])
def test_chat_exits_by_the_kind_of_failure(dgrid: Dgrid, network: object, refusal: object, code: int) -> None:
    with serving(Gateway(refusal=refusal)) as urls:  # type: ignore[arg-type]
        network(urls)  # type: ignore[operator]
        shown = dgrid("chat", "x", "--json")
    assert shown.code == code
    assert not shown.out


def test_an_answer_whose_receipt_does_not_hold_exits_1(dgrid: Dgrid, network: object) -> None:
    with serving(Gateway(change_reply=lambda reply: reply.replace(b"cello", b"flute"))) as urls:
        network(urls)  # type: ignore[operator]
        shown = dgrid("chat", "What does Tim play?", "--json")
    assert shown.code == 1
    assert shown.error["code"] == "check_failed"


@pytest.mark.parametrize("text", ["", " \n"])
def test_nothing_is_not_asked(dgrid: Dgrid, text: str) -> None:
    shown = dgrid("chat", text, "--json")
    assert shown.code == 2
    assert "nothing to ask" in shown.error["message"]


def test_a_missing_key_is_a_refusal(dgrid: Dgrid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DGRID_GATEWAY_URL", "http://127.0.0.1:1")
    shown = dgrid("chat", "x", "--json")
    assert shown.code == 4
    assert "DGRID_API_KEY" in shown.error["hint"]


def test_receipts_are_listed_fetched_and_verified_offline(dgrid: Dgrid, network: object, tmp_path: Path) -> None:
    gateway = Gateway()
    with serving(gateway) as urls:
        network(urls)  # type: ignore[operator]
        dgrid("chat", "What does Tim play?", "--no-stream")
        (name,) = gateway.documents
        fetched = dgrid("receipts", "get", name, "-o", "receipt.json")
        printed = dgrid("receipts", "get", name)
        missing = dgrid("receipts", "get", "0x" + "00" * 32, "--json")
    assert fetched.code == 0
    assert printed.out.rstrip("\n") == (tmp_path / "receipt.json").read_text()
    assert (missing.code, missing.error["code"]) == (5, "receipt_not_found")
    (tmp_path / "answer.txt").write_text("Tim plays the cello.\n")
    shown = dgrid("verify", "receipt.json", "--answer", "answer.txt", "--json")
    assert shown.code == 0
    assert shown.data["valid"] is True
    assert {"name": "answer", "ok": True, "reason": "ok"} in shown.data["checks"]


@pytest.mark.parametrize(("text", "wei"), [("1", 10**18), ("0.1", 10**17), ("0.000000000000000001", 1), ("0", 0)])
def test_amounts_are_taken_exactly(text: str, wei: int) -> None:
    assert wei_of(text) == wei


@pytest.mark.parametrize("text", ["", "x", "-1", "NaN", "Infinity", "1e60", "999999999999", "0.0000000000000000001"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        wei_of(text)
