"""Facts that a text can state: how each is written, asked for, and answered.

A template uses ``{n}`` for the subject and ``{v}`` for the value. A statement starting with ``{n} `` may have its
subject replaced by a pronoun.
"""

from collections.abc import Callable
from dataclasses import dataclass

import words
from draw import Draw

Value = Callable[[Draw], str]


@dataclass(frozen=True, slots=True)
class Relation:
    """One kind of fact; ``check`` is the yes/no question, ``sentence`` the full answer."""

    key: str
    value: Value
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    sentence: str
    check: str
    numeric: bool = False


def coloured_pet(draw: Draw) -> str:
    return f"{draw.choice(words.COLORS)} {draw.open(words.PETS)}"


def email(draw: Draw) -> str:
    return f"{draw.first_name().lower()}@{draw.invented().lower()}.{draw.choice(['com', 'org', 'net'])}"


def clock_time(draw: Draw) -> str:
    return f"{draw.number(1, 23)}:{draw.choice(['00', '15', '30', '45', '10', '20', '40', '05'])}"


PERSON = (
    Relation(
        "city",
        Draw.city,
        ("{n} lives in {v}.", "{n} has a home in {v}.", "The home of {n} is in {v}.", "{n} now lives in {v}."),
        ("Where does {n} live?", "In which city does {n} live?", "Which city does {n} live in?"),
        "{n} lives in {v}.",
        "Does {n} live in {v}?",
    ),
    Relation(
        "job",
        lambda d: d.open(words.JOBS),
        ("{n} works as a {v}.", "{n} is a {v}.", "The job of {n} is {v}."),
        ("What is the job of {n}?", "What does {n} work as?", "What is {n}'s job?", "What does {n} do for work?"),
        "{n} works as a {v}.",
        "Is {n} a {v}?",
    ),
    Relation(
        "food",
        lambda d: d.open(words.FOODS),
        ("{n} likes {v}.", "{n} enjoys {v}.", "{n} loves {v}.", "{n} likes to eat {v}."),
        ("What does {n} like?", "Which food does {n} like?", "What does {n} like to eat?"),
        "{n} likes {v}.",
        "Does {n} like {v}?",
    ),
    Relation(
        "drink",
        lambda d: d.open(words.DRINKS),
        ("{n} drinks {v} every day.", "{n} drinks {v} in the morning."),
        ("What does {n} drink?", "Which drink does {n} have?"),
        "{n} drinks {v}.",
        "Does {n} drink {v}?",
    ),
    Relation(
        "pet",
        coloured_pet,
        ("{n} has a {v}.", "{n} owns a {v}."),
        ("Which pet does {n} have?", "What animal does {n} have?", "What pet does {n} own?"),
        "{n} has a {v}.",
        "Does {n} have a {v}?",
    ),
    Relation(
        "instrument",
        lambda d: d.open(words.INSTRUMENTS),
        ("{n} plays the {v}.", "{n} can play the {v}."),
        ("Which instrument does {n} play?", "What instrument does {n} play?"),
        "{n} plays the {v}.",
        "Does {n} play the {v}?",
    ),
    Relation(
        "hobby",
        lambda d: d.open(words.HOBBIES),
        ("The hobby of {n} is {v}.", "{n} spends every weekend {v}."),
        ("What is the hobby of {n}?", "What is {n}'s hobby?", "Which hobby does {n} have?"),
        "The hobby of {n} is {v}.",
        "Is {v} the hobby of {n}?",
    ),
    Relation(
        "day",
        lambda d: d.choice(words.DAYS),
        ("{n} arrives on {v}.", "{n} will come on {v}.", "{n} will arrive on {v}."),
        ("When does {n} arrive?", "On which day does {n} arrive?", "When will {n} come?"),
        "{n} arrives on {v}.",
        "Does {n} arrive on {v}?",
    ),
    Relation(
        "born",
        lambda d: d.number(1900, 2015),
        ("{n} was born in {v}.", "{n} was born in the year {v}."),
        ("When was {n} born?", "In which year was {n} born?", "What year was {n} born in?"),
        "{n} was born in {v}.",
        "Was {n} born in {v}?",
        numeric=True,
    ),
    Relation(
        "age",
        lambda d: d.number(8, 95),
        ("{n} is {v} years old.", "{n} is now {v} years old."),
        ("How old is {n}?", "What is the age of {n}?", "What is {n}'s age?"),
        "{n} is {v} years old.",
        "Is {n} {v} years old?",
        numeric=True,
    ),
    Relation(
        "friend",
        Draw.person,
        ("{n} is a friend of {v}.", "The best friend of {n} is {v}.", "{n} has a friend called {v}."),
        ("Who is the friend of {n}?", "Who is {n}'s friend?"),
        "The friend of {n} is {v}.",
        "Is {v} the friend of {n}?",
    ),
    Relation(
        "brother",
        Draw.person,
        ("{n} has a brother called {v}.", "The brother of {n} is {v}."),
        ("Who is the brother of {n}?", "What is the name of {n}'s brother?"),
        "The brother of {n} is {v}.",
        "Is {v} the brother of {n}?",
    ),
    Relation(
        "company",
        Draw.company,
        ("{n} works for {v}.", "{n} works at {v}.", "The employer of {n} is {v}."),
        ("Which company does {n} work for?", "Where does {n} work?", "Who does {n} work for?"),
        "{n} works for {v}.",
        "Does {n} work for {v}?",
    ),
    Relation(
        "language",
        lambda d: d.open(words.LANGUAGES),
        ("{n} speaks {v}.", "{n} can speak {v}.", "{n} is learning {v}."),
        ("Which language does {n} speak?", "What language does {n} speak?"),
        "{n} speaks {v}.",
        "Does {n} speak {v}?",
    ),
    Relation(
        "sport",
        lambda d: d.open(words.SPORTS),
        ("{n} plays {v}.", "{n} trains {v} after work."),
        ("Which sport does {n} play?", "What sport does {n} play?"),
        "{n} plays {v}.",
        "Does {n} play {v}?",
    ),
    Relation(
        "transport",
        lambda d: d.open(words.VEHICLES),
        ("{n} travels by {v}.", "{n} goes to work by {v}."),
        ("How does {n} travel?", "How does {n} go to work?"),
        "{n} travels by {v}.",
        "Does {n} travel by {v}?",
    ),
    Relation(
        "email",
        email,
        ("The email of {n} is {v}.", "{n} can be reached at {v}."),
        ("What is the email of {n}?", "What is {n}'s email?"),
        "The email of {n} is {v}.",
        "Is {v} the email of {n}?",
    ),
    Relation(
        "phone",
        lambda d: d.number(10000, 9999999),
        ("The phone number of {n} is {v}.", "{n} has the phone number {v}."),
        ("What is the phone number of {n}?", "What is {n}'s phone number?"),
        "The phone number of {n} is {v}.",
        "Is {v} the phone number of {n}?",
    ),
)

OBJECT = (
    Relation(
        "color",
        lambda d: d.choice(words.COLORS),
        ("The {n} is {v}.", "The colour of the {n} is {v}.", "The {n} was painted {v}."),
        ("What colour is the {n}?", "What color is the {n}?", "Which colour does the {n} have?"),
        "The {n} is {v}.",
        "Is the {n} {v}?",
    ),
    Relation(
        "price",
        lambda d: d.number(2, 999) + " " + d.choice(["coins", "euros", "dollars"]),
        ("The {n} costs {v}.", "The price of the {n} is {v}.", "The {n} was sold for {v}."),
        (
            "How much is the {n}?",
            "What does the {n} cost?",
            "What is the price of the {n}?",
            "How much does the {n} cost?",
        ),
        "The {n} costs {v}.",
        "Does the {n} cost {v}?",
    ),
    Relation(
        "room",
        lambda d: d.open(words.ROOMS),
        ("The {n} is in the {v}.", "The {n} stands in the {v}.", "The {n} was left in the {v}."),
        ("Where is the {n}?", "In which room is the {n}?"),
        "The {n} is in the {v}.",
        "Is the {n} in the {v}?",
    ),
    Relation(
        "material",
        lambda d: d.open(words.MATERIALS),
        ("The {n} is made of {v}.",),
        ("What is the {n} made of?", "Which material is the {n} made of?"),
        "The {n} is made of {v}.",
        "Is the {n} made of {v}?",
    ),
    Relation(
        "owner",
        Draw.person,
        ("The {n} belongs to {v}.", "The owner of the {n} is {v}."),
        ("Who owns the {n}?", "Who is the owner of the {n}?", "Whose is the {n}?"),
        "The {n} belongs to {v}.",
        "Does the {n} belong to {v}?",
    ),
    Relation(
        "weight",
        lambda d: d.number(2, 90) + " kilos",
        ("The {n} weighs {v}.", "The weight of the {n} is {v}."),
        ("How heavy is the {n}?", "What does the {n} weigh?"),
        "The {n} weighs {v}.",
        "Does the {n} weigh {v}?",
    ),
)

COMPANY = (
    Relation(
        "founded",
        lambda d: d.number(1850, 2024),
        ("{n} was founded in {v}.", "{n} was started in {v}."),
        ("When was {n} founded?", "In which year was {n} founded?"),
        "{n} was founded in {v}.",
        "Was {n} founded in {v}?",
        numeric=True,
    ),
    Relation(
        "founder",
        Draw.person,
        ("{n} was founded by {v}.", "The founder of {n} is {v}."),
        ("Who founded {n}?", "Who is the founder of {n}?"),
        "{n} was founded by {v}.",
        "Was {n} founded by {v}?",
    ),
    Relation(
        "city",
        Draw.city,
        ("{n} is based in {v}.", "The main office of {n} is in {v}."),
        ("Where is {n} based?", "In which city is {n} based?", "Where is the main office of {n}?"),
        "{n} is based in {v}.",
        "Is {n} based in {v}?",
    ),
    Relation(
        "product",
        lambda d: d.open(words.PRODUCTS),
        ("{n} sells {v}.", "{n} makes {v}.", "{n} produces {v}."),
        ("What does {n} sell?", "What does {n} make?", "What does {n} produce?"),
        "{n} sells {v}.",
        "Does {n} sell {v}?",
    ),
    Relation(
        "staff",
        lambda d: d.number(5, 9000),
        ("{n} has {v} employees.", "{n} employs {v} people."),
        ("How many employees does {n} have?", "How many people does {n} employ?", "How many people work for {n}?"),
        "{n} has {v} employees.",
        "Does {n} have {v} employees?",
        numeric=True,
    ),
    Relation(
        "director",
        Draw.person,
        ("{n} is led by {v}.", "The director of {n} is {v}."),
        ("Who leads {n}?", "Who is the director of {n}?"),
        "{n} is led by {v}.",
        "Is {n} led by {v}?",
    ),
)

TOWN = (
    Relation(
        "mayor",
        Draw.person,
        ("The mayor of {n} is {v}.", "{n} has a new mayor, {v}."),
        ("Who is the mayor of {n}?",),
        "The mayor of {n} is {v}.",
        "Is {v} the mayor of {n}?",
    ),
    Relation(
        "people",
        lambda d: d.number(200, 900000),
        ("{n} has {v} inhabitants.", "About {v} people live in {n}."),
        ("How many people live in {n}?", "How many inhabitants does {n} have?"),
        "{n} has {v} inhabitants.",
        "Does {n} have {v} inhabitants?",
        numeric=True,
    ),
    Relation(
        "river",
        Draw.invented,
        ("The river {v} flows through {n}.", "{n} lies on the river {v}."),
        ("Which river flows through {n}?", "What is the river in {n} called?"),
        "The river {v} flows through {n}.",
        "Does the river {v} flow through {n}?",
    ),
    Relation(
        "train",
        clock_time,
        ("The train to {n} leaves at {v}.",),
        ("When does the train to {n} leave?", "At what time does the train to {n} leave?"),
        "The train to {n} leaves at {v}.",
        "Does the train to {n} leave at {v}?",
    ),
    Relation(
        "festival",
        lambda d: d.choice(words.MONTHS),
        ("The festival in {n} takes place in {v}.", "{n} holds a festival in {v}."),
        ("When is the festival in {n}?", "In which month is the festival in {n}?"),
        "The festival in {n} takes place in {v}.",
        "Is the festival in {n} in {v}?",
    ),
)

EVENT = (
    Relation(
        "start",
        clock_time,
        ("The {n} starts at {v}.", "The {n} begins at {v}."),
        ("When does the {n} start?", "At what time does the {n} begin?"),
        "The {n} starts at {v}.",
        "Does the {n} start at {v}?",
    ),
    Relation(
        "date",
        lambda d: f"{d.choice(words.MONTHS)} {d.number(1, 28)}",
        ("The {n} is on {v}.", "The {n} takes place on {v}."),
        ("On which date is the {n}?", "What is the date of the {n}?", "When is the {n}?"),
        "The {n} is on {v}.",
        "Is the {n} on {v}?",
    ),
    Relation(
        "place",
        Draw.city,
        ("The {n} will be held in {v}.", "The {n} takes place in {v}."),
        ("Where will the {n} be held?", "Where does the {n} take place?"),
        "The {n} will be held in {v}.",
        "Will the {n} be held in {v}?",
    ),
    Relation(
        "speaker",
        Draw.person,
        ("The speaker at the {n} is {v}.", "{v} will speak at the {n}."),
        ("Who will speak at the {n}?", "Who is the speaker at the {n}?"),
        "{v} will speak at the {n}.",
        "Will {v} speak at the {n}?",
    ),
    Relation(
        "guests",
        lambda d: d.number(10, 900),
        ("The {n} has {v} guests.", "{v} people will come to the {n}."),
        ("How many people will come to the {n}?", "How many guests does the {n} have?"),
        "The {n} has {v} guests.",
        "Does the {n} have {v} guests?",
        numeric=True,
    ),
)
EVENT_NAMES = [
    "meeting",
    "concert",
    "workshop",
    "party",
    "conference",
    "lecture",
    "match",
    "race",
    "wedding",
    "course",
    "exam",
    "dinner",
]
