from dataclasses import replace

import pytest
from tests.wire.making import GATEWAY, NODE, SALT, Story, make_document, make_record

from dgrid.client.answers import Answer
from dgrid.core.errors import CheckFailed
from dgrid.core.identity import Address, to_hex
from dgrid.core.keccak import keccak
from dgrid.evaluator.rerun import Peer, PeerAnswer, Repeat
from dgrid.processes.evaluator_asking import checked_answer
from dgrid.wire.grounds import Compared
from dgrid.wire.messages import Privacy

BODY = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"Oslo"}}]}'
PEER = Peer(NODE.address, "dgrid-mini", keccak(b"weights"))
DOOR = Address(GATEWAY.address)
REPEAT = Repeat(PEER, b"{}", DOOR)


def answer(privacy: Privacy = Privacy.NONE) -> Answer:
    document = make_document(Story(answer="Oslo", privacy=int(privacy)))
    name = to_hex(document.receipt.request_id)
    return Answer("Oslo", "dgrid-mini", name, 1, to_hex(NODE.address), 1, 1, 1, "http://127.0.0.1:1", BODY, document)


def test_an_answer_of_the_peer_that_was_asked_counts() -> None:
    found = checked_answer(answer(), REPEAT, gateway=DOOR)
    assert found == PeerAnswer(PEER, keccak(b"request"), "Oslo", found.compared)
    assert found.compared == Compared(make_record(Story(answer="Oslo", privacy=int(Privacy.NONE))), SALT, "Oslo")


@pytest.mark.parametrize(
    "peer",
    [
        replace(PEER, node=Address(b"\x01" * 20)),
        replace(PEER, digest=keccak(b"other weights")),
        replace(PEER, model="dgrid-nano"),
    ],
)
def test_an_answer_of_another_node_of_other_weights_or_under_another_name_does_not(peer: Peer) -> None:
    with pytest.raises(CheckFailed):
        checked_answer(answer(), replace(REPEAT, peer=peer), gateway=DOOR)


def test_an_answer_that_could_be_drawn_itself_does_not() -> None:
    with pytest.raises(CheckFailed):
        checked_answer(answer(Privacy.COMMITTEE), REPEAT, gateway=DOOR)


def test_an_answer_without_a_receipt_does_not() -> None:
    with pytest.raises(CheckFailed):
        checked_answer(replace(answer(), document=None), REPEAT, gateway=DOOR)


def test_an_answer_that_another_gateway_signed_for_does_not() -> None:
    """Nobody may know that one: what is compared with such an answer does not follow for anybody else."""
    with pytest.raises(CheckFailed):
        checked_answer(answer(), REPEAT, gateway=Address(b"\x01" * 20))


def test_an_answer_goes_by_its_receipts_name_not_by_the_one_that_its_gateway_says() -> None:
    renamed = replace(answer(), receipt_id=to_hex(bytes(32)))
    assert checked_answer(renamed, REPEAT, gateway=DOOR).request_id == keccak(b"request")
