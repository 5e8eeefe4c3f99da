import asyncio
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgrid.core.errors import InvalidJson, NoNodeAvailable
from dgrid.core.identity import Address, to_hex
from dgrid.evaluator.rerun import (
    OTHER_MODELS_MAX,
    SAME_MODEL_MAX,
    Original,
    Peer,
    PeerAnswer,
    PeerAnswers,
    Repeat,
    Repeater,
    chosen_peers,
    repeated_body,
)
from dgrid.gateway.admit import forwarded
from dgrid.wire.openai import decode_chat

NODE, GATEWAY = Address(b"\x01" * 20), Address(b"\x09" * 20)
MINI, MICRO, NANO, UNKNOWN = b"m" * 32, b"i" * 32, b"n" * 32, bytes(32)
ASKED = {
    "model": "auto",
    "messages": [{"role": "user", "content": "Where?"}],
    "temperature": 0.7,
    "stream": True,
    "stream_options": {"include_usage": True},
    "provider": {"sort": "price"},
    "dgrid": {"privacy": "committee"},
    "max_tokens": 9,
    "user": "somebody",
}
ORIGINAL = Original(msgspec.json.encode(ASKED), 77, NODE, GATEWAY, MINI)


def peer(number: int, digest: bytes, model: str = "dgrid-mini") -> Peer:
    return Peer(Address(bytes((number,)) * 20), model, digest)


PEERS = [
    Peer(NODE, "dgrid-mini", MINI),
    *(peer(number, MINI) for number in (2, 3, 4)),
    *(peer(number, MICRO, "dgrid-micro") for number in (5, 6)),
    peer(7, NANO, "dgrid-nano"),
]


def test_a_repeat_asks_the_same_of_one_node_without_being_drawn_itself() -> None:
    body = msgspec.json.decode(repeated_body(ORIGINAL, PEERS[4], budget_wei=5))
    assert body == {
        "model": "dgrid-micro",
        "messages": ASKED["messages"],
        "temperature": 0.7,
        "max_tokens": 9,
        "provider": {"only": [to_hex(PEERS[4].node)]},
        "dgrid": {"privacy": "none", "budget": "5", "seed": 77},
    }


@pytest.mark.parametrize("seed", [{}, {"seed": 77}, {"seed": None}])
def test_a_peer_meets_the_seed_in_its_dispatch_alone_whether_or_not_the_user_named_one(seed: dict[str, object]) -> None:
    body = repeated_body(replace(ORIGINAL, request=msgspec.json.encode({**ASKED, **seed})), PEERS[4], budget_wei=5)
    chat = decode_chat(body)
    assert chat.wanted_seed == ORIGINAL.seed
    assert msgspec.json.decode(forwarded(chat, body)).keys() == {"model", "messages", "temperature", "max_tokens"}


@pytest.mark.parametrize("request_", [b"", b"[]", b"\xff", b"[" * 2000])
def test_what_is_no_request_is_not_repeated(request_: bytes) -> None:
    with pytest.raises(InvalidJson):
        repeated_body(replace(ORIGINAL, request=request_), PEERS[1], budget_wei=5)


@given(st.binary(min_size=32, max_size=32))
def test_a_node_is_never_compared_with_itself_and_each_model_is_asked_once(lot: bytes) -> None:
    first, rest = chosen_peers(PEERS, ORIGINAL, lot=lot)
    everybody = [*first, *rest]
    assert sum(one.digest == MINI for one in everybody) == SAME_MODEL_MAX
    assert all(one.node != NODE for one in everybody)
    assert sorted(one.digest for one in everybody if one.digest != MINI) == sorted((MICRO, NANO))
    assert OTHER_MODELS_MAX == 2


@given(st.binary(min_size=32, max_size=32))
def test_one_other_model_is_asked_first_and_sometimes_the_same_one_with_it(lot: bytes) -> None:
    first, _ = chosen_peers(PEERS, ORIGINAL, lot=lot)
    assert sum(one.digest != MINI for one in first) == 1
    assert len(first) <= 2


def test_the_lot_decides_whom_it_asks_first_and_whether_the_same_model_is_among_them() -> None:
    firsts = [chosen_peers(PEERS, ORIGINAL, lot=bytes((at,)) * 52)[0] for at in range(200)]
    assert {one.digest for first in firsts for one in first} == {MINI, MICRO, NANO}
    assert len({one.node for first in firsts for one in first if one.digest == MINI}) == 3
    assert 70 < sum(len(first) == 2 for first in firsts) < 130


def test_where_no_other_model_is_offered_the_same_is_asked_at_once() -> None:
    alone = [one for one in PEERS if one.digest == MINI]
    for at in range(20):
        first, rest = chosen_peers(alone, ORIGINAL, lot=bytes((at,)))
        assert (len(first), rest) == (SAME_MODEL_MAX, [])


def test_weights_that_nobody_knows_are_told_apart_by_name() -> None:
    foreign = [peer(8, UNKNOWN, "llama"), peer(9, UNKNOWN, "qwen"), peer(10, UNKNOWN, "qwen")]
    first, rest = chosen_peers(foreign, ORIGINAL, lot=b"")
    assert {one.model for one in (*first, *rest)} == {"llama", "qwen"}


THREE = (PEERS[1], PEERS[4], PEERS[6])


def answers_of(ask: object, *, within_s: float = 1.0, at_once: int = 4) -> PeerAnswers:
    async def main() -> PeerAnswers:
        repeater = Repeater(ask, budget_wei=5, at_once=at_once)  # type: ignore[arg-type]
        return await repeater.answers(ORIGINAL, THREE, within_s=within_s)

    return asyncio.run(main())


def test_answers_are_sorted_by_whether_they_are_of_the_same_model() -> None:
    async def ask(repeat: Repeat) -> PeerAnswer:
        assert repeat.served_by == GATEWAY
        return PeerAnswer(repeat.peer, repeat.peer.node.rjust(32, b"\0"), "Oslo")

    found = answers_of(ask)
    assert {answer.peer.digest for answer in found.same_model} == {MINI}
    assert {answer.peer.digest for answer in found.other_models} == {MICRO, NANO}
    assert found.request_ids == tuple(sorted(found.request_ids))
    assert len(found.request_ids) == 3


def test_what_fails_or_comes_too_late_is_absent() -> None:
    async def ask(repeat: Repeat) -> PeerAnswer:
        if repeat.peer.digest == MICRO:
            raise NoNodeAvailable("busy")
        if repeat.peer.digest == NANO:
            await asyncio.sleep(30)
        return PeerAnswer(repeat.peer, bytes(32), "Oslo")

    found = answers_of(ask, within_s=0.2)
    assert (len(found.same_model), found.other_models) == (1, ())


def test_a_fault_of_ours_over_one_peers_answer_costs_that_answer_alone_and_its_words_are_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def ask(repeat: Repeat) -> PeerAnswer:
        if repeat.peer.digest == MICRO:
            raise ValueError("what the user said")
        return PeerAnswer(repeat.peer, repeat.peer.node.rjust(32, b"\0"), "Oslo")

    found = answers_of(ask)
    assert (len(found.same_model), len(found.other_models)) == (1, 1)
    assert "ValueError < test_rerun.py" in caplog.text
    assert "what the user said" not in caplog.text


def test_no_more_are_asked_at_once_than_allowed() -> None:
    running: list[int] = []
    most: list[int] = []

    async def ask(repeat: Repeat) -> PeerAnswer:
        running.append(1)
        most.append(len(running))
        await asyncio.sleep(0.01)
        running.pop()
        return PeerAnswer(repeat.peer, bytes(32), "Oslo")

    assert len(answers_of(ask, at_once=2).request_ids) == 3
    assert max(most) == 2
