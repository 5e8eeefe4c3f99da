import asyncio
from pathlib import Path

import pytest
from benchmarks.answers import AskingAll
from benchmarks.likeness import questions_of, token_f1
from tests.poq.making import asked

from dgrid.core.identity import Address
from dgrid.evaluator.judges.by_rules import RuleJudges
from dgrid.evaluator.rerun import Peer, PeerAnswer, PeerAnswers


@pytest.mark.parametrize(
    ("said", "reference", "f1"), [("Oslo.", "oslo", 1), ("in Oslo", "Oslo", 2 / 3), ("Rome", "Oslo", 0), ("", "", 0)]
)
def test_the_truth_is_shared_words_without_case_and_punctuation(said: str, reference: str, f1: float) -> None:
    assert token_f1(said, reference) == pytest.approx(f1)


def test_the_best_answer_is_not_among_those_that_are_compared_with_it(tmp_path: Path) -> None:
    file = tmp_path / "TruthfulQA.csv"
    file.write_text("Question,Best Answer,Correct Answers,Incorrect Answers\nWhy?,So,So; Like that; ,No;Yes\n")
    ((chat, best, correct, incorrect),) = questions_of(file)
    assert chat.messages[0].text() == "Why?"
    assert (best, correct, incorrect) == ("So", ["Like that"], ["No", "Yes"])


def test_who_asks_everybody_is_satisfied_by_no_answer() -> None:
    peer = PeerAnswer(Peer(Address(b"p" * 20), "other", b"o" * 32), b"r" * 32, "Oslo")
    chat, peers = asked("Maria lives in Oslo. Where does Maria live?"), PeerAnswers(other_models=(peer,))
    plain, all_asked = (
        asyncio.run(judges.score(chat, "Oslo", peers=peers)) for judges in (RuleJudges(), AskingAll(RuleJudges()))
    )
    assert plain.agreed
    assert not all_asked.agreed
    assert all_asked.accuracy_bps == plain.accuracy_bps
