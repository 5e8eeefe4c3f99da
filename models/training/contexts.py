"""Short texts and the questions that can be answered from them."""

import re
from dataclasses import dataclass, field

import relations
import words
from draw import Draw
from relations import Relation

CUES = (
    "The main news is that ",
    "Most important, ",
    "The key point is that ",
    "In short, ",
    "The report says that ",
    "The most important thing is that ",
)


def with_articles(text: str) -> str:
    """Writes "an" before a vowel."""
    return re.sub(r"\b([aA]) (?=[aeiou])", r"\1n ", text)


@dataclass(frozen=True, slots=True)
class Fact:
    """A statement of a text with everything that can be asked about it."""

    subject: str
    key: str
    value: str
    statement: str
    questions: tuple[str, ...]
    sentence: str
    check: str
    other: str
    """another possible value, for wrong options and for questions to be denied"""
    relation: Relation | None = None


@dataclass(slots=True)
class Context:
    """A text: facts in the order written, with other sentences between them."""

    facts: list[Fact] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


def fact_of(draw: Draw, subject: str, relation: Relation) -> Fact:
    """A fact of a relation about a subject, with random value and wording."""
    value = relation.value(draw)
    other = next((v for v in (relation.value(draw) for _ in range(6)) if v != value), draw.invented())

    def fill(template: str, shown: str = value) -> str:
        return with_articles(template.format(n=subject, v=shown))

    return Fact(
        subject,
        relation.key,
        value,
        fill(draw.choice(relation.statements)),
        tuple(map(fill, relation.questions)),
        fill(relation.sentence),
        with_articles(relation.check.replace("{n}", subject)),
        other,
        relation,
    )


def action(draw: Draw) -> list[Fact]:
    """A sentence "The old fox carried the basket to the river on Monday." with a fact for each of its parts."""
    base, past = draw.choice(words.VERBS)
    who = draw.person() if draw.chance(0.3) else "the " + noun_phrase(draw, words.CREATURES)
    thing = "the " + noun_phrase(draw, words.OBJECTS)
    where = (
        draw.choice(("in", "near", "behind", "at")) + " the " + draw.open(words.PLACES, 0.15)
        if draw.chance(0.5)
        else ""
    )
    when = "on " + draw.choice(words.DAYS) if draw.chance(0.4) else ""
    tail = "".join(" " + part for part in (where, when) if part)
    if when and draw.chance(0.4):
        sentence, tail = (
            f"{capital(when)} {who} {past} {thing}{' ' + where if where else ''}.",
            f"{' ' + where if where else ''} {when}",
        )
    else:
        sentence = f"{who} {past} {thing}{tail}."
    statement, whole = capital(sentence), capital(f"{who} {past} {thing}{tail}.")
    asked = [("what", thing, (f"What did {who} {base}?",)), ("who", who, (f"Who {past} {thing}?",))]
    if where:
        asked.append(("where", where, (f"Where did {who} {base} {thing}?",)))
    if when:
        asked.append(("when", when, (f"When did {who} {base} {thing}?", f"On which day did {who} {base} {thing}?")))
    others = {
        "what": "the " + noun_phrase(draw, words.OBJECTS),
        "who": "the " + draw.open(words.CREATURES),
        "where": "near the " + draw.open(words.PLACES),
        "when": "on " + draw.choice(words.DAYS),
    }
    check = {
        "what": f"Did {who} {base} {{v}}?",
        "who": f"Did {{v}} {base} {thing}?",
        "where": f"Did {who} {base} {thing} {{v}}?",
        "when": f"Did {who} {base} {thing} {{v}}?",
    }
    return [
        Fact(who, key, value, statement, questions, whole, check[key], others[key]) for key, value, questions in asked
    ]


def noun_phrase(draw: Draw, nouns: list[str]) -> str:
    noun = draw.open(nouns, 0.15)
    return f"{draw.open(words.ADJECTIVES)} {noun}" if draw.chance(0.45) else noun


def transaction(draw: Draw) -> list[Fact]:
    """A transfer between two wallets, with a fact for sender, receiver and amount."""
    sender, receiver = (draw.address() for _ in range(2)) if draw.chance(0.5) else (draw.first_name() for _ in range(2))
    amount = f"{draw.number(1, 99999)} {draw.choice(words.TOKENS)}"
    statement = draw.choice(
        (
            f"{sender} sent {amount} to {receiver}.",
            f"Wallet {sender} sent {amount} to wallet {receiver}.",
            f"{receiver} received {amount} from {sender}.",
        )
    )
    whole = f"{sender} sent {amount} to {receiver}."
    wrong = f"{draw.number(1, 99999)} {amount.split()[1]}"
    return [
        Fact(
            sender,
            "amount",
            amount,
            statement,
            (f"How much did {sender} send?", f"What amount did {sender} send to {receiver}?"),
            whole,
            f"Did {sender} send {{v}}?",
            wrong,
        ),
        Fact(
            sender,
            "receiver",
            receiver,
            statement,
            (f"Who received {amount}?", f"To whom did {sender} send {amount}?"),
            whole,
            f"Did {{v}} receive {amount}?",
            draw.address(),
        ),
        Fact(
            sender,
            "sender",
            sender,
            statement,
            (f"Who sent {amount}?", f"Who sent {amount} to {receiver}?"),
            whole,
            f"Did {{v}} send {amount}?",
            draw.address(),
        ),
    ]


def plan(draw: Draw) -> list[Fact]:
    """A sentence "The school in Oslo will close on Monday." with facts for day and place."""
    building, city, event, day = (
        draw.open(words.BUILDINGS),
        draw.city(),
        draw.choice(words.EVENTS),
        draw.choice(words.DAYS),
    )
    whole = f"The {building} in {city} will {event} on {day}."
    return [
        Fact(
            building,
            "day",
            day,
            whole,
            (f"When will the {building} {event}?", f"On which day will the {building} in {city} {event}?"),
            whole,
            f"Will the {building} {event} on {{v}}?",
            draw.choice(words.DAYS),
        ),
        Fact(
            building,
            "city",
            city,
            whole,
            (f"Where is the {building}?", f"In which city will the {building} {event}?"),
            whole,
            f"Is the {building} in {{v}}?",
            draw.city(),
        ),
    ]


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


SUBJECTS = (
    (Draw.person, relations.PERSON, 10),
    (lambda draw: draw.open(words.OBJECTS), relations.OBJECT, 4),
    (Draw.company, relations.COMPANY, 3),
    (Draw.city, relations.TOWN, 2),
    (lambda draw: draw.open(relations.EVENT_NAMES), relations.EVENT, 2),
)


def subject_facts(draw: Draw, count: int) -> list[Fact]:
    """Up to ``count`` facts about one subject."""
    make, table, _ = draw.random.choices(SUBJECTS, [weight for *_, weight in SUBJECTS])[0]
    subject = make(draw)
    return [fact_of(draw, subject, relation) for relation in draw.random.sample(table, min(count, len(table)))]


def groups(draw: Draw, size: int) -> list[list[Fact]]:
    """Groups of facts, each about one subject or one event, about ``size`` facts in all."""
    found: list[list[Fact]] = []
    while sum(map(len, found)) < size:
        kind = draw.random.random()
        if kind < 0.62:
            found.append(subject_facts(draw, draw.random.randint(1, 4)))
        elif kind < 0.82:
            found.append(action(draw))
        elif kind < 0.91:
            found.append(transaction(draw))
        else:
            found.append(plan(draw))
    return distinct(found)


def distinct(found: list[list[Fact]]) -> list[list[Fact]]:
    """Drops groups whose subject was used before, so that every question has one answer."""
    seen: set[str] = set()
    kept = []
    for group in found:
        used = {group[0].subject.lower(), *(f.value.lower() for f in group if f.key in ("what", "receiver"))}
        if not used & seen:
            kept.append(group)
            seen |= used
    return kept


def context(draw: Draw, size: int, *, fillers: int = 0) -> Context:
    """A text of about ``size`` facts; statements of different subjects may be mixed."""
    found = groups(draw, size)
    mixed = draw.chance(0.25)
    result = Context()
    written: list[tuple[str, Fact]] = []
    for group in found:
        pronoun = (
            draw.choice(("He", "She"))
            if group[0].relation in relations.PERSON
            else "It"
            if group[0].relation in relations.COMPANY
            else None
        )
        seen: set[str] = set()
        for fact in group:
            statement = fact.statement
            if pronoun and seen and not mixed and statement.startswith(fact.subject + " ") and draw.chance(0.4):
                statement = pronoun + statement[len(fact.subject) :]
            if fact.statement not in seen:
                written.append((statement, fact))
            seen.add(fact.statement)
            result.facts.append(fact)
    if mixed:
        draw.random.shuffle(written)
    result.sentences = [statement for statement, _ in written]
    for _ in range(fillers):
        result.sentences.insert(draw.random.randint(0, len(result.sentences)), draw.choice(words.FILLERS))
    return result
