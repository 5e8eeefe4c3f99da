"""What the author's texts can say of a person, a thing, a firm, a town or a gathering, and how each is asked for.

In every wording `{n}` is the subject and `{v}` the value. A `check` is the question that only yes or no answers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dgrid.author import words
from dgrid.author.chance import Chance


@dataclass(frozen=True, slots=True)
class Trait:
    """One thing that can be said. `key` is its name in JSON; a `numeric` value is a whole number there."""

    key: str
    value: Callable[[Chance], str]
    said: tuple[str, ...]
    asked: tuple[str, ...]
    check: str
    numeric: bool = False


def of(items: tuple[str, ...] | list[str]) -> Callable[[Chance], str]:
    """A value from a list."""
    return lambda chance: chance.one(items)


def between(low: int, high: int, *, unit: str = "") -> Callable[[Chance], str]:
    """A whole number as a value, with its unit."""
    return lambda chance: f"{chance.whole(low, high)}{unit}"


def day_of_month(chance: Chance) -> str:
    return f"{chance.one(words.MONTHS)} {chance.whole(1, 28)}"


def pet(chance: Chance) -> str:
    return f"{chance.one(words.COATS)} {chance.one(words.PETS)}"


def mailbox(chance: Chance) -> str:
    return f"{chance.one(words.FIRST_NAMES).lower()}@{chance.coined().lower()}.{chance.one(('com', 'net', 'eu'))}"


PERSON: Final = (
    Trait(
        "city",
        Chance.town,
        ("{n} lives in {v} now.", "{n} is living in {v}.", "{n} has a flat in {v}."),
        ("Where does {n} live now?", "Where does {n} live these days?"),
        "Does {n} live in {v}?",
    ),
    Trait(
        "job",
        of(words.TRADES),
        ("{n} still works as a {v}.", "{n} works as a {v} in town.", "By day {n} works as a {v}."),
        ("What work does {n} do?", "What does {n} work as now?"),
        "Does {n} work as a {v}?",
    ),
    Trait(
        "food",
        of(words.DISHES),
        ("{n} likes to eat {v} at noon.", "{n} loves to eat {v}.", "{n} likes {v} a lot."),
        ("What food does {n} like?", "What does {n} like to eat at noon?"),
        "Does {n} like {v}?",
    ),
    Trait(
        "drink",
        of(words.DRINKS),
        ("{n} drinks {v} at lunch.", "{n} drinks {v} with every meal."),
        ("What does {n} drink at lunch?", "What does {n} drink with a meal?"),
        "Does {n} drink {v}?",
    ),
    Trait(
        "pet",
        pet,
        ("At home {n} has a {v}.", "{n} also owns a {v}.", "{n} owns a {v} called Rex."),
        ("Which pet does {n} own?", "What pet does {n} own now?"),
        "Does {n} have a {v}?",
    ),
    Trait(
        "instrument",
        of(words.INSTRUMENTS),
        ("{n} learned to play the {v}.", "{n} plays the {v} in a band."),
        ("Which instrument can {n} play?", "What instrument can {n} play?"),
        "Does {n} play the {v}?",
    ),
    Trait(
        "hobby",
        of(words.PASTIMES),
        ("The favourite hobby of {n} is {v}.", "The only hobby of {n} is {v}."),
        ("What hobby does {n} have?", "What is the only hobby of {n}?"),
        "Is {v} the hobby of {n}?",
    ),
    Trait(
        "arrival",
        of(words.WEEKDAYS),
        ("{n} arrives here on {v}.", "{n} is due on {v}."),
        ("When will {n} arrive?", "When does {n} arrive here?"),
        "Does {n} arrive on {v}?",
    ),
    Trait(
        "born",
        between(1921, 2012),
        ("{n} was born in {v}, as the file says.", "The file says that {n} was born in {v}."),
        ("In what year was {n} born?", "What year was {n} born?"),
        "Was {n} born in {v}?",
        numeric=True,
    ),
    Trait(
        "age",
        between(18, 89),
        ("{n} is {v} years of age.", "Today {n} is {v} years old."),
        ("How many years old is {n}?", "What age is {n}?"),
        "Is {n} {v} years old?",
        numeric=True,
    ),
    Trait(
        "friend",
        Chance.person,
        ("{n} has a good friend, {v}.", "The old friend of {n} is {v}.", "{n} met a friend called {v}."),
        ("Who is the good friend of {n}?", "Who is a friend of {n}?"),
        "Is {v} a friend of {n}?",
    ),
    Trait(
        "employer",
        Chance.firm,
        ("{n} works at {v} full time.", "{n} works for {v} these days."),
        ("Who is the employer of {n}?", "What company does {n} work for?"),
        "Does {n} work for {v}?",
    ),
    Trait(
        "language",
        of(words.LANGUAGES),
        ("{n} speaks {v} at home.", "{n} can speak some {v}."),
        ("Which language does {n} speak at home?", "Which language can {n} speak?"),
        "Does {n} speak {v}?",
    ),
    Trait(
        "sport",
        of(words.SPORTS),
        ("{n} plays {v} with friends.", "On weekends {n} plays {v}."),
        ("Which sport does {n} play on weekends?", "Which sport does {n} play with friends?"),
        "Does {n} play {v}?",
    ),
    Trait(
        "transport",
        of(words.VEHICLES),
        ("Each day {n} travels by {v}.", "{n} comes to work by {v}."),
        ("How does {n} come to work?", "How does {n} travel home?"),
        "Does {n} travel by {v}?",
    ),
    Trait(
        "email",
        mailbox,
        ("The new email of {n} is {v}.", "By email {n} can be reached at {v}."),
        ("What is the new email of {n}?", "What email does {n} have?"),
        "Is {v} the email of {n}?",
    ),
    Trait(
        "phone",
        between(20_000, 899_999),
        ("The new phone number of {n} is {v}.", "The office phone number of {n} is {v}."),
        ("What phone number does {n} have?", "What is the number of {n}?"),
        "Is {v} the phone number of {n}?",
    ),
)
THING: Final = (
    Trait(
        "color",
        of(words.SHADES),
        ("The {n} was painted {v} again.", "The colour of this {n} is {v}."),
        ("What colour was the {n}?", "Which colour is the {n} now?"),
        "Is the {n} {v}?",
    ),
    Trait(
        "price",
        between(3, 980, unit=" pounds"),
        ("The {n} costs {v} in the shop.", "The full price of the {n} is {v}.", "Online the {n} costs {v}."),
        ("How much does the {n} cost in the shop?", "What is the full price of the {n}?"),
        "Does the {n} cost {v}?",
    ),
    Trait(
        "room",
        of(words.ROOMS),
        ("The {n} stands over in the {v}.", "The {n} is down in the {v}."),
        ("In what room is the {n}?", "Which room is the {n} in?"),
        "Is the {n} in the {v}?",
    ),
    Trait(
        "material",
        of(words.SUBSTANCES),
        ("It is known that the {n} is made of {v}.", "The whole {n} is made of {v}."),
        ("What was the {n} made of?", "What is the whole {n} made of?"),
        "Is the {n} made of {v}?",
    ),
    Trait(
        "owner",
        Chance.person,
        ("The new owner of the {n} is {v}.", "The {n} in the corner belongs to {v}."),
        ("Who does the {n} belong to?", "Who is the new owner of the {n}?"),
        "Does the {n} belong to {v}?",
    ),
    Trait(
        "weight",
        between(2, 95, unit=" kilos"),
        ("The {n} weighs {v} in all.", "The {n} alone weighs {v}.", "Packed, the {n} weighs {v}."),
        ("How much does the {n} weigh?", "What is the weight of the {n}?"),
        "Does the {n} weigh {v}?",
    ),
)
FIRM: Final = (
    Trait(
        "founded",
        between(1860, 2022),
        ("{n} was founded back in {v}.", "{n} was set up in {v}."),
        ("In what year was {n} founded?", "When was {n} set up?"),
        "Was {n} founded in {v}?",
        numeric=True,
    ),
    Trait(
        "founder",
        Chance.person,
        ("The first founder of {n} is {v}.", "{n} was founded long ago by {v}."),
        ("Who was the founder of {n}?", "By whom was {n} founded?"),
        "Was {n} founded by {v}?",
    ),
    Trait(
        "city",
        Chance.town,
        ("The head office of {n} is in {v}.", "{n} has its seat in {v}."),
        ("In what city is {n} based?", "Where is the head office of {n}?"),
        "Is {n} based in {v}?",
    ),
    Trait(
        "product",
        of(words.WARES),
        ("{n} now sells {v}.", "{n} sells {v} to other firms."),
        ("What does {n} sell now?", "What kind of goods does {n} sell?"),
        "Does {n} sell {v}?",
    ),
    Trait(
        "staff",
        between(6, 8000),
        ("{n} has {v} employees today.", "{n} now employs {v} people."),
        ("How many people does {n} have?", "How many people does {n} employ now?"),
        "Does {n} have {v} employees?",
        numeric=True,
    ),
    Trait(
        "director",
        Chance.person,
        ("The acting director of {n} is {v}.", "{n} is now led by {v}."),
        ("Who leads {n} now?", "Who is the acting director of {n}?"),
        "Is {n} led by {v}?",
    ),
)
TOWN: Final = (
    Trait(
        "mayor",
        Chance.person,
        ("The new mayor of {n} is {v}.", "{n} has a mayor called {v}."),
        ("Who is the new mayor of {n}?", "Who is now mayor of {n}?"),
        "Is {v} the mayor of {n}?",
    ),
    Trait(
        "people",
        between(300, 800_000),
        ("{n} has {v} inhabitants today.", "{v} people live in {n}."),
        ("How many people live in {n} today?", "How many people now live in {n}?"),
        "Does {n} have {v} inhabitants?",
        numeric=True,
    ),
    Trait(
        "river",
        Chance.coined,
        ("The deep river {v} flows through {n}.", "{n} lies on the old river {v}."),
        ("What river flows through {n}?", "Which deep river flows through {n}?"),
        "Does the river {v} flow through {n}?",
    ),
    Trait(
        "train",
        Chance.clock,
        ("The fast train to {n} leaves at {v}.", "The last train to {n} goes at {v}."),
        ("When does the fast train to {n} leave?", "At what time does the last train to {n} leave?"),
        "Does the train to {n} leave at {v}?",
    ),
    Trait(
        "festival",
        of(words.MONTHS),
        ("The big festival in {n} is in {v}.", "The festival of {n} is in {v}."),
        ("In which month is the festival of {n}?", "When is the big festival in {n}?"),
        "Is the festival in {n} in {v}?",
    ),
)
GATHERING: Final = (
    Trait(
        "start",
        Chance.clock,
        ("The {n} will begin at {v}.", "Doors open for the {n} at {v}."),
        ("At what time does the {n} start?", "What time does the {n} start?"),
        "Does the {n} start at {v}?",
    ),
    Trait(
        "date",
        day_of_month,
        ("The next {n} is on {v}.", "The {n} will be on {v}."),
        ("On what date is the {n}?", "When is the next {n}?"),
        "Is the {n} on {v}?",
    ),
    Trait(
        "place",
        Chance.town,
        ("This time the {n} is in {v}.", "The {n} is held in {v}."),
        ("Where will the {n} be?", "Where is the {n} held?"),
        "Is the {n} held in {v}?",
    ),
    Trait(
        "speaker",
        Chance.person,
        ("The main speaker at the {n} is {v}.", "{v} will speak again at the {n}."),
        ("Who is speaking at the {n}?", "Who will speak at this {n}?"),
        "Will {v} speak at the {n}?",
    ),
    Trait(
        "guests",
        between(12, 880),
        ("The {n} has {v} invited guests.", "{v} guests come to the {n}."),
        ("How many people come to the {n}?", "How many invited guests does the {n} have?"),
        "Does the {n} have {v} guests?",
        numeric=True,
    ),
)
KINDS: Final = (
    (Chance.person, PERSON, 10),
    (of(words.THINGS), THING, 4),
    (Chance.firm, FIRM, 4),
    (Chance.town, TOWN, 3),
    (of(words.GATHERINGS), GATHERING, 3),
)
"""Who or what a group of facts is about: how to name one, what can be said of it, how often it comes."""
