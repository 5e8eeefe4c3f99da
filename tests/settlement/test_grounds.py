"""What evaluators show of public leaves: a peer's own word for the same question, or nothing."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.making import DOMAIN, GATEWAY, NODE, Story, make_document

from dgrid.core.errors import CheckFailed
from dgrid.core.keccak import keccak
from dgrid.gateway.admit import forwarded
from dgrid.settlement.evidence import NotEvidence
from dgrid.settlement.grounds import Asked, open_all_compared, open_compared, shown
from dgrid.wire.grounds import ANSWER_BYTES_MAX, Compared
from dgrid.wire.messages import Flag
from dgrid.wire.openai import decode_chat
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import dgrid_domain

PEER = SigningKey(keccak(b"peer"))
QUESTION = (
    b'{"model":"auto","user":"me","stream":true,"temperature":0.5,"messages":[{"role":"user","content":"Where?"}]}'
)
REPEATED = (
    b'{"model":"dgrid-micro","temperature":0.5,"messages":[{"role":"user","content":"Where?"}],'
    b'"provider":{"only":["0x"]},"dgrid":{"privacy":"none","seed":7}}'
)
SENT = forwarded(decode_chat(REPEATED), REPEATED)
LEAF = make_document(Story(sent=QUESTION))
ASKED = Asked(LEAF, QUESTION)
STORY = Story(answer="In Oslo.", model="dgrid-micro", sent=SENT, node=PEER, salt=keccak(b"its salt"))
NODES, GATEWAYS = {PEER.address}, {GATEWAY.address}


def compared(story: Story = STORY) -> Compared:
    return shown(make_document(story), story.answer)


def test_a_peers_own_word_for_the_same_question_is_opened() -> None:
    document = open_compared(compared(), ASKED)
    assert (document.dispatch.node, document.receipt.request_id) == (PEER.address, STORY.request_id)
    assert open_all_compared([compared()], ASKED, nodes=NODES, gateways=GATEWAYS) == [document]


@pytest.mark.parametrize(
    ("story", "told"),
    [
        (replace(STORY, sent=SENT.replace(b"Where?", b"When?")), "something else"),
        (replace(STORY, sent=REPEATED), "something else"),
        (replace(STORY, sent=SENT.replace(b"0.5", b"0.0")), "something else"),
        (replace(STORY, model="dgrid-nano"), "something else"),
        (replace(STORY, seed=8), "another seed"),
        (replace(STORY, sent=SENT.replace(b"}]", b'}],"seed":7')), "something else"),
        (replace(STORY, node=NODE), "of the same node"),
        (replace(STORY, flags=int(Flag.PARTIAL)), "not whole"),
        (replace(STORY, flags=int(Flag.CACHED)), "not its own"),
        (replace(STORY, domain=dgrid_domain(1, DOMAIN.verifying_contract)), "does not hold"),
    ],
)
def test_the_word_of_another_or_for_something_else_is_not(story: Story, told: str) -> None:
    with pytest.raises(NotEvidence, match=told):
        open_compared(compared(story), ASKED)


@given(st.text(max_size=20))
def test_an_evaluator_cannot_put_words_into_a_peers_mouth(text: str) -> None:
    honest = compared()
    if text != honest.answer:
        with pytest.raises(NotEvidence):
            open_compared(msgspec.structs.replace(honest, answer=text), ASKED)


@given(st.data())
def test_nothing_can_be_changed_in_what_is_shown(data: st.DataObject) -> None:
    plain = msgspec.msgpack.encode(compared())
    at, bit = data.draw(st.integers(0, len(plain) - 1)), data.draw(st.integers(0, 7))
    changed = plain[:at] + bytes((plain[at] ^ 1 << bit,)) + plain[at + 1 :]
    try:
        other = msgspec.msgpack.decode(changed, type=Compared)
    except ValueError:  # it is no answer of a peer any more
        return
    if other != compared():
        with pytest.raises(NotEvidence):
            open_compared(other, ASKED)


@pytest.mark.parametrize(
    ("answers", "nodes", "gateways", "told"),
    [
        ([compared(), compared()], NODES, GATEWAYS, "twice"),
        ([compared()], GATEWAYS, GATEWAYS, "never registered"),
        ([compared()], NODES, NODES, "never registered"),
    ],
)
def test_each_peer_speaks_once_and_is_known(
    answers: list[Compared], nodes: set[bytes], gateways: set[bytes], told: str
) -> None:
    with pytest.raises(NotEvidence, match=told):
        open_all_compared(answers, ASKED, nodes=nodes, gateways=gateways)


def test_a_receipt_without_its_salt_shows_nothing() -> None:
    assert shown(make_document(STORY), STORY.answer).salt == STORY.salt
    with pytest.raises(CheckFailed):
        shown(make_document(STORY, salted=False), STORY.answer)


def test_a_longer_answer_than_the_bound_does_not_fit() -> None:
    assert compared(replace(STORY, answer="é" * (ANSWER_BYTES_MAX // 2))).fits
    assert not compared(replace(STORY, answer="é" * (ANSWER_BYTES_MAX // 2) + "x")).fits
