"""What can be asked about a text, each question with its one right answer, by kind of work."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from dgrid.author import words
from dgrid.author.chance import Chance
from dgrid.author.texts import PRONOUNS, Fact, Text, a_group, a_text, about_one, capital, fact_of, plan, with_articles
from dgrid.author.traits import PERSON, THING
from dgrid.wire.quality import TaskType

NOT_SAID: Final = "The text does not say."
WHAT_OF_IT: Final = "What would you like to know about this text?"  # a built-in model, given a text and no question
CUES: Final = (
    "The main news is that ", "Most important, ", "The key point is that ", "In short, ", "The report says that ",
    "The most important thing is that ",
)  # fmt: skip
SUMMARIES: Final = (
    "Summarise: {t}", "Summarize: {t}", "Summarise this text: {t}", "Summarise in one sentence: {t}",
    "What is the key sentence? {t}", "Give the main point of this text: {t}", "{t}\nSummarise.",
    "{t}\n\nWhat is the main point?", "{t}\nSummarise the text in one sentence.", "TL;DR: {t}",
    "Pick the key sentence: {t}", "{t}\nWhat is this text about?", "What is the most important sentence? {t}",
    "{t} Give a short summary.",
)  # fmt: skip
SENTENCE_WANTED: Final = (
    " Answer in a sentence.", " Answer in a full sentence.", " Use a full sentence.", " Reply with a sentence.",
    " Answer in one sentence.",
)  # fmt: skip
FEW_WORDS: Final = (" Answer briefly.", " Short answer.", " Answer in a few words.", " Answer shortly.")


class Place(StrEnum):
    """Where a text stands."""

    BESIDE = "beside"  # the first question
    BEFORE = "before"  # it, in a message of its own
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked, and the answer that is known. `text` is what it is about; `{t}` in a question is its place.

    `earlier` holds the questions that came before, each with its answer.
    """

    kind: TaskType
    text: str
    question: str
    reference: str
    schema: dict[str, Any] | None = None
    earlier: tuple[tuple[str, str], ...] = ()
    place: Place = Place.BESIDE


@dataclass(frozen=True, slots=True)
class Reading:
    """A text that is asked about, and the fact that was asked for last."""

    text: Text
    last: Fact | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a text, its answer, and the fact that it is about."""

    kind: TaskType
    question: str
    reference: str
    fact: Fact | None = None
    schema: dict[str, Any] | None = None


def decorated(chance: Chance, question: str) -> str:
    """The question as different people put it."""
    inside = question[:1].lower() + question[1:]
    return chance.weighted(
        (
            question,
            f"According to the text, {inside}",
            f"Please tell me: {inside}",
            f"Based on the text: {inside}",
            question + chance.one(FEW_WORDS),
            question.rstrip("?"),
            inside,
            question.lower(),
        ),
        (66, 8, 4, 4, 6, 4, 5, 3),
    )


def short(chance: Chance, reading: Reading) -> Asked:
    """A few words out of a text."""
    fact = chance.one(reading.text.facts)
    question = _with_pronoun(chance, reading, fact=fact, question=chance.one(fact.asked))
    return Asked(TaskType.EXTRACT, decorated(chance, question), fact.value, fact)


def _with_pronoun(chance: Chance, reading: Reading, *, fact: Fact, question: str) -> str:
    """A later question about the same person may say "he" or "she"."""
    is_same = reading.last is not None and reading.last.subject == fact.subject and fact.is_of_person
    is_possessive = f"{fact.subject}'s" in question or f"of {fact.subject}" in question
    if not is_same or is_possessive or not chance.maybe(40):
        return question
    return question.replace(fact.subject, chance.one(("he", "she")))


def whole(chance: Chance, reading: Reading) -> Asked:
    """An answer that is a sentence."""
    fact = chance.one(reading.text.facts)
    return Asked(TaskType.EXTRACT, chance.one(fact.asked) + chance.one(SENTENCE_WANTED), fact.whole, fact)


def quoted(chance: Chance, reading: Reading) -> Asked | None:
    """The one sentence that mentions something."""
    names = {name for fact in reading.text.facts for name in (fact.subject, fact.value) if len(name) > 3}
    found = {name: [one for one in reading.text.sentences if name.lower() in one.lower()] for name in sorted(names)}
    alone = [(name, one[0]) for name, one in found.items() if len(one) == 1 and not one[0].startswith(PRONOUNS)]
    if not alone:
        return None
    name, sentence = chance.one(alone)
    question = chance.one((
        "Which sentence mentions {v}?", "Find the sentence about {v}.", "Pick the sentence that mentions {v}.",
        "Copy the sentence about {v}.", "Which sentence is about {v}?",
    )).format(v=name)  # fmt: skip
    return Asked(TaskType.EXTRACT, question, sentence)


def unanswerable(chance: Chance, reading: Reading) -> Asked:
    """A question that the text leaves open."""
    known = [fact for fact in reading.text.facts if fact.trait in PERSON or fact.trait in THING]
    if known and chance.maybe(60):
        about = chance.one(known)
        said = {fact.key for fact in reading.text.about(about.subject)}
        table = PERSON if about.is_of_person else THING
        missing = fact_of(chance, about.subject, trait=chance.one([one for one in table if one.key not in said]))
    else:
        person = chance.person()
        while person in reading.text.written:
            person = chance.person()
        missing = fact_of(chance, person, trait=chance.one(PERSON))
    ending = SENTENCE_WANTED[0] if chance.maybe(15) else ""
    return Asked(TaskType.EXTRACT, decorated(chance, chance.one(missing.asked)) + ending, NOT_SAID)


def yes_or_no(chance: Chance, reading: Reading) -> Asked:
    """Whether the text says so."""
    fact, yes = chance.one(reading.text.facts), chance.maybe(50)
    value = fact.value if yes else wrong_value(chance, reading.text, fact=fact)
    question, answer = with_articles(capital(fact.check.replace("{v}", value))), "Yes" if yes else "No"
    if chance.maybe(25):
        said = inside(fact.whole)
        return Asked(TaskType.CHOICE, question + chance.one(SENTENCE_WANTED[:3]), f"{answer}, {said}", fact)
    ending = chance.one((" Answer yes or no.", " Yes or no?")) if chance.maybe(25) else ""
    return Asked(TaskType.CHOICE, decorated(chance, question) + ending, f"{answer}.", fact)


def inside(sentence: str) -> str:
    """A sentence as it goes on after other words."""
    return sentence[:1].lower() + sentence[1:] if sentence.startswith(("The ", "On ")) else sentence


def wrong_value(chance: Chance, text: Text, *, fact: Fact) -> str:
    """What the text does not say here: often what it says elsewhere."""
    elsewhere = [one.value for one in text.facts if one.key == fact.key and one.value != fact.value]
    return chance.one(elsewhere) if elsewhere and chance.maybe(60) else fact.other


def lettered(chance: Chance, reading: Reading) -> Asked:
    """One of two or three options."""
    fact = chance.one(reading.text.facts)
    values = list(dict.fromkeys((fact.value, fact.other, wrong_value(chance, reading.text, fact=fact))))
    chance.random.shuffle(values)
    options = [f"{letter}) {value}" for letter, value in zip("ABC", values, strict=False)]
    listed = chance.one(("\n", " ", ", ")).join(options)
    asked = chance.one(("{q}\n{o}", "{q} {o}", "{q} Options: {o}", "{q}\nChoose one: {o}"))
    question = asked.format(q=chance.one(fact.asked), o=listed)
    return Asked(TaskType.CHOICE, question, options[values.index(fact.value)], fact)


def as_object(chance: Chance, reading: Reading) -> Asked | None:
    """Some facts about one subject, or a transfer, as a JSON object."""
    text = reading.text
    subjects = list(dict.fromkeys(fact.subject for fact in text.facts if fact.trait or fact.key == "amount"))
    if not subjects:
        return None
    subject = chance.one(subjects)
    facts = text.about(subject)
    if facts[0].trait is None:
        record: dict[str, Any] = {key: fact.value for key in ("sender", "receiver", "amount")
                                  for fact in facts if fact.key == key}  # fmt: skip
    else:
        chosen = chance.some(facts, chance.whole(1, 3))
        record = {"name": subject} | {one.key: _typed(one) for one in chosen}
    kinds = {key: "number" if isinstance(value, int) else "string" for key, value in record.items()}
    whose = f" for {subject}" if len(subjects) > 1 or chance.maybe(50) else ""
    question = _object_question(chance, whose, kinds=kinds)
    return Asked(TaskType.JSON, question, json.dumps(record, ensure_ascii=False), schema=_schema(kinds))


def _typed(fact: Fact) -> int | str:
    return int(fact.value) if fact.trait and fact.trait.numeric else fact.value


def _object_question(chance: Chance, whose: str, *, kinds: dict[str, str]) -> str:
    *keys, last = kinds
    return chance.one((
        "Give the {listed}{whose} as JSON.", "Return JSON{whose} with the keys {keys}.", "Extract JSON{whose}: {dots}",
        "Extract JSON{whose}: {typed}", "Fill in this JSON{whose}: {empty}", "Fill in this JSON{whose}: {dots}",
        "Answer as JSON{whose} with this schema: {typed}", "Write {listed}{whose} as a JSON object.",
    )).format(
        whose=whose,
        keys=", ".join(kinds),
        listed=f"{', '.join(keys)} and {last}",
        dots=json.dumps(dict.fromkeys(kinds, "...")).replace('"..."', "..."),
        typed="{" + ", ".join(f'"{key}": {kind}' for key, kind in kinds.items()) + "}",
        empty=json.dumps(dict.fromkeys(kinds, "")),
    )  # fmt: skip


def _schema(kinds: dict[str, str]) -> dict[str, Any]:
    properties = {key: {"type": kind} for key, kind in kinds.items()}
    return {"type": "object", "properties": properties, "required": list(kinds), "additionalProperties": False}


Ask = Callable[[Chance, Reading], Asked | None]
QUESTIONS: Final[tuple[tuple[Ask, int], ...]] = (
    (short, 34), (whole, 14), (yes_or_no, 15), (lettered, 9), (as_object, 15), (unanswerable, 8), (quoted, 8)
)  # fmt: skip
"""What follows in a conversation about a text, each with how often it comes."""


def single(ask: Ask) -> Callable[[Chance], Task]:
    """A task of one question about a text; a short one where the text allows no such question."""

    def make(chance: Chance) -> Task:
        text = a_text(chance, size=chance.whole(2, 9), asides=chance.one((0, 0, 1, 2)))
        asked = ask(chance, Reading(text)) or short(chance, Reading(text))
        return Task(asked.kind, text.written, asked.question, asked.reference, asked.schema)

    return make


def several(chance: Chance) -> Task:
    """The last question of a conversation about a text."""
    text = a_text(chance, size=chance.whole(2, 9), asides=chance.one((0, 0, 0, 1, 2, 3)))
    reading, turns = Reading(text), []
    for _ in range(chance.whole(3, 5)):
        ask = chance.weighted([ask for ask, _ in QUESTIONS], [weight for _, weight in QUESTIONS])
        asked = ask(chance, reading) or short(chance, reading)
        turns.append(asked)
        reading = replace(reading, last=asked.fact or reading.last)
    *before, last = turns
    place = chance.weighted(tuple(Place), (88, 7, 5))
    earlier = tuple((one.question, one.reference) for one in before)
    return Task(last.kind, text.written, last.question, last.reference, last.schema, earlier, place)


def summary(chance: Chance) -> Task:
    """The sentence that matters: the marked one, or the first."""
    key = _kept(chance)
    others = [chance.one(words.ASIDES) if chance.maybe(60) else _kept(chance) for _ in range(chance.whole(2, 5))]
    if chance.maybe(75):
        others.insert(chance.whole(0, len(others)), chance.one(CUES) + inside(key))
    else:
        others.insert(0, key)
    return Task(TaskType.SUMMARY, " ".join(others), chance.one(SUMMARIES), key)


def _kept(chance: Chance) -> str:
    make = chance.weighted((plan, a_group, about_one), (40, 30, 30))
    return make(chance)[0].said
