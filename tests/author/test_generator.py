"""Canaries: answerable, known, and of many shapes; written by nobody who trained a model."""

import json
import random
import re
from collections import Counter
from functools import cache
from pathlib import Path

from tests.author.writing import write_body

from dgrid.author import words
from dgrid.author.chance import Chance
from dgrid.author.generator import KnownTask, known_task
from dgrid.author.questions import NOT_SAID, TASKS, Task
from dgrid.client.requests import chat_order
from dgrid.poq.tasks import question_of, task_of
from dgrid.poq.text import reference_score
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import TaskType

MODELS = ("dgrid-nano", "dgrid-mini", "dgrid-mini")
ORDINARY = {"COINS", "WEEKDAYS", "MONTHS", "PRAISE", "BLAME", "REVIEWED", "TOPICS"}  # words that anybody would use


def made(count: int, *, seed: int = 1) -> list[KnownTask]:
    chance = Chance(random.Random(seed))
    return [known_task(chance, models=MODELS, write=write_body) for _ in range(count)]


@cache
def many() -> tuple[KnownTask, ...]:
    return tuple(made(2000))


@cache
def raw() -> tuple[Task, ...]:
    chance = Chance(random.Random(2))
    return tuple(make(chance) for make, _ in TASKS for _ in range(200))


def skeleton(text: str) -> str:
    """A question without what is particular in it."""
    return re.sub(r"\b(?:[A-Z0-9]\w*|\d+)\b", "_", text)


def test_one_seed_gives_one_sequence_of_tasks() -> None:
    assert made(50, seed=7) == made(50, seed=7)
    assert made(50, seed=7) != made(50, seed=8)


def test_no_two_are_alike() -> None:
    assert len({task.body for task in many()}) == len(many())


def test_there_are_hundreds_of_shapes() -> None:
    shapes = {skeleton(decode_chat(task.body).messages[-1].text().split("\n")[-1]) for task in many()}
    assert len(shapes) > 600


def test_all_kinds_of_work_are_asked_for_as_people_ask_for_them() -> None:
    kinds = Counter(task.kind for task in many())
    assert set(kinds) == set(TaskType)
    assert kinds[TaskType.EXTRACT] > kinds[TaskType.CHOICE] > kinds[TaskType.JSON] > kinds[TaskType.CHAT] > 0


def test_the_judges_read_the_kind_of_work_that_was_meant() -> None:
    for task in raw():
        body = write_body([{"role": "user", "content": f"{task.text}\n{task.question.replace('{t}', task.text)}"}],
                          model="auto", streamed=False, options={})  # fmt: skip
        assert task_of(decode_chat(body)) is task.kind, task.question


def test_the_known_answer_scores_all_and_another_tasks_answer_little() -> None:
    tasks = many()[:400]
    for task in tasks:
        assert reference_score(task.kind, task.reference, task.reference) == 10_000
    by_kind: dict[TaskType, list[KnownTask]] = {}
    for task in tasks:
        by_kind.setdefault(task.kind, []).append(task)
    for kind in (TaskType.EXTRACT, TaskType.JSON, TaskType.SUMMARY):
        own = by_kind[kind]
        scores = [
            reference_score(kind, other.reference, task.reference, question=question_of(decode_chat(task.body)))
            for task, other in zip(own, own[1:] + own[:1], strict=True)
        ]
        assert sum(scores) / len(scores) < 2_000


def test_what_is_asked_for_stands_in_the_text_once() -> None:
    for task in raw():
        if task.kind is TaskType.EXTRACT and task.reference != NOT_SAID:
            assert task.reference.lower() in task.text.lower()


def test_requests_are_those_of_the_sdk() -> None:
    for task in many()[:200]:
        body = json.loads(task.body)
        options = {name: body[name] for name in body if name not in ("model", "messages", "stream", "stream_options")}
        order = chat_order(body["messages"], model=task.model, streamed=task.streamed, options=options)
        assert order.body == task.body
        assert task.model in (*MODELS, "auto", "auto:cheap", "auto:fast", "auto:best")
        assert "dgrid" not in body, "privacy and grade are the ones that nobody changes"


def test_models_are_named_as_often_as_others_name_them() -> None:
    named = Counter(task.model for task in many())
    assert named["dgrid-mini"] > named["dgrid-nano"] > 0
    assert named["auto"] > named["auto:best"] > 0
    assert {task.model.partition(":")[0] for task in made(100, seed=3)} >= {"auto"}


def test_without_models_only_virtual_ones_are_asked() -> None:
    chance = Chance(random.Random(4))
    tasks = [known_task(chance, models=(), write=write_body) for _ in range(50)]
    assert {task.model.partition(":")[0] for task in tasks} == {"auto"}


def test_a_task_fits_the_smallest_context() -> None:
    longest = max(len(message.text()) for task in many() for message in decode_chat(task.body).messages)
    assert longest < 1_100, "about 400 of 512 tokens"


def test_no_published_item_is_among_them(root: Path) -> None:
    lines = (root / "models/heldout.jsonl").read_text(encoding="utf-8").splitlines()
    published = {one["content"] for line in lines for one in json.loads(line)["messages"] if one["role"] == "user"}
    messages = [message for task in many() for message in decode_chat(task.body).messages if message.role == "user"]
    assert not published & {message.text() for message in messages}


def trained_words(root: Path) -> set[str]:
    """All words and phrases in the lists that the built-in models were trained with."""
    source = (root / "models/training/words.py").read_text(encoding="utf-8")
    quoted = " ".join(re.findall(r'"([^"]*)"', source))
    return {word.strip().lower() for part in quoted.split(",") for word in (part, *part.split())}


def test_names_places_and_things_are_none_that_models_were_trained_with(root: Path) -> None:
    trained = trained_words(root)
    lists = {name: value for name, value in vars(words).items() if name.isupper() and name not in ORDINARY}
    for name in ("ONSETS", "MIDDLES", "CODAS", "ASIDES", "DEEDS"):
        lists.pop(name)
    shared = {name: sorted({word for word in value if word.lower() in trained}) for name, value in lists.items()}
    assert {name: found for name, found in shared.items() if found} == {}


def test_no_sentence_is_one_of_the_training_templates(root: Path) -> None:
    from dgrid.author import traits

    source = (root / "models/training/relations.py").read_text(encoding="utf-8")
    templates = set(re.findall(r'"([^"]*\{[nv]\}[^"]*)"', source))
    own = {said for _, table, _ in traits.KINDS for trait in table for said in (*trait.said, *trait.asked)}
    assert len(own) > 150
    assert not own & templates
