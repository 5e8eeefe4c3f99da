"""`dgrid proof`, `dgrid evaluators`, and `dgrid verify` of certificates, as far as they need no network."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.conftest import Dgrid
from tests.settlement.judged import a_judged_epoch, reading, story

from dgrid.chain.events import Role
from dgrid.chain.parameter_history import ParameterHistory
from dgrid.chain.parameters import Parameters
from dgrid.chain.view import ChainView, Member
from dgrid.cli.certificates import findings_data, findings_text
from dgrid.cli.judging import model_named, the_node
from dgrid.cli.verifying import CLAIMS, Checked
from dgrid.core.errors import InvalidRequest
from dgrid.core.identity import Address, model_id, to_hex
from dgrid.settlement.certificate import Certificate
from dgrid.settlement.certificate_checks import compare_with_chain, verify_certificate
from dgrid.settlement.certifying import certify


def made() -> Certificate:
    judged = a_judged_epoch()
    at = judged.duties()[0].leaf.key.sequence

    async def main() -> Certificate:
        async with reading(judged) as found:
            return await certify(found.quality, found.records, request_id=story(at).request_id)

    return asyncio.run(main())


@pytest.fixture(scope="module")
def document() -> bytes:
    return made().encode()


@pytest.fixture
def certificate(tmp_path: Path, document: bytes) -> Path:
    path = tmp_path / "certificate.json"
    path.write_bytes(document)
    return path


@pytest.mark.parametrize(
    ("text", "said"), [("node-9", "there is no node node-9"), ("0xaaaa", "0xaaaa fits 2 nodes"), ("0xaaab…", "")]
)
def test_a_node_is_found_by_its_name_or_the_beginning_of_its_address(text: str, said: str) -> None:
    nodes = [Address(bytes.fromhex(start) + bytes(17)) for start in ("aaaa01", "aaaa02", "aaab01")]
    members = {(Role.NODE, one): Member(Role.NODE, one, "", 1, 0, bytes(32), bytes(32), active=True) for one in nodes}
    names, view = {nodes[0]: "node-1"}, ChainView(members=members)
    assert the_node("node-1", view, names=names) == nodes[0]
    if not said:
        assert the_node(text, view, names=names) == nodes[2]
        return
    with pytest.raises(InvalidRequest) as refused:
        the_node(text, view, names=names)
    assert refused.value.message == said


def test_without_a_gateway_a_built_in_model_still_has_its_name() -> None:
    assert model_named(model_id("dgrid-mini")) == "dgrid-mini"
    assert model_named(b"\x12" * 32) == "0x121212…1212"


def test_a_sound_certificate_exits_0_and_says_what_a_chain_must_confirm(dgrid: Dgrid, certificate: Path) -> None:
    shown = dgrid("verify", str(certificate))
    assert shown.code == 0
    assert "final once a chain says the same" in shown.out
    assert "QualityCourt.drawOf" in shown.out


def test_every_check_says_what_it_shows(document: bytes) -> None:
    certificate, empty = Certificate.decode(document), ChainView(parameters=ParameterHistory.of(Parameters()))
    checks = [*verify_certificate(certificate), *compare_with_chain(certificate, empty)]
    names = {check.name.rpartition(": ")[2] for check in checks}
    assert names | {"answer"} == set(CLAIMS)
    text = Checked(verify_certificate(certificate)).text
    assert all(claim in text for name, claim in CLAIMS.items() if f"ok      {name}" in text)


def test_programs_get_the_checks_and_the_facts_apart(dgrid: Dgrid, certificate: Path) -> None:
    data = dgrid("verify", str(certificate), "--json").data
    assert data["schema"] == "dgrid.verify/1"
    assert data["valid"] is True
    assert {"inclusion", "draw", "committee", "reports", "credibility"} <= {check["name"] for check in data["checks"]}
    assert all(set(fact) == {"where", "value"} for fact in data["to_compare"])
    assert data["to_compare"]


def test_a_damaged_certificate_exits_1_with_the_reason(dgrid: Dgrid, certificate: Path, document: bytes) -> None:
    certificate.write_bytes(document.replace(b'"round":6', b'"round":7', 1))
    shown = dgrid("verify", str(certificate), "--json")
    assert (shown.code, shown.data["valid"]) == (1, False)
    assert "damaged" in shown.data["checks"][0]["reason"]


def test_without_a_home_it_cannot_be_compared(dgrid: Dgrid, certificate: Path) -> None:
    shown = dgrid("verify", str(certificate), "--rpc", "http://127.0.0.1:1", "--json")
    assert shown.code == 3
    assert "no network" in shown.error["message"]


@pytest.mark.parametrize(
    "words", [["evaluators"], ["proof", "0x" + "11" * 32], ["proof"], ["nodes"], ["nodes", "--why", "node-1"]]
)
def test_without_a_network_they_exit_3(dgrid: Dgrid, words: list[str]) -> None:
    shown = dgrid(*words, "--json")
    assert shown.code == 3
    assert "no network" in shown.error["message"]


def test_a_certificate_is_read_out_with_every_members_word(document: bytes) -> None:
    certificate = Certificate.decode(document)
    first = Address(certificate.members[0].evaluator)
    found = findings_data(certificate, {first: "evaluator-7"})
    assert found["id"] == to_hex(certificate.document.receipt.request_id)
    assert (found["committee"], found["reports"]) == (len(certificate.members), len(found["members"]))
    opened = certificate.members[0].opened
    assert opened is not None
    assert found["members"][0]["accuracy_bps"] == opened.report.accuracy_bps
    text = findings_text(found)
    assert all(name in text for name in ("evaluator-7", "ACCURACY", "judged", "credibility"))


def test_a_member_that_was_silent_is_listed_with_the_reason(document: bytes) -> None:
    certificate = Certificate.decode(document)
    silent = replace(certificate.members[0], opened=None, absence="it opened nothing")
    found = findings_data(replace(certificate, members=(silent,)), {})
    assert (found["reports"], found["members"][0]["accuracy_bps"]) == (0, None)
    assert "it opened nothing" in findings_text(found)


def test_a_malformed_id_is_a_matter_of_usage(dgrid: Dgrid) -> None:
    assert dgrid("proof", "0x12", "--json").code == 2
