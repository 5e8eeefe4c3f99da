"""Short texts as people paste them, and the facts in them, each with the questions that it alone answers."""

import re
from dataclasses import dataclass
from typing import Final

from dgrid.author import words
from dgrid.author.chance import Chance
from dgrid.author.traits import KINDS, Trait

A_BEFORE_A_VOWEL: Final = re.compile(r"\b([aA]) (?=[aeiou])")


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a text says. `check` asks for it with `{v}` in place of the value; `other` is a wrong value."""

    subject: str
    key: str
    value: str
    other: str
    sentence: str
    asked: tuple[str, ...]
    check: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """Sentences in their order, and what they say."""

    sentences: tuple[str, ...]
    facts: tuple[Fact, ...]

    @property
    def written(self) -> str:
        return " ".join(self.sentences)

    @property
    def subjects(self) -> list[str]:
        return list(dict.fromkeys(fact.subject for fact in self.facts))

    def about(self, subject: str) -> list[Fact]:
        return [fact for fact in self.facts if fact.subject == subject]


def with_articles(text: str) -> str:
    """ "an" before a vowel."""
    return A_BEFORE_A_VOWEL.sub(r"\1n ", text)


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def a_text(chance: Chance, *, size: int) -> Text:
    """A text of about `size` facts about two subjects or more; no two facts of it answer one question."""
    groups: list[tuple[Fact, ...]] = []
    named: set[str] = set()
    while len(groups) < 2 or sum(map(len, groups)) < size:
        group = _group(chance)
        own = {fact.subject for fact in group} | {fact.value for fact in group}
        if not own & named:
            groups.append(group)
            named |= own
    sentences = list(dict.fromkeys(fact.sentence for group in groups for fact in group))
    if chance.maybe(20):
        chance.random.shuffle(sentences)
    if chance.maybe(40):
        sentences.insert(chance.whole(0, len(sentences)), chance.one(words.ASIDES))
    return Text(tuple(sentences), tuple(fact for group in groups for fact in group))


def _group(chance: Chance) -> tuple[Fact, ...]:
    make = chance.weighted((_about_one, _deed, _transfer, _plan), (70, 14, 8, 8))
    return make(chance)


def _about_one(chance: Chance) -> tuple[Fact, ...]:
    """Facts about one person, thing, firm, town or gathering."""
    name, traits, _ = chance.weighted(KINDS, [weight for *_, weight in KINDS])
    subject = name(chance)
    return tuple(fact_of(chance, subject, trait=trait) for trait in chance.some(traits, chance.whole(1, 4)))


def fact_of(chance: Chance, subject: str, *, trait: Trait) -> Fact:
    """A trait of a subject, with a value."""
    value, other = chance.two(trait.value)
    sentence = capital(with_articles(chance.one(trait.said).format(n=subject, v=value)))
    asked = tuple(question.format(n=subject) for question in trait.asked)
    check = trait.check.replace("{n}", subject)
    return Fact(subject, trait.key, value, other, sentence, asked, check, trait.numeric)


def _deed(chance: Chance) -> tuple[Fact, ...]:
    """Somebody did something with something somewhere."""
    base, past = chance.one(words.DEEDS)
    who = f"the {chance.one(words.MANNERS)} {chance.one(words.FIGURES)}"
    thing, other = (f"the {chance.one(words.LOOKS)} {name}" for name in chance.some(words.THINGS, 2))
    spot = f"near the {chance.one(words.SPOTS)}"
    sentence = f"{capital(who)} {past} {thing} {spot}."
    return (
        Fact(who, "what", thing, other, sentence, (f"What did {who} {base}?",), f"Did {who} {base} {{v}}?"),
        Fact(who, "who", who, f"the {chance.one(words.MANNERS)} clerk", sentence, (f"Who {past} {thing}?",),
             f"Did {{v}} {base} {thing}?"),
        Fact(who, "where", spot, f"near the {chance.one(words.ROOMS)}", sentence, (f"Where did {who} {base} {thing}?",),
             f"Did {who} {base} {thing} {{v}}?"),
    )  # fmt: skip


def _transfer(chance: Chance) -> tuple[Fact, ...]:
    """Money that went from one to another."""
    name = Chance.wallet if chance.maybe(50) else Chance.coined
    sender, (receiver, third) = name(chance), chance.two(name)
    coin = chance.one(words.COINS)
    amount, other = chance.two(lambda draw: f"{draw.whole(2, 90_000)} {coin}")
    said = chance.one(("{s} sent {a} on to {r}.", "Today {s} sent {a} to {r}."))
    sentence = said.format(s=sender, a=amount, r=receiver)
    asked = f"How much did {sender} send today?", f"Who received {amount} from {sender}?"
    checks = f"Did {sender} send {{v}}?", f"Did {{v}} receive {amount}?"
    return (
        Fact(sender, "amount", amount, other, sentence, asked[:1], checks[0]),
        Fact(sender, "receiver", receiver, third, sentence, asked[1:], checks[1]),
    )


def _plan(chance: Chance) -> tuple[Fact, ...]:
    """What will happen to a place, and when."""
    site, (town, elsewhere) = chance.one(words.SITES), chance.two(Chance.town)
    event = chance.one(("be shut", "be rented out", "be inspected again", "be photographed", "be painted again"))
    day, other = chance.some(words.WEEKDAYS, 2)
    sentence = f"The {site} in {town} will {event} on {day}."
    asked = f"When will the {site} {event}?", f"In which city will the {site} {event}?"
    checks = f"Will the {site} {event} on {{v}}?", f"Is the {site} in {{v}}?"
    return (
        Fact(site, "day", day, other, sentence, asked[:1], checks[0]),
        Fact(site, "town", town, elsewhere, sentence, asked[1:], checks[1]),
    )
