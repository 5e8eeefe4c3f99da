"""The tasks that can be set on a text, each with its one right answer, by kind of work."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from dgrid.author import words
from dgrid.author.chance import Chance
from dgrid.author.texts import Fact, Text, a_text, capital, fact_of, with_articles
from dgrid.author.traits import PERSON
from dgrid.wire.quality import TaskType

NOT_SAID: Final = "The text does not say."
CUES: Final = "The main point is that ", "The key news is that ", "In short: ", "The main message is that "
SUMMARIES: Final = (
    "Summarise this note: {t}",
    "Summarise the following: {t}",
    "Summarise briefly: {t}",
    "{t}\nSummarise the note.",
    "{t}\n\nWhat is the main point?",
    "{t}\nSummarise it in one sentence.",
    "What is the key sentence of this note? {t}",
    "Give the main point: {t}",
)
NEAR_LIMITS: Final = (3, 6, 8, 12, 15, 30)  # tenths of the limit


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked, and the answer that is known. `text` is what it is about; `{t}` in a question is its place.

    `earlier` holds a question and its answer that came before.
    """

    kind: TaskType
    text: str
    question: str
    reference: str
    schema: dict[str, Any] | None = None
    earlier: tuple[str, str] | None = None


def short(chance: Chance) -> Task:
    """A few words out of a text."""
    text = a_text(chance, size=chance.whole(2, 7))
    fact = chance.one(text.facts)
    ending = chance.weighted(("", " Answer briefly.", " Answer in a few words."), (7, 1, 1))
    return Task(TaskType.EXTRACT, text.written, chance.one(fact.asked) + ending, fact.value)


def quoted(chance: Chance) -> Task:
    """The one sentence that speaks of something."""
    text = a_text(chance, size=chance.whole(2, 5))
    alone = [fact for fact in text.facts if sum(fact.value in sentence for sentence in text.sentences) == 1]
    if not alone:
        return short(chance)
    fact = chance.one(alone)
    asked = chance.one(("Which sentence mentions {v}?", "Find the sentence with {v}.", "Copy the sentence about {v}."))
    return Task(TaskType.EXTRACT, text.written, asked.format(v=fact.value), fact.sentence)


def unanswerable(chance: Chance) -> Task:
    """A question that the text leaves open, and says so."""
    text = a_text(chance, size=chance.whole(3, 6))
    person = chance.person()
    missing = fact_of(chance, person, trait=chance.one(PERSON))
    return (
        Task(TaskType.EXTRACT, text.written, chance.one(missing.asked), NOT_SAID)
        if person not in text.written
        else short(chance)
    )


def yes_or_no(chance: Chance) -> Task:
    """Whether the text says so."""
    text = a_text(chance, size=chance.whole(3, 8))
    fact, yes = chance.one(text.facts), chance.maybe(50)
    asked = with_articles(
        capital(fact.check.replace("{v}", fact.value if yes else wrong_value(chance, text, fact=fact)))
    )
    ending = chance.weighted(("", " Answer yes or no.", " Yes or no?"), (5, 3, 1))
    return Task(TaskType.CHOICE, text.written, asked + ending, "Yes." if yes else "No.")


def wrong_value(chance: Chance, text: Text, *, fact: Fact) -> str:
    """What the text does not say here: often what it says elsewhere."""
    elsewhere = [one.value for one in text.facts if one.key == fact.key and one.value != fact.value]
    return chance.one(elsewhere) if elsewhere and chance.maybe(60) else fact.other


def lettered(chance: Chance) -> Task:
    """One of two or three options."""
    text = a_text(chance, size=chance.whole(2, 6))
    fact = chance.one(text.facts)
    values = list(dict.fromkeys((fact.value, fact.other, wrong_value(chance, text, fact=fact))))
    chance.random.shuffle(values)
    options = [f"{letter}) {value}" for letter, value in zip("ABC", values, strict=False)]
    listed = chance.one(("\n", "  ", "; ")).join(options)
    asked = chance.one(("{q}\n{o}", "{q} {o}", "{q}\nPick one: {o}", "{q} Choose: {o}"))
    question = asked.format(q=chance.one(fact.asked), o=listed)
    return Task(TaskType.CHOICE, text.written, question, options[values.index(fact.value)])


def mood(chance: Chance) -> Task:
    """Whether a review is a good one."""
    good = chance.maybe(50)
    word, thing = chance.one(words.PRAISE if good else words.BLAME), chance.one(words.REVIEWED)
    said = chance.one(
        ("The {t} was simply {w}.", "Such a {w} {t}!", "Our {t} in {c} was {w}.", "{p} found the {t} {w}.")
    ).format(t=thing, w=word, c=chance.town(), p=chance.person())
    asked = chance.one(
        ("Is this comment positive or negative?", "What is the sentiment of this?", "Is it positive or negative?")
    )
    return Task(TaskType.CHOICE, with_articles(said), asked, "positive" if good else "negative")


def subject_matter(chance: Chance) -> Task:
    """Which of some topics a sentence is about."""
    options = chance.some(tuple(words.TOPICS), chance.whole(2, 4))
    answer = chance.one(options)
    one, two = chance.some(words.TOPICS[answer], 2)
    said = chance.one(
        (
            "There were stories about the {a} and the {b}.",
            "The page was about the {a} and the {b}.",
            "{p} wrote about the {a} and the {b}.",
        )
    ).format(a=one, b=two, p=chance.person())
    listed = ", ".join(options[:-1]) + " or " + options[-1]
    asked = chance.one(("Which topic is this, {o}?", "Is this text about {o}?", "Classify this as {o}.")).format(
        o=listed
    )
    return Task(TaskType.CHOICE, said, asked, answer)


def risk(chance: Chance) -> Task:
    """A transfer sorted by a rule that comes with it."""
    limit, coin = chance.one((20, 80, 150, 250, 400, 750, 1500, 4000)), chance.one(words.COINS)
    amount = max(1, limit * chance.one(NEAR_LIMITS) // 10 + chance.whole(0, 4))
    rule = chance.one((
        "Every amount above {l} is high risk, every other is low risk.", "Rule: above {l} is high, otherwise low.",
        "If the amount is above {l}, the risk is high, otherwise the risk is low.",
    )).format(l=limit)  # fmt: skip
    transfer = f"{chance.wallet()} sent {amount} {coin} to {chance.wallet()}."
    asked = chance.one(("Which risk level is this?", "What is the risk?", "Is the risk high or low?"))
    return Task(TaskType.CHOICE, f"{rule}\n{transfer}", asked, "high" if amount > limit else "low")


def as_object(chance: Chance) -> Task:
    """Some facts about one subject as a JSON object."""
    text = a_text(chance, size=chance.whole(2, 5))
    subject = chance.one(
        [one for one in text.subjects if text.about(one)[0].key not in ("what", "amount", "day")] or text.subjects
    )
    facts = [fact for fact in text.about(subject) if fact.key not in ("what", "who", "where")]
    if not facts:
        return short(chance)
    chosen = chance.some(facts, chance.whole(1, 3))
    record: dict[str, Any] = {"name": subject} | {
        one.key: int(one.value) if one.numeric else one.value for one in chosen
    }
    kinds = {key: "number" if isinstance(value, int) else "string" for key, value in record.items()}
    return Task(
        TaskType.JSON,
        text.written,
        _object_question(chance, record, kinds),
        json.dumps(record, ensure_ascii=False),
        _schema(kinds),
    )


def _object_question(chance: Chance, record: dict[str, Any], kinds: dict[str, str]) -> str:
    keys = ", ".join(record)
    typed = "{" + ", ".join(f'"{key}": {kind}' for key, kind in kinds.items()) + "}"
    return chance.one((
        "Return a JSON object for {n} with the keys {k}.", "JSON for {n}: {t}", "Give the {k} of {n} as JSON.",
        "Extract this JSON for {n}: {t}", "Fill in for {n}: {t} Answer as JSON.",
    )).format(n=record["name"], k=keys, t=typed)  # fmt: skip


def _schema(kinds: dict[str, str]) -> dict[str, Any]:
    properties = {key: {"type": kind} for key, kind in kinds.items()}
    return {"type": "object", "properties": properties, "required": list(kinds), "additionalProperties": False}


def summary(chance: Chance) -> Task:
    """The sentence that matters: the marked one, or the first."""
    key = chance.one(a_text(chance, size=2).facts).sentence
    others = [*chance.some(words.ASIDES, chance.whole(1, 2)), *a_text(chance, size=2).sentences[:1]]
    chance.random.shuffle(others)
    if chance.maybe(75):
        marked = chance.one(CUES) + (key[:1].lower() + key[1:] if key.startswith("The ") else key)
        others.insert(chance.whole(0, len(others)), marked)
    else:
        others.insert(0, key)
    return Task(TaskType.SUMMARY, " ".join(others), chance.one(SUMMARIES), key)


def follow_up(chance: Chance) -> Task:
    """The second question about a text."""
    text = a_text(chance, size=chance.whole(3, 7))
    first, second = chance.some(text.facts, 2)
    earlier = chance.one(first.asked), first.value
    return Task(TaskType.EXTRACT, text.written, chance.one(second.asked), second.value, earlier=earlier)


def full_sentence(chance: Chance) -> Task:
    """An answer in the words of the text, as in a talk."""
    text = a_text(chance, size=chance.whole(2, 5))
    fact = chance.one(text.facts)
    return Task(TaskType.EXTRACT, text.written, f"{chance.one(fact.asked)} Answer in a full sentence.", fact.sentence)


def repeated(chance: Chance) -> Task:
    """A list said again."""
    pool = [chance.coined() for _ in range(3)] + chance.some(words.TOWNS, 3) + chance.some(words.FIRST_NAMES, 3)
    pool += [str(chance.whole(2, 9999)), chance.one(words.COINS), chance.wallet()]
    listed = " ".join(chance.some(pool, chance.whole(3, 5)))
    return Task(
        TaskType.CHAT,
        "",
        chance.one(("Repeat: {l}", "Please repeat: {l}", "Repeat this: {l}")).format(l=listed),
        listed,
    )


Make = Callable[[Chance], Task]
TASKS: Final[tuple[tuple[Make, int], ...]] = (
    (short, 30), (follow_up, 10), (full_sentence, 3), (quoted, 1), (unanswerable, 3),
    (yes_or_no, 15), (lettered, 6), (mood, 5), (subject_matter, 2), (risk, 5),
    (as_object, 9), (summary, 9), (repeated, 2),
)  # fmt: skip
"""All kinds of tasks, each with how often it comes: as people use small models, reading before talking."""
