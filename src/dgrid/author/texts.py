"""Short texts as people paste them, and the facts in them, each with the questions that it alone answers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dgrid.author import words
from dgrid.author.chance import Chance
from dgrid.author.traits import FIRM, KINDS, PERSON, Trait

A_BEFORE_A_VOWEL: Final = re.compile(r"\b([aA]) (?=[aeiou])")
PRONOUNS: Final = ("He ", "She ", "It ")
OTHERS: Final = ("friend", "brother", "founder", "director")  # after these a pronoun might mean somebody else
UNNAMED: Final = frozenset(("the", "on", "in", "near", "behind", "at", "kilos", "coins", "euros", "dollars"))


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a text says. `said` is how, before pronouns; `whole` the answer as a sentence.

    `check` asks for it with `{v}` in place of the value; `other` is a wrong value.
    """

    subject: str
    key: str
    value: str
    other: str
    said: str
    asked: tuple[str, ...]
    whole: str
    check: str
    trait: Trait | None = None

    @property
    def is_of_person(self) -> bool:
        return self.trait in PERSON


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


def a_text(chance: Chance, *, size: int, asides: int = 0) -> Text:
    """A text of about `size` facts, no two of which answer one question, with sentences that say nothing of them."""
    groups: list[tuple[Fact, ...]] = []
    named: set[str] = set()
    while sum(map(len, groups)) < size:
        group = a_group(chance)
        own = names_in(group)
        if not own & named:
            groups.append(group)
            named |= own
    written = list(dict.fromkeys(fact.said for group in groups for fact in group))
    if chance.maybe(25):
        chance.random.shuffle(written)
    else:
        written = [sentence for group in groups for sentence in _told(chance, group)]
    for aside in chance.some(words.ASIDES, asides):
        places = [at for at in range(len(written) + 1) if not "".join(written[at : at + 1]).startswith(PRONOUNS)]
        written.insert(chance.one(places), aside)
    return Text(tuple(written), tuple(fact for group in groups for fact in group))


def names_in(group: Sequence[Fact]) -> set[str]:
    """The words that name who and what a group is about, its values among them."""
    found = {word for fact in group for word in f"{fact.subject} {fact.value}".lower().split()}
    return found - UNNAMED - {coin.lower() for coin in words.COINS}


def _told(chance: Chance, group: Sequence[Fact]) -> list[str]:
    """A group's sentences one after the other, some with a pronoun where it can mean the subject only."""
    told: list[str] = []
    pronouns = PRONOUNS[:2] if group[0].is_of_person else PRONOUNS[2:] if group[0].trait in FIRM else ()
    for at, fact in enumerate(group):
        said, is_clear = fact.said, at > 0 and group[at - 1].key not in OTHERS
        if pronouns and is_clear and said.startswith(fact.subject + " ") and chance.maybe(40):
            said = chance.one(pronouns) + said.removeprefix(fact.subject + " ")
        told.append(said)
    return list(dict.fromkeys(told))


def a_group(chance: Chance) -> tuple[Fact, ...]:
    """Facts that belong together."""
    make = chance.weighted((about_one, _deed, _transfer, plan), (62, 20, 9, 9))
    return make(chance)


def about_one(chance: Chance) -> tuple[Fact, ...]:
    """Facts about one person, thing, firm, town or gathering."""
    name, traits, _ = chance.weighted(KINDS, [weight for *_, weight in KINDS])
    subject = name(chance)
    return tuple(fact_of(chance, subject, trait=trait) for trait in chance.some(traits, chance.whole(1, 4)))


def fact_of(chance: Chance, subject: str, *, trait: Trait) -> Fact:
    """A trait of a subject, with a value."""
    value, other = chance.two(trait.value)

    def filled(wording: str) -> str:
        return with_articles(wording.format(n=subject, v=value))

    said, asked = filled(chance.one(trait.said)), tuple(map(filled, trait.asked))
    check = with_articles(trait.check.replace("{n}", subject))
    return Fact(subject, trait.key, value, other, said, asked, filled(trait.whole), check, trait)


def _deed(chance: Chance) -> tuple[Fact, ...]:
    """Somebody did something with something, perhaps somewhere, on some day."""
    base, past = chance.one(words.DEEDS)
    who = chance.person() if chance.maybe(30) else _a_certain(chance, words.FIGURES)
    thing, no_thing = chance.two(lambda draw: _a_certain(draw, words.THINGS))
    spot, no_spot = chance.some(words.SPOTS, 2)
    where = f"{chance.one(('in', 'near', 'behind', 'at'))} the {spot}" if chance.maybe(50) else ""
    day, no_day = chance.some(words.WEEKDAYS, 2)
    when = f"on {day}" if chance.maybe(40) else ""
    whole = capital(" ".join(part for part in (who, past, thing, where, when) if part)) + "."
    said = whole
    if when and chance.maybe(40):
        said = capital(" ".join(part for part in (when, who, past, thing, where) if part)) + "."
    asked = (
        ("what", thing, no_thing, (f"What did {who} {base}?",), f"Did {who} {base} {{v}}?"),
        ("who", who, f"the {chance.one(words.FIGURES)}", (f"Who {past} {thing}?",), f"Did {{v}} {base} {thing}?"),
        ("where", where, f"near the {no_spot}", (f"Where did {who} {base} {thing}?",),
         f"Did {who} {base} {thing} {{v}}?"),
        ("when", when, f"on {no_day}",
         (f"When did {who} {base} {thing}?", f"On which day did {who} {base} {thing}?"),
         f"Did {who} {base} {thing} {{v}}?"),
    )  # fmt: skip
    return tuple(
        Fact(who, key, value, other, said, questions, whole, check)
        for key, value, other, questions, check in asked
        if value and value != other
    )


def _a_certain(chance: Chance, nouns: Sequence[str]) -> str:
    return f"the {chance.one(words.QUALITIES)} {chance.one(nouns)}" if chance.maybe(45) else f"the {chance.one(nouns)}"


def _transfer(chance: Chance) -> tuple[Fact, ...]:
    """Money that went from one to another."""
    name = Chance.wallet if chance.maybe(50) else Chance.first_name
    sender, receiver = chance.two(name)
    coin = chance.one(words.COINS)
    amount, other = chance.two(lambda draw: f"{draw.number(1, 99_999)} {coin}")
    whole = f"{sender} sent {amount} to {receiver}."
    said = chance.one(
        (whole, f"Wallet {sender} sent {amount} to wallet {receiver}.", f"{receiver} received {amount} from {sender}.")
    )
    asked = (
        ("amount", amount, other, (f"How much did {sender} send?", f"What amount did {sender} send to {receiver}?"),
         f"Did {sender} send {{v}}?"),
        ("receiver", receiver, chance.wallet(), (f"Who received {amount}?", f"To whom did {sender} send {amount}?"),
         f"Did {{v}} receive {amount}?"),
        ("sender", sender, chance.wallet(), (f"Who sent {amount}?", f"Who sent {amount} to {receiver}?"),
         f"Did {{v}} send {amount}?"),
    )  # fmt: skip
    return tuple(
        Fact(sender, key, value, no, said, questions, whole, check) for key, value, no, questions, check in asked
    )


def plan(chance: Chance) -> tuple[Fact, ...]:
    """What will happen to a place, and when."""
    site, (town, elsewhere) = chance.one(words.SITES), chance.two(Chance.town)
    event, (day, other) = chance.one(words.EVENTS), chance.some(words.WEEKDAYS, 2)
    said = f"The {site} in {town} will {event} on {day}."
    days = f"When will the {site} {event}?", f"On which day will the {site} in {town} {event}?"
    towns = f"Where is the {site}?", f"In which city will the {site} {event}?"
    checks = f"Will the {site} {event} on {{v}}?", f"Is the {site} in {{v}}?"
    return (
        Fact(site, "day", day, other, said, days, said, checks[0]),
        Fact(site, "city", town, elsewhere, said, towns, said, checks[1]),
    )
