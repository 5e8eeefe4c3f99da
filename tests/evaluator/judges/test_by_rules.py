import asyncio

from dgrid.core.identity import Address
from dgrid.evaluator.judges.by_rules import RuleJudges
from dgrid.evaluator.judging import Scores
from dgrid.evaluator.rerun import Peer, PeerAnswer, PeerAnswers
from dgrid.wire.openai import ChatMessage, ChatRequest
from dgrid.wire.quality import NOT_SCORED, TaskType

QUESTION = "Ada lives in Oslo. She works in Rome. Where does Ada live?"
CHAT = ChatRequest("auto", [ChatMessage("user", QUESTION)])


def answer(number: int, digest: bytes, text: str) -> PeerAnswer:
    return PeerAnswer(Peer(Address(bytes((number,)) * 20), "a model", digest), bytes(32), text)


def scores(text: str, *, same: tuple[str, ...] = (), others: tuple[str, ...] = ()) -> Scores:
    peers = PeerAnswers(
        tuple(answer(at, b"s" * 32, one) for at, one in enumerate(same)),
        tuple(answer(at + 9, bytes((at + 1,)) * 32, one) for at, one in enumerate(others)),
    )
    return asyncio.run(RuleJudges().score(CHAT, text, peers=peers))


def test_without_peers_only_the_form_is_scored() -> None:
    assert scores("Oslo") == Scores(TaskType.EXTRACT, 10_000, NOT_SCORED, NOT_SCORED)


def test_who_says_what_the_others_say_scores_high_and_who_says_another_thing_low() -> None:
    agreeing = scores("Oslo", same=("Oslo",), others=("Oslo", "Oslo."))
    alone = scores("Rome", same=("Oslo",), others=("Oslo", "Oslo."))
    assert (agreeing.accuracy_bps, agreeing.consistency_bps) == (10_000, 10_000)
    assert (alone.accuracy_bps, alone.consistency_bps) == (0, 0)


def test_many_nodes_of_one_model_outvote_nobody() -> None:
    assert scores("Oslo", same=("Rome", "Rome"), others=("Oslo",)).accuracy_bps == 5_000


def test_an_empty_answer_has_no_form() -> None:
    assert scores("", others=("Oslo",)).format_bps == 0
