"""The questions that can be asked about a text, each with its one right reply."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from contexts import Context, Fact, capital, fact_of, with_articles
from draw import Draw
from out_of_scope import out_of_scope
from relations import OBJECT, PERSON
from small_talk import NOT_SAID, OUT_OF_SCOPE, small_talk
from turns import Turn


@dataclass(slots=True)
class Asked:
    """The state of a conversation about a text: what was asked before."""

    text: Context
    facts: list[Fact]
    last: Fact | None = None
    used: set[tuple[str, ...]] = field(default_factory=set)

    def pick(self, draw: Draw, kind: str) -> Fact:
        """A fact, if possible one not asked for in this way before."""
        fresh = [f for f in self.facts if (kind, f.subject, f.key) not in self.used] or self.facts
        fact = draw.choice(fresh)
        self.used.add((kind, fact.subject, fact.key))
        return fact


def decorated(draw: Draw, question: str) -> str:
    """The question as different people would put it."""
    kind = draw.random.random()
    if kind < 0.66:
        return question
    lower = question[:1].lower() + question[1:]
    if kind < 0.74:
        return f"According to the text, {lower}"
    if kind < 0.78:
        return f"Please tell me: {lower}"
    if kind < 0.82:
        return f"Based on the text: {lower}"
    if kind < 0.88:
        return question + draw.choice(
            (" Answer briefly.", " Short answer.", " Answer in a few words.", " Answer shortly.")
        )
    if kind < 0.92:
        return question.rstrip("?")
    return lower if kind < 0.97 else question.lower()


def with_pronoun(draw: Draw, asked: Asked, fact: Fact, question: str) -> str:
    """In a later question about the same person, sometimes "he" or "she"."""
    same = asked.last is not None and asked.last.subject == fact.subject and fact.relation in PERSON
    if not same or not draw.chance(0.4) or f"{fact.subject}'s" in question or f"of {fact.subject}" in question:
        return question
    return question.replace(fact.subject, draw.choice(("he", "she")))


def ask_short(draw: Draw, asked: Asked) -> Turn:
    fact = asked.pick(draw, "short")
    question = with_pronoun(draw, asked, fact, draw.choice(fact.questions))
    asked.last = fact
    return Turn(decorated(draw, question), fact.value, "short answer")


def ask_sentence(draw: Draw, asked: Asked) -> Turn:
    fact = asked.pick(draw, "sentence")
    asked.last = fact
    suffix = draw.choice(
        (
            " Answer in a sentence.",
            " Answer in a full sentence.",
            " Use a full sentence.",
            " Reply with a sentence.",
            " Answer in one sentence.",
        )
    )
    return Turn(draw.choice(fact.questions) + suffix, fact.sentence, "sentence answer")


def ask_yes_no(draw: Draw, asked: Asked) -> Turn:
    fact = asked.pick(draw, "check")
    asked.last = fact
    yes = draw.chance(0.5)
    question = with_articles(fact.check.replace("{v}", fact.value if yes else _wrong(draw, asked, fact)))
    answer = "Yes" if yes else "No"
    if draw.chance(0.25):
        return Turn(
            capital(question)
            + draw.choice((" Answer in a sentence.", " Answer in a full sentence.", " Use a full sentence.")),
            f"{answer}, {inside(fact.sentence)}",
            "yes or no",
        )
    return Turn(
        decorated(draw, capital(question))
        + (draw.choice((" Answer yes or no.", " Yes or no?")) if draw.chance(0.25) else ""),
        f"{answer}.",
        "yes or no",
    )


def inside(sentence: str) -> str:
    """The sentence as it continues after "Yes, "."""
    return sentence[:1].lower() + sentence[1:] if sentence.startswith(("The ", "On ")) else sentence


def _wrong(draw: Draw, asked: Asked, fact: Fact) -> str:
    """A wrong value: often one that the text states of something else."""
    elsewhere = [f.value for f in asked.facts if f.key == fact.key and f.value != fact.value]
    value = draw.choice(elsewhere) if elsewhere and draw.chance(0.6) else fact.other
    return value if value != fact.value else value + "s"


def ask_choice(draw: Draw, asked: Asked) -> Turn:
    fact = asked.pick(draw, "choice")
    asked.last = fact
    options = list(dict.fromkeys([fact.value, fact.other, _wrong(draw, asked, fact)]))
    draw.random.shuffle(options)
    lettered = [f"{letter}) {option}" for letter, option in zip("ABC", options, strict=False)]
    listed = draw.choice(("\n", " ", ", ")).join(lettered)
    question = draw.choice(fact.questions)
    text = draw.choice(
        (
            f"{question}\n{listed}",
            f"{question} {listed}",
            f"{question} Options: {listed}",
            f"{question}\nChoose one: {listed}",
        )
    )
    return Turn(text, lettered[options.index(fact.value)], "multiple choice")


def ask_not_said(draw: Draw, asked: Asked) -> Turn:
    """A question that the text does not answer."""
    known = [f for f in asked.facts if f.relation in PERSON or f.relation in OBJECT]
    if known and draw.chance(0.6):
        subject = draw.choice(known)
        table = PERSON if subject.relation in PERSON else OBJECT
        stated = {f.key for f in asked.facts if f.subject == subject.subject}
        missing = fact_of(draw, subject.subject, draw.choice([r for r in table if r.key not in stated]))
    else:
        subject_name = draw.person()
        while subject_name in asked.text.text:
            subject_name = draw.person()
        missing = fact_of(draw, subject_name, draw.choice(PERSON))
    suffix = " Answer in a sentence." if draw.chance(0.15) else ""
    return Turn(decorated(draw, draw.choice(missing.questions)) + suffix, NOT_SAID, "not in the text")


def ask_sentence_about(draw: Draw, asked: Asked) -> Turn | None:
    """Copy the one sentence that mentions something."""
    named = {(f.subject, f.value)[draw.chance(0.5)] for f in asked.facts}
    places = {
        name: [s for s in asked.text.sentences if name.lower() in s.lower()] for name in sorted(named) if len(name) > 3
    }
    unique = [
        (name, found[0])
        for name, found in places.items()
        if len(found) == 1 and not found[0].startswith(("He ", "She ", "It "))
    ]
    if not unique:
        return None
    name, sentence = draw.choice(unique)
    question = draw.choice(
        (
            f"Which sentence mentions {name}?",
            f"Find the sentence about {name}.",
            f"Pick the sentence that mentions {name}.",
            f"Copy the sentence about {name}.",
            f"Which sentence is about {name}?",
        )
    )
    return Turn(question, sentence, "find sentence")


def ask_json(draw: Draw, asked: Asked) -> Turn | None:
    """Fill a small JSON object about one subject."""
    subjects = list(dict.fromkeys(f.subject for f in asked.facts if f.relation or f.key == "amount"))
    if not subjects:
        return None
    subject = draw.choice(subjects)
    facts = [f for f in asked.facts if f.subject == subject]
    record, types = _record(draw, subject, facts)
    whose = f" for {subject}" if len(subjects) > 1 or draw.chance(0.5) else ""
    return Turn(
        _json_instruction(draw, whose, record, types), json.dumps(record, ensure_ascii=False), "json", _schema(types)
    )


def _record(draw: Draw, subject: str, facts: list[Fact]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of the wanted keys and their JSON types."""
    if facts[0].relation is None:
        found = {f.key: f.value for f in facts}
        keys = ["sender", "receiver", "amount"]
        return {key: found[key] for key in keys}, dict.fromkeys(keys, "string")
    chosen = draw.random.sample(facts, min(len(facts), draw.random.randint(1, 3)))
    record: dict[str, Any] = {"name": subject}
    types = {"name": "string"}
    for fact in chosen:
        numeric = fact.relation is not None and fact.relation.numeric
        record[fact.key] = int(fact.value) if numeric else fact.value
        types[fact.key] = "number" if numeric else "string"
    return record, types


def _schema(types: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in types.items()},
        "required": list(types),
        "additionalProperties": False,
    }


def _json_instruction(draw: Draw, whose: str, record: dict[str, Any], types: dict[str, str]) -> str:
    keys = list(record)
    listed = ", ".join(keys[:-1]) + " and " + keys[-1]
    dots = json.dumps(dict.fromkeys(keys, "...")).replace('"..."', "...")
    typed_keys = "{" + ", ".join(f'"{key}": {kind}' for key, kind in types.items()) + "}"
    empty = json.dumps(dict.fromkeys(keys, ""))
    return draw.choice(
        (
            f"Give the {listed}{whose} as JSON.",
            f"Return JSON{whose} with the keys {', '.join(keys)}.",
            f"Extract JSON{whose}: {dots}",
            f"Extract JSON{whose}: {typed_keys}",
            f"Fill in this JSON{whose}: {empty}",
            f"Fill in this JSON{whose}: {dots}",
            f"Answer as JSON{whose} with this schema: {typed_keys}",
            f"Write {listed}{whose} as a JSON object.",
        )
    )


def ask_other(draw: Draw, asked: Asked) -> Turn:
    """Small talk or something impossible in the middle of a conversation about a text."""
    del asked
    user, reply = small_talk(draw) if draw.chance(0.4) else _clear_out_of_scope(draw)
    return Turn(user, reply, "out of scope" if reply == OUT_OF_SCOPE else "small talk")


def _clear_out_of_scope(draw: Draw) -> tuple[str, str]:
    """Out of scope and not a question about a person who could be in the text."""
    while True:
        user, reply = out_of_scope(draw)
        if "does" not in user and "Who is" not in user and len(user.split()) > 2:
            return user, reply


Question = Callable[[Draw, Asked], Turn | None]
QUESTIONS: dict[str, tuple[Question, int]] = {
    "short answer": (ask_short, 34),
    "sentence answer": (ask_sentence, 14),
    "yes or no": (ask_yes_no, 15),
    "multiple choice": (ask_choice, 9),
    "json": (ask_json, 15),
    "not in the text": (ask_not_said, 8),
    "find sentence": (ask_sentence_about, 8),
    "other": (ask_other, 3),
}


def question(draw: Draw, asked: Asked, kind: str | None = None) -> Turn:
    """One question about the text; when its kind is impossible here, a short one."""
    make = (
        QUESTIONS[kind][0]
        if kind
        else draw.random.choices(
            [make for make, _ in QUESTIONS.values()], [weight for _, weight in QUESTIONS.values()]
        )[0]
    )
    return make(draw, asked) or ask_short(draw, asked)
