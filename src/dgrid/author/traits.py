"""What the author's texts can say of a person, a thing, a firm, a town or a gathering, and how each is asked for.

The wordings are those of the facts that the built-in models were made for (`models/training/relations.py`), as the
traffic of these models is about them: whatever canaries alone said, or never did, would tell them. In every wording
`{n}` is the subject and `{v}` the value; a `check` is the question that only yes or no answers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dgrid.author import words
from dgrid.author.chance import Chance


@dataclass(frozen=True, slots=True)
class Trait:
    """One thing that can be said. `key` is its name in JSON, `whole` the answer as a sentence; a `numeric` value is a
    whole number in JSON.
    """

    key: str
    value: Callable[[Chance], str]
    said: tuple[str, ...]
    asked: tuple[str, ...]
    whole: str
    check: str
    numeric: bool = False


def of(items: tuple[str, ...]) -> Callable[[Chance], str]:
    """A value from a list."""
    return lambda chance: chance.one(items)


def between(low: int, high: int, *, unit: str = "") -> Callable[[Chance], str]:
    """A whole number as a value, with its unit."""
    return lambda chance: f"{chance.number(low, high)}{unit}"


def day_of_month(chance: Chance) -> str:
    return f"{chance.one(words.MONTHS)} {chance.number(1, 28)}"


def price(chance: Chance) -> str:
    return f"{chance.number(2, 999)} {chance.one(('coins', 'euros', 'dollars'))}"


def pet(chance: Chance) -> str:
    return f"{chance.one(words.COLOURS)} {chance.one(words.PETS)}"


def mailbox(chance: Chance) -> str:
    return f"{chance.first_name().lower()}@{chance.coined().lower()}.{chance.one(('com', 'org', 'net'))}"


# fmt: off
PERSON: Final = (
    Trait("city", Chance.town,
          ("{n} lives in {v}.", "{n} has a home in {v}.", "The home of {n} is in {v}.", "{n} now lives in {v}."),
          ("Where does {n} live?", "In which city does {n} live?", "Which city does {n} live in?"),
          "{n} lives in {v}.", "Does {n} live in {v}?"),
    Trait("job", of(words.TRADES),
          ("{n} works as a {v}.", "{n} is a {v}.", "The job of {n} is {v}."),
          ("What is the job of {n}?", "What does {n} work as?", "What is {n}'s job?", "What does {n} do for work?"),
          "{n} works as a {v}.", "Is {n} a {v}?"),
    Trait("food", of(words.DISHES),
          ("{n} likes {v}.", "{n} enjoys {v}.", "{n} loves {v}.", "{n} likes to eat {v}."),
          ("What does {n} like?", "Which food does {n} like?", "What does {n} like to eat?"),
          "{n} likes {v}.", "Does {n} like {v}?"),
    Trait("drink", of(words.DRINKS),
          ("{n} drinks {v} every day.", "{n} drinks {v} in the morning."),
          ("What does {n} drink?", "Which drink does {n} have?"),
          "{n} drinks {v}.", "Does {n} drink {v}?"),
    Trait("pet", pet,
          ("{n} has a {v}.", "{n} owns a {v}."),
          ("Which pet does {n} have?", "What animal does {n} have?", "What pet does {n} own?"),
          "{n} has a {v}.", "Does {n} have a {v}?"),
    Trait("instrument", of(words.INSTRUMENTS),
          ("{n} plays the {v}.", "{n} can play the {v}."),
          ("Which instrument does {n} play?", "What instrument does {n} play?"),
          "{n} plays the {v}.", "Does {n} play the {v}?"),
    Trait("hobby", of(words.PASTIMES),
          ("The hobby of {n} is {v}.", "{n} spends every weekend {v}."),
          ("What is the hobby of {n}?", "What is {n}'s hobby?", "Which hobby does {n} have?"),
          "The hobby of {n} is {v}.", "Is {v} the hobby of {n}?"),
    Trait("day", of(words.WEEKDAYS),
          ("{n} arrives on {v}.", "{n} will come on {v}.", "{n} will arrive on {v}."),
          ("When does {n} arrive?", "On which day does {n} arrive?", "When will {n} come?"),
          "{n} arrives on {v}.", "Does {n} arrive on {v}?"),
    Trait("born", between(1900, 2015),
          ("{n} was born in {v}.", "{n} was born in the year {v}."),
          ("When was {n} born?", "In which year was {n} born?", "What year was {n} born in?"),
          "{n} was born in {v}.", "Was {n} born in {v}?", numeric=True),
    Trait("age", between(8, 95),
          ("{n} is {v} years old.", "{n} is now {v} years old."),
          ("How old is {n}?", "What is the age of {n}?", "What is {n}'s age?"),
          "{n} is {v} years old.", "Is {n} {v} years old?", numeric=True),
    Trait("friend", Chance.person,
          ("{n} is a friend of {v}.", "The best friend of {n} is {v}.", "{n} has a friend called {v}."),
          ("Who is the friend of {n}?", "Who is {n}'s friend?"),
          "The friend of {n} is {v}.", "Is {v} the friend of {n}?"),
    Trait("brother", Chance.person,
          ("{n} has a brother called {v}.", "The brother of {n} is {v}."),
          ("Who is the brother of {n}?", "What is the name of {n}'s brother?"),
          "The brother of {n} is {v}.", "Is {v} the brother of {n}?"),
    Trait("company", Chance.firm,
          ("{n} works for {v}.", "{n} works at {v}.", "The employer of {n} is {v}."),
          ("Which company does {n} work for?", "Where does {n} work?", "Who does {n} work for?"),
          "{n} works for {v}.", "Does {n} work for {v}?"),
    Trait("language", of(words.LANGUAGES),
          ("{n} speaks {v}.", "{n} can speak {v}.", "{n} is learning {v}."),
          ("Which language does {n} speak?", "What language does {n} speak?"),
          "{n} speaks {v}.", "Does {n} speak {v}?"),
    Trait("sport", of(words.SPORTS),
          ("{n} plays {v}.", "{n} trains {v} after work."),
          ("Which sport does {n} play?", "What sport does {n} play?"),
          "{n} plays {v}.", "Does {n} play {v}?"),
    Trait("transport", of(words.VEHICLES),
          ("{n} travels by {v}.", "{n} goes to work by {v}."),
          ("How does {n} travel?", "How does {n} go to work?"),
          "{n} travels by {v}.", "Does {n} travel by {v}?"),
    Trait("email", mailbox,
          ("The email of {n} is {v}.", "{n} can be reached at {v}."),
          ("What is the email of {n}?", "What is {n}'s email?"),
          "The email of {n} is {v}.", "Is {v} the email of {n}?"),
    Trait("phone", between(10_000, 9_999_999),
          ("The phone number of {n} is {v}.", "{n} has the phone number {v}."),
          ("What is the phone number of {n}?", "What is {n}'s phone number?"),
          "The phone number of {n} is {v}.", "Is {v} the phone number of {n}?"),
)
THING: Final = (
    Trait("color", of(words.COLOURS),
          ("The {n} is {v}.", "The colour of the {n} is {v}.", "The {n} was painted {v}."),
          ("What colour is the {n}?", "What color is the {n}?", "Which colour does the {n} have?"),
          "The {n} is {v}.", "Is the {n} {v}?"),
    Trait("price", price,
          ("The {n} costs {v}.", "The price of the {n} is {v}.", "The {n} was sold for {v}."),
          ("How much is the {n}?", "What does the {n} cost?", "What is the price of the {n}?",
           "How much does the {n} cost?"),
          "The {n} costs {v}.", "Does the {n} cost {v}?"),
    Trait("room", of(words.ROOMS),
          ("The {n} is in the {v}.", "The {n} stands in the {v}.", "The {n} was left in the {v}."),
          ("Where is the {n}?", "In which room is the {n}?"),
          "The {n} is in the {v}.", "Is the {n} in the {v}?"),
    Trait("material", of(words.SUBSTANCES),
          ("The {n} is made of {v}.",),
          ("What is the {n} made of?", "Which material is the {n} made of?"),
          "The {n} is made of {v}.", "Is the {n} made of {v}?"),
    Trait("owner", Chance.person,
          ("The {n} belongs to {v}.", "The owner of the {n} is {v}."),
          ("Who owns the {n}?", "Who is the owner of the {n}?", "Whose is the {n}?"),
          "The {n} belongs to {v}.", "Does the {n} belong to {v}?"),
    Trait("weight", between(2, 90, unit=" kilos"),
          ("The {n} weighs {v}.", "The weight of the {n} is {v}."),
          ("How heavy is the {n}?", "What does the {n} weigh?"),
          "The {n} weighs {v}.", "Does the {n} weigh {v}?"),
)
FIRM: Final = (
    Trait("founded", between(1850, 2024),
          ("{n} was founded in {v}.", "{n} was started in {v}."),
          ("When was {n} founded?", "In which year was {n} founded?"),
          "{n} was founded in {v}.", "Was {n} founded in {v}?", numeric=True),
    Trait("founder", Chance.person,
          ("{n} was founded by {v}.", "The founder of {n} is {v}."),
          ("Who founded {n}?", "Who is the founder of {n}?"),
          "{n} was founded by {v}.", "Was {n} founded by {v}?"),
    Trait("city", Chance.town,
          ("{n} is based in {v}.", "The main office of {n} is in {v}."),
          ("Where is {n} based?", "In which city is {n} based?", "Where is the main office of {n}?"),
          "{n} is based in {v}.", "Is {n} based in {v}?"),
    Trait("product", of(words.WARES),
          ("{n} sells {v}.", "{n} makes {v}.", "{n} produces {v}."),
          ("What does {n} sell?", "What does {n} make?", "What does {n} produce?"),
          "{n} sells {v}.", "Does {n} sell {v}?"),
    Trait("staff", between(5, 9000),
          ("{n} has {v} employees.", "{n} employs {v} people."),
          ("How many employees does {n} have?", "How many people does {n} employ?", "How many people work for {n}?"),
          "{n} has {v} employees.", "Does {n} have {v} employees?", numeric=True),
    Trait("director", Chance.person,
          ("{n} is led by {v}.", "The director of {n} is {v}."),
          ("Who leads {n}?", "Who is the director of {n}?"),
          "{n} is led by {v}.", "Is {n} led by {v}?"),
)
TOWN: Final = (
    Trait("mayor", Chance.person,
          ("The mayor of {n} is {v}.", "{n} has a new mayor, {v}."),
          ("Who is the mayor of {n}?",),
          "The mayor of {n} is {v}.", "Is {v} the mayor of {n}?"),
    Trait("people", between(200, 900_000),
          ("{n} has {v} inhabitants.", "About {v} people live in {n}."),
          ("How many people live in {n}?", "How many inhabitants does {n} have?"),
          "{n} has {v} inhabitants.", "Does {n} have {v} inhabitants?", numeric=True),
    Trait("river", Chance.coined,
          ("The river {v} flows through {n}.", "{n} lies on the river {v}."),
          ("Which river flows through {n}?", "What is the river in {n} called?"),
          "The river {v} flows through {n}.", "Does the river {v} flow through {n}?"),
    Trait("train", Chance.clock,
          ("The train to {n} leaves at {v}.",),
          ("When does the train to {n} leave?", "At what time does the train to {n} leave?"),
          "The train to {n} leaves at {v}.", "Does the train to {n} leave at {v}?"),
    Trait("festival", of(words.MONTHS),
          ("The festival in {n} takes place in {v}.", "{n} holds a festival in {v}."),
          ("When is the festival in {n}?", "In which month is the festival in {n}?"),
          "The festival in {n} takes place in {v}.", "Is the festival in {n} in {v}?"),
)
GATHERING: Final = (
    Trait("start", Chance.clock,
          ("The {n} starts at {v}.", "The {n} begins at {v}."),
          ("When does the {n} start?", "At what time does the {n} begin?"),
          "The {n} starts at {v}.", "Does the {n} start at {v}?"),
    Trait("date", day_of_month,
          ("The {n} is on {v}.", "The {n} takes place on {v}."),
          ("On which date is the {n}?", "What is the date of the {n}?"),
          "The {n} is on {v}.", "Is the {n} on {v}?"),
    Trait("place", Chance.town,
          ("The {n} will be held in {v}.", "The {n} takes place in {v}."),
          ("Where will the {n} be held?", "Where does the {n} take place?"),
          "The {n} will be held in {v}.", "Will the {n} be held in {v}?"),
    Trait("speaker", Chance.person,
          ("The speaker at the {n} is {v}.", "{v} will speak at the {n}."),
          ("Who will speak at the {n}?", "Who is the speaker at the {n}?"),
          "{v} will speak at the {n}.", "Will {v} speak at the {n}?"),
    Trait("guests", between(10, 900),
          ("The {n} has {v} guests.", "{v} people will come to the {n}."),
          ("How many people will come to the {n}?", "How many guests does the {n} have?"),
          "The {n} has {v} guests.", "Does the {n} have {v} guests?", numeric=True),
)
# fmt: on
KINDS: Final = (
    (Chance.person, PERSON, 10),
    (of(words.THINGS), THING, 4),
    (Chance.firm, FIRM, 3),
    (Chance.town, TOWN, 2),
    (of(words.GATHERINGS), GATHERING, 2),
)
"""Who or what a group of facts is about: how to name one, what can be said of it, how often it comes."""
