"""An author's own questions: each bad line is named, none is asked twice, and each is asked as clients ask."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.author.writing import write_body

from dgrid.author import stock
from dgrid.author.chance import Chance
from dgrid.author.generator import known_task, own_task
from dgrid.author.journal import Journal
from dgrid.author.naming import Answering
from dgrid.author.planning import Pen, PlannedCanary, PlanTerms, plan_batch
from dgrid.author.stock import OwnQuestion, Stock, read_questions
from dgrid.author.traffic import Traffic
from dgrid.config import ConfigError
from dgrid.core.identity import Address
from dgrid.wire.quality import TaskType

GATEWAY = Address(b"\x01" * 20)
TERMS = PlanTerms(share_bps=10_000, opens_ms=180_000, closes_ms=200_000, accounts={GATEWAY: range(3)})
SECRET = "a word that no log may hold"
SET_BY_THE_SDK = {"model", "messages", "stream", "stream_options"}


def line(content: Any = "Ann owns a ferret.\nWhat does Ann own?", reference: Any = "a ferret", **more: Any) -> str:
    return json.dumps({"messages": [{"role": "user", "content": content}], "reference": reference, **more})


def written(folder: Path, *lines: str, name: str = "own.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def some(count: int) -> tuple[OwnQuestion, ...]:
    said = (f"Box {at} holds {at * 7} pens.\nHow many pens are in box {at}?" for at in range(count))
    return tuple(
        OwnQuestion(str(at).encode(), (("user", text),), str(at * 7), options={}) for at, text in enumerate(said)
    )


def test_a_line_may_be_as_short_as_a_question_and_its_answer(tmp_path: Path) -> None:
    (question,) = read_questions(written(tmp_path, line(), ""))
    assert question.messages == (("user", "Ann owns a ferret.\nWhat does Ann own?"),)
    assert (question.reference, question.options) == ("a ferret", {})


def test_a_folder_is_all_its_files_in_order(tmp_path: Path) -> None:
    written(tmp_path, line("Who?", "B"), name="b.jsonl")
    written(tmp_path, line("What?", "A"), name="a.jsonl")
    written(tmp_path, "no question", name="notes.txt")
    assert [question.reference for question in read_questions(tmp_path)] == ["A", "B"]


def test_the_published_items_are_such_a_file(root: Path) -> None:
    assert len(read_questions(root / "models/heldout.jsonl")) > 500


def test_the_example_in_the_guide_is_such_a_file(root: Path, tmp_path: Path) -> None:
    guide = (root / "docs/guides/run-an-author.md").read_text(encoding="utf-8")
    example = guide.split("```jsonl\n")[1].split("```")[0]
    kinds = [task_of_question(question) for question in read_questions(written(tmp_path, example))]
    assert kinds == [TaskType.EXTRACT, TaskType.CHOICE, TaskType.JSON]


def task_of_question(question: OwnQuestion) -> TaskType:
    return own_task(Chance(random.Random(1)), question, answering=Answering(), write=write_body).kind


BAD = {
    "{": "truncated",
    '"text"': "Expected `object`",
    json.dumps({"reference": "x"}): "missing required field `messages`",
    json.dumps({"messages": [{"role": "user", "content": SECRET}]}): "missing required field `reference`",
    line(reference=" "): "the reference is empty",
    line(reference=7): "Expected `str`",
    line(reference="x" * 8_001): "longer than 8,000 characters",
    line(" "): "a message is empty",
    line(["parts"]): "Expected `str`",
    line(max_token=5): "unknown field `max_token`",
    line(max_tokens=0): "max_tokens",
    line(temperature=3): "temperature",
    line("Give the pet of Ann as JSON. " + SECRET, "ferret"): "neither an object nor a list",
    line(response_format={"type": "json_object"}): "neither an object nor a list",
    line(schema={"type": "object"}): "neither an object nor a list",
    json.dumps({"messages": [], "reference": "x"}): "messages",
    json.dumps({"messages": [{"role": "tool", "content": "x"}], "reference": "x"}): "Invalid enum value",
    json.dumps({"messages": [{"role": "assistant", "content": SECRET}], "reference": "x"}): "must be the user's",
    line("x" * 70_000): "longer than 64 KiB",
}


@pytest.mark.parametrize(("bad", "said"), BAD.items(), ids=range(len(BAD)))
def test_a_bad_line_is_named_and_said_what_is_wrong_without_what_it_asks(tmp_path: Path, bad: str, said: str) -> None:
    path = written(tmp_path, line(), "", bad)
    with pytest.raises(ConfigError) as raised:
        read_questions(path)
    assert raised.value.message.startswith(f"{path}, line 3")
    assert said in raised.value.message
    assert SECRET not in raised.value.message + raised.value.hint
    assert len(raised.value.message) < len(str(path)) + 200


def test_what_stands_twice_counts_once_and_has_one_answer(tmp_path: Path) -> None:
    (question,) = read_questions(written(tmp_path, line(), line(temperature=1)))
    assert question.options == {}
    with pytest.raises(ConfigError, match="line 2 gives another answer"):
        read_questions(written(tmp_path, line(), line(reference="a goose")))


def test_what_cannot_be_read_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "none.jsonl", "No such file"), (written(tmp_path, name="e.txt"), "no question")):
        with pytest.raises(ConfigError, match=said):
            read_questions(path)
    (tmp_path / "latin.jsonl").write_bytes(line().encode().replace(b"Ann", b"Ren\xe9"))
    with pytest.raises(ConfigError, match="line 1"):
        read_questions(tmp_path / "latin.jsonl")
    with pytest.raises(ConfigError, match="questions_bps"):
        Stock((), 10_001)


def test_a_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, *(line(f"Who is {at}?") for at in range(4)))
    monkeypatch.setattr(stock, "QUESTIONS_MAX", 3)
    with pytest.raises(ConfigError, match="more than 3 questions"):
        read_questions(path)
    monkeypatch.setattr(stock, "QUESTIONS_MAX", 100)
    assert len(read_questions(tmp_path)) == 4
    written(tmp_path, *(line(f"Who was {at}?") for at in range(4)), name="more.jsonl")
    monkeypatch.setattr(stock, "BYTES_MAX", 2 * path.stat().st_size - 1)
    assert len(read_questions(path)) == 4
    with pytest.raises(ConfigError, match="holds more than"):
        read_questions(tmp_path)


def test_of_what_never_ends_only_a_line_is_read() -> None:
    with pytest.raises(ConfigError, match="line 1 is longer than 64 KiB"):
        read_questions(Path("/dev/zero"))


def test_own_questions_get_the_models_and_streams_of_all_others() -> None:
    chance, (question,) = Chance(random.Random(1)), some(1)

    def habits(of: list[Any]) -> Counter[str]:
        bodies = [json.loads(task.body) for task in of]
        return Counter([body["model"] for body in bodies] + [f"stream {body.get('stream')}" for body in bodies])

    models = ("dgrid-nano", "dgrid-mini")
    own = habits([own_task(chance, question, answering=Answering(models), write=write_body) for _ in range(2000)])
    others = habits([known_task(chance, answering=Answering(models), write=write_body) for _ in range(2000)])
    assert set(own) == set(others)
    assert all(abs(own[name] - others[name]) < 160 for name in own)


def test_own_questions_get_no_option_that_their_source_never_sets() -> None:
    chance, (question,) = Chance(random.Random(1)), some(1)
    tasks = [own_task(chance, question, answering=Answering(), write=write_body) for _ in range(200)]
    assert {name for task in tasks for name in json.loads(task.body)} <= SET_BY_THE_SDK


def test_an_answers_schema_is_asked_for_with_some_of_the_requests(tmp_path: Path) -> None:
    (question,) = read_questions(written(tmp_path, line(reference='{"pet": "ferret"}', schema={"type": "object"})))
    chance = Chance(random.Random(1))
    kinds = Counter(
        own_task(chance, question, answering=Answering(), write=write_body).kind is TaskType.JSON for _ in range(200)
    )
    assert 30 < kinds[True] < 90


def test_what_a_question_sets_itself_is_kept(tmp_path: Path) -> None:
    wish = {"max_completion_tokens": 500, "temperature": 0.7, "response_format": {"type": "json_object"}}
    (question,) = read_questions(written(tmp_path, line("The pet of Ann?", '{"pet": "ferret"}', **wish)))
    chance = Chance(random.Random(1))
    for _ in range(40):
        task = own_task(chance, question, answering=Answering(), write=write_body)
        body = json.loads(task.body)
        assert {name: body[name] for name in wish} == wish
        assert "max_tokens" not in body
        assert task.kind is TaskType.JSON


def planned(seed: int, pen: Pen, *, asked: int) -> list[PlannedCanary]:
    traffic = Traffic(Counter({GATEWAY: asked}), ("dgrid-mini",))
    return plan_batch(Chance(random.Random(seed)), traffic, terms=TERMS, pen=pen)


@given(st.integers(0, 2**32), st.integers(0, 60), st.lists(st.integers(0, 30), max_size=6))
def test_no_question_is_planned_twice_however_often_the_author_is_killed(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, epochs: list[int]
) -> None:
    held, folder = Stock(some(count)), tmp_path_factory.mktemp("own")
    asked: list[bytes] = []
    for epoch, many in enumerate(epochs):
        journal = Journal(folder / "canaries.sqlite")  # a new life for every epoch
        pen = Pen(write_body, lambda: bytes(32), held.fresh(journal.own_questions()))
        if batch := planned(seed + epoch, pen, asked=many):
            journal.add_batch(epoch, batch, keys=["k"] * len(batch))
        journal.forget_before(epoch)
        asked += [one.task.question for one in batch if one.task.question]
        journal.close()
    assert len(asked) == len(set(asked)) == min(count, sum(epochs)), "and fresh ones are used while they last"


def test_a_plan_that_was_not_kept_uses_nothing_up(tmp_path: Path) -> None:
    journal, held = Journal(tmp_path / "canaries.sqlite"), Stock(some(30))
    first, second = (planned(seed, Pen(write_body, lambda: bytes(32), held.fresh(())), asked=5) for seed in (1, 2))
    journal.add_batch(4, first, keys=["k"] * 5)
    journal.add_batch(4, second, keys=["k"] * 5)
    assert journal.own_questions() == {one.task.question for one in first}


def test_the_rest_of_the_share_is_generated() -> None:
    pen = Pen(write_body, lambda: bytes(32), some(400), own_bps=7_000)
    batch = planned(3, pen, asked=200)
    assert 0.6 < sum(bool(one.task.question) for one in batch) / len(batch) < 0.8
