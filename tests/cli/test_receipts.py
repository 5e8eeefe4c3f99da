"""`dgrid verify`: alone with a file."""

from pathlib import Path

import pytest
from tests.cli.conftest import Dgrid
from tests.wire.making import Story, make_document

DOCUMENT = make_document(Story(batch=3))


@pytest.fixture
def receipt(tmp_path: Path) -> Path:
    path = tmp_path / "receipt.json"
    path.write_bytes(DOCUMENT.encode())
    return path


def test_a_sound_receipt_exits_0(dgrid: Dgrid, receipt: Path) -> None:
    shown = dgrid("verify", str(receipt))
    assert shown.code == 0
    assert shown.out.endswith("\nvalid\n")


def test_an_altered_figure_exits_1_and_says_which(dgrid: Dgrid, receipt: Path) -> None:
    receipt.write_bytes(receipt.read_bytes().replace(b'"tokensIn":11', b'"tokensIn":12'))
    shown = dgrid("verify", str(receipt), "--json")
    assert shown.code == 1
    assert shown.data["valid"] is False
    failed = {check["name"] for check in shown.data["checks"] if not check["ok"]}
    assert {"gateway signature", "node signature", "links"} <= failed


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff\xfe", b"[" * 1000])
def test_what_is_no_receipt_exits_1_with_the_reason(dgrid: Dgrid, receipt: Path, data: bytes) -> None:
    receipt.write_bytes(data)
    shown = dgrid("verify", str(receipt), "--json")
    assert shown.code == 1
    assert shown.data["checks"][0]["name"] == "document"
    assert "malformed" in shown.data["checks"][0]["reason"]


def test_another_answer_exits_1(dgrid: Dgrid, receipt: Path, tmp_path: Path) -> None:
    (tmp_path / "answer.txt").write_text("Another answer.")
    shown = dgrid("verify", str(receipt), "--answer", "answer.txt", "--json")
    assert shown.code == 1
    assert [check["name"] for check in shown.data["checks"] if not check["ok"]] == ["answer"]


def test_a_missing_file_exits_5(dgrid: Dgrid) -> None:
    assert dgrid("verify", "nowhere.json").code == 5


def test_it_reads_no_home_and_no_environment(dgrid: Dgrid, receipt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DGRID_HOME", "/nowhere/at/all")
    monkeypatch.setenv("DGRID_GATEWAY_URL", "http://127.0.0.1:1")
    assert dgrid("verify", str(receipt)).code == 0


def test_a_gateway_alone_is_not_believed_about_the_chain(dgrid: Dgrid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DGRID_GATEWAY_URL", "http://127.0.0.1:1")
    for words in (["wallet"], ["audit", "--epoch", "1"], ["claim", "--yes"], ["channel", "list"]):
        shown = dgrid(*words, "--json")
        assert (shown.code, shown.error["message"]) == (2, "no chain is known here")
