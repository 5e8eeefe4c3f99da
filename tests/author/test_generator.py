"""Canaries: answerable, known, of many shapes, and of those shapes and words that the models' own traffic has."""

import itertools
import json
import random
import re
from collections import Counter
from functools import cache
from pathlib import Path

from tests.author.writing import write_body

from dgrid.author import traits, words
from dgrid.author.chance import Chance
from dgrid.author.generator import TASKS, KnownTask, known_task
from dgrid.author.naming import VIRTUAL_NAMES, Answering
from dgrid.author.questions import NOT_SAID, Place, Reading, Task, unanswerable
from dgrid.author.talk import BEYOND, SMALL_TALK
from dgrid.author.texts import PRONOUNS, Text, a_text
from dgrid.client.requests import chat_order
from dgrid.poq.tasks import question_of, task_of
from dgrid.poq.text import reference_score
from dgrid.wire.openai import decode_chat
from dgrid.wire.quality import TaskType

MODELS = ("dgrid-nano", "dgrid-mini", "dgrid-mini")
BESIDE_BUILT_IN = Answering(MODELS, dict.fromkeys(VIRTUAL_NAMES, "dgrid-mini"))
SAID_WITHOUT_A_TEXT = {BEYOND, *SMALL_TALK}


def made(count: int, *, seed: int = 1) -> list[KnownTask]:
    chance = Chance(random.Random(seed))
    return [known_task(chance, answering=BESIDE_BUILT_IN, write=write_body) for _ in range(count)]


@cache
def many() -> tuple[KnownTask, ...]:
    return tuple(made(2000))


@cache
def texts() -> tuple[Text, ...]:
    chance = Chance(random.Random(3))
    return tuple(a_text(chance, size=chance.whole(2, 9), asides=chance.whole(0, 3)) for _ in range(1500))


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


def test_no_two_about_a_text_are_alike() -> None:
    about = [task.body for task in many() if task.reference not in SAID_WITHOUT_A_TEXT]
    assert len(set(about)) == len(about) > 1500


def test_there_are_hundreds_of_shapes() -> None:
    shapes = {skeleton(decode_chat(task.body).messages[-1].text().split("\n")[-1]) for task in many()}
    assert len(shapes) > 600


def test_all_kinds_of_work_are_asked_for_as_people_ask_for_them() -> None:
    kinds = Counter(task.kind for task in many())
    assert set(kinds) == set(TaskType)
    assert kinds[TaskType.EXTRACT] > kinds[TaskType.CHOICE] > kinds[TaskType.CHAT]
    assert min(kinds.values()) > len(many()) // 20


def test_the_judges_read_the_kind_of_work_that_was_meant() -> None:
    other = []
    for task in raw():
        asked = task.question.replace("{t}", task.text) if is_sorting(task) else f"{task.text}\n{task.question}"
        body = write_body([{"role": "user", "content": asked}], model="auto", streamed=False, options={})
        other += [task.question] if task_of(decode_chat(body)) is not task.kind else []
    assert len(other) < len(raw()) // 100, other[:20]


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


def said_in(words_: str) -> set[str]:
    return set(re.findall(r"[\w.@:]*\w", words_.lower()))


def test_every_answer_follows_from_what_is_asked() -> None:
    for task in raw():
        asked = said_in(f"{task.text} {task.question}") | {"yes", "no", "a", "an", "the"}
        if task.kind is TaskType.JSON:
            found = json.loads(task.reference)
            assert all(str(value) in task.text for value in found.values()), task
            assert said_in(" ".join(found)) <= asked
        elif task.kind is TaskType.SUMMARY:
            assert task.reference.lower() in task.text.lower(), task
        elif task.reference != NOT_SAID and not task.earlier and not is_sorting(task):
            missing = said_in(task.reference) - asked
            assert len(missing) <= 3, "a sentence may put it in its own words"
            assert not {word for word in missing if not word.isalpha()}, task


def is_sorting(task: Task) -> bool:
    return "{t}" in task.question


def test_no_text_gives_two_answers_to_one_question() -> None:
    for text in texts():
        answers: dict[str, set[str]] = {}
        for fact in text.facts:
            for question in fact.asked:
                answers.setdefault(question, set()).add(fact.value)
            assert fact.other != fact.value
            assert fact.value.lower() in text.written.lower()
        assert all(len(values) == 1 for values in answers.values()), answers


def test_a_pronoun_means_whom_the_sentence_before_is_about() -> None:
    seen = 0
    for text in texts():
        for before, after in itertools.pairwise(("", *text.sentences)):
            if after.startswith(PRONOUNS) and after not in words.ASIDES:
                seen += 1
                subjects = [one for one in text.subjects if one in before]
                assert (before.startswith(PRONOUNS) and before not in words.ASIDES) or len(subjects) == 1, (
                    text.sentences
                )
    assert seen > 100


def test_a_question_that_is_left_open_is_none_that_the_text_answers() -> None:
    chance = Chance(random.Random(5))
    for text in texts():
        asked = unanswerable(chance, Reading(text)).question.lower()
        answered = {question.rstrip("?").lower() for fact in text.facts for question in fact.asked}
        assert not [question for question in answered if question in asked]


RULE_LIMITS = re.compile(r"(?:above|more than) (\d+)")


def test_each_transfer_is_sorted_by_its_rule() -> None:
    for task in raw():
        if not is_sorting(task) or not re.fullmatch("high|medium|low", task.reference):
            continue
        if limits := sorted(int(found) for found in RULE_LIMITS.findall(task.question)):
            amount = int(re.search(r"(?<![x\w])(\d+) [A-Z]", task.text)[1])  # type: ignore[index]
            above = sum(amount > limit for limit in limits)
            assert task.reference == ("low", "high" if len(limits) == 1 else "medium", "high")[above], task
        else:
            bad = re.search(r"(?:to an? (\w+) wallet is high|(\w+) wallets are high)", task.question)
            assert bad is not None
            assert ((bad[1] or bad[2]).lower() in task.text.split()) is (task.reference == "high"), task


def test_each_review_and_each_topic_is_told_by_its_words() -> None:
    for task in raw():
        said = {word.strip(".,!") for word in task.text.lower().split()}
        if task.reference in ("positive", "negative"):
            good, bad = said & {*words.PRAISE, "loved"}, said & {*words.BLAME, "hated"}
            assert bool(good) is (task.reference == "positive"), task
            assert bool(bad) is (task.reference == "negative"), task
        elif task.reference in words.TOPICS:
            others = [
                words.TOPICS[topic] for topic in words.TOPICS if topic != task.reference and topic in task.question
            ]
            assert len(said & set(words.TOPICS[task.reference])) == 2
            assert not said & {word for topic in others for word in topic}


def test_talk_is_asked_of_built_in_models_alone() -> None:
    chance, models = Chance(random.Random(6)), ("dgrid-mini", "llama-70b")
    tasks = [known_task(chance, answering=Answering(models), write=write_body) for _ in range(1500)]
    named = Counter(task.model for task in tasks if task.reference in SAID_WITHOUT_A_TEXT)
    assert set(named) == {"dgrid-mini"}, "where others answer, only by name"
    alone = [known_task(chance, answering=Answering(models[1:]), write=write_body) for _ in range(300)]
    assert not SAID_WITHOUT_A_TEXT & {task.reference for task in alone}
    assert sum(task.reference in SAID_WITHOUT_A_TEXT for task in many()) > 100


def test_talk_is_asked_by_a_virtual_name_only_while_that_leads_to_a_built_in_model() -> None:
    for led_to, is_asked in (({}, False), ({"auto": "dgrid-mini"}, True), ({"auto": "llama-70b"}, False)):
        chance = Chance(random.Random(8))
        tasks = [known_task(chance, answering=Answering(MODELS, led_to), write=write_body) for _ in range(1000)]
        assert is_asked is any(task.model == "auto" and task.reference in SAID_WITHOUT_A_TEXT for task in tasks)
        assert not [task for task in tasks if task.model == "auto:best" and task.reference in SAID_WITHOUT_A_TEXT]


def test_a_text_stands_beside_the_first_question_before_it_or_with_the_system() -> None:
    assert {task.place for task in raw()} == set(Place)
    roles = {tuple(message.role for message in decode_chat(task.body).messages) for task in many()}
    assert ("user",) in roles
    assert any(said[0] == "system" for said in roles)
    assert all(said[-1] == "user" and len(said) <= 11 for said in roles)


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
    assert 0.3 < named["dgrid-nano"] / len(many()) < 0.37, "a third of the traffic"
    assert named["dgrid-mini"] > 400
    assert named["auto"] > named["auto:best"] > 0
    assert {task.model.partition(":")[0] for task in made(100, seed=3)} >= {"auto"}


def test_without_models_only_virtual_ones_are_asked() -> None:
    chance = Chance(random.Random(4))
    tasks = [known_task(chance, answering=Answering(), write=write_body) for _ in range(50)]
    assert {task.model.partition(":")[0] for task in tasks} == {"auto"}


def test_a_task_fits_the_smallest_context() -> None:
    longest = max(len(message.text()) for task in many() for message in decode_chat(task.body).messages)
    assert longest < 1_100, "about 400 of 512 tokens"


def test_no_published_item_is_among_them_but_a_line_that_anybody_would_write(root: Path) -> None:
    lines = (root / "models/heldout.jsonl").read_text(encoding="utf-8").splitlines()
    published = {one["content"] for line in lines for one in json.loads(line)["messages"] if one["role"] == "user"}
    first = {decode_chat(task.body).messages[0].text() for task in many() if task.reference not in SAID_WITHOUT_A_TEXT}
    assert not {text for text in published & first if len(text) > 80}


def quoted_in(root: Path, name: str) -> str:
    return (root / f"models/training/{name}.py").read_text(encoding="utf-8")


def test_every_word_that_models_were_made_with_may_stand_in_a_canary_and_others_too(root: Path) -> None:
    lists = re.findall(r'^([A-Z_]+) = \(?\s*((?:"[^"]*"\s*)+)', quoted_in(root, "words"), re.MULTILINE)
    trained = {word for _, quoted in lists for word in words.listed("".join(re.findall(r'"([^"]*)"', quoted)))}
    own = {word for name, value in vars(words).items() if name.isupper() and name != "TOPICS" for word in value}
    assert len(trained) > 600
    assert trained - own == set()
    assert len(own - trained) > 300, "a model may not know all of them by heart"


def test_facts_are_put_and_asked_for_in_the_words_that_models_were_made_for(root: Path) -> None:
    templates = set(re.findall(r'(?<!")"([^"\n]*\{[nv]\}[^"\n]*)"', quoted_in(root, "relations")))
    own = {
        part
        for _, table, _ in traits.KINDS
        for trait in table
        for part in (*trait.said, *trait.asked, trait.whole, trait.check)
    }
    assert own <= templates
    assert templates - own == {"When is the {n}?"}, "which asks for a day or for a time"


def test_each_kind_of_work_comes_as_often_as_among_the_published_items(root: Path) -> None:
    lines = (root / "models/heldout.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [write_body(json.loads(line)["messages"], model="auto", streamed=False, options={}) for line in lines]
    published, own = Counter(task_of(decode_chat(body)) for body in asked), Counter(task.kind for task in many())
    apart = sum(abs(published[kind] / len(asked) - own[kind] / len(many())) for kind in TaskType) / 2
    assert apart < 0.12
