"""Tasks that sort something: a transfer by a rule, a review by its words, a sentence by its topic."""

from typing import Final

from dgrid.author import words
from dgrid.author.chance import Chance
from dgrid.author.questions import Task
from dgrid.author.texts import capital, with_articles
from dgrid.wire.quality import TaskType

LIMITS: Final = (10, 50, 100, 200, 300, 500, 1_000, 2_000, 3_000, 5_000, 10_000)
NEAR: Final = (1, 3, 5, 8, 9, 11, 12, 15, 20, 30, 60)  # tenths of a limit
RULES: Final = (
    "Rule: an amount above {l} is high risk, otherwise the risk is low.",
    "Amounts above {l} are high risk, all others are low risk.", "An amount above {l} is high.",
    "If the amount is more than {l}, the risk is high. If not, the risk is low.",
    "Transfers of more than {l} are high risk, others are low risk.", "Rule: amount above {l} is high, else low.",
)  # fmt: skip
STEPS: Final = (
    "Amounts above {u} are high risk, amounts above {l} are medium risk, all others are low risk.",
    "Rule: above {u} is high, above {l} is medium, otherwise low.",
)
RECEIVERS: Final = (
    ("new", "known"), ("unknown", "known"), ("unverified", "verified"), ("blocked", "trusted"), ("foreign", "local"),
)  # fmt: skip
RECEIVER_RULES: Final = (
    "Rule: a transfer to a {b} wallet is high risk, a transfer to a {g} wallet is low risk.",
    "{B} wallets are high risk, {g} wallets are low risk.",
)
RISK_ASKED: Final = (
    "What is the risk?", "What is the risk level?", "Risk?", "Is the risk high or low?", "Classify the risk.",
    "Which risk level is it?",
)  # fmt: skip
RISK_LAYOUTS: Final = (
    "{rule}\nTransaction: {t}\n{q}", "{rule} {t} {q}", "Transaction: {t}\n{rule}\n{q}",
    "Classify the risk of this transaction: {t} {rule}", "{rule}\n{t}\n{q}",
)  # fmt: skip
REVIEWS: Final = (
    "The {t} was {w}.", "What a {w} {t}!", "I found the {t} {w}.", "We had a {w} {t} in {c}.",
    "{p} says the {t} is {w}.", "A really {w} {t}.", "I {felt} the {t}.", "The {t} in {c} was {w} and we {left}.",
    "The {t} was {w} and {x}.",
)  # fmt: skip
MOOD_ASKED: Final = (
    "Is this review positive or negative?", "Positive or negative?", "What is the sentiment?",
    "Classify the sentiment as positive or negative.", "Is the sentiment positive or negative?", "Sentiment?",
)  # fmt: skip
NEWS: Final = (
    "{p} read about the {a} and the {b}.", "They talked about the {a} and the {b} all day.",
    "The {a} was discussed before the {b}.", "In {c} there was news about the {a} and the {b}.",
    "We saw the {a}, then the {b}.",
)  # fmt: skip
TOPIC_ASKED: Final = (
    "Which topic is it, {o}? {t}", "{t} Is this about {o}?", "Classify the text as {o}: {t}",
    "Topics: {l}. Text: {t} Which topic?", "{t}\nTopic: {o}?",
)  # fmt: skip


def risk(chance: Chance) -> Task:
    """A transfer sorted by a rule that comes with it: by its amount, or by who receives it."""
    rule, transfer, answer = _by_receiver(chance) if chance.maybe(30) else _by_amount(chance)
    layout = chance.one(RISK_LAYOUTS).replace("{rule}", rule).replace("{q}", chance.one(RISK_ASKED))
    return Task(TaskType.CHOICE, transfer, layout, answer)


def _by_amount(chance: Chance) -> tuple[str, str, str]:
    limit, unit = chance.one(LIMITS), chance.one(("", "", f" {chance.one(words.COINS)}"))
    limits = (limit, limit * chance.one((5, 10))) if chance.maybe(25) else (limit,)
    rule = chance.one(STEPS if len(limits) > 1 else RULES).format(l=f"{limit}{unit}", u=f"{limits[-1]}{unit}")
    near = max(1, chance.one(limits) * chance.one(NEAR) // 10 + chance.whole(0, 9))
    amount = int(chance.number(1, 99_999)) if chance.maybe(40) else near
    sent = f"{amount} {unit.strip() or chance.one(words.COINS)}"
    transfer = chance.one((
        f"{chance.wallet()} sent {sent} to {chance.wallet()}.",
        f"{chance.first_name()} sent {sent} to {chance.first_name()}.",
        f"Transfer of {sent} from {chance.wallet()} to {chance.wallet()}.",
    ))  # fmt: skip
    return rule, transfer, "high" if amount > limits[-1] else "medium" if amount > limit else "low"


def _by_receiver(chance: Chance) -> tuple[str, str, str]:
    (bad, good), high = chance.one(RECEIVERS), chance.maybe(50)
    rule = with_articles(chance.one(RECEIVER_RULES).format(b=bad, B=capital(bad), g=good))
    sender = chance.wallet() if chance.maybe(50) else chance.first_name()
    sent = f"{sender} sent {chance.number(1, 99_999)} {chance.one(words.COINS)}"
    return rule, f"{sent} to the {bad if high else good} wallet {chance.wallet()}.", "high" if high else "low"


def mood(chance: Chance) -> Task:
    """Whether a review is a good one."""
    good = chance.maybe(50)
    word, again = chance.some(words.PRAISE if good else words.BLAME, 2)
    said = chance.one(REVIEWS).format(
        t=chance.one(words.REVIEWED), w=word, x=again, c=chance.town(), p=chance.first_name(),
        felt="loved" if good else "hated", left="will come back" if good else "left early",
    )  # fmt: skip
    layout = chance.one(("{q} {t}", "{t} {q}", "Review: {t}\n{q}", "{q}\n{t}"))
    question = layout.replace("{q}", chance.one(MOOD_ASKED))
    return Task(TaskType.CHOICE, with_articles(said), question, "positive" if good else "negative")


def subject_matter(chance: Chance) -> Task:
    """Which of some topics a sentence is about."""
    options = chance.some(tuple(words.TOPICS), chance.whole(2, 4))
    answer = chance.one(options)
    elsewhere = {word for topic in options if topic != answer for word in words.TOPICS[topic]}
    one, two = chance.some([word for word in words.TOPICS[answer] if word not in elsewhere], 2)
    said = chance.one(NEWS).format(a=one, b=two, c=chance.town(), p=chance.first_name())
    listed = ", ".join(options[:-1]) + " or " + options[-1]
    question = chance.one(TOPIC_ASKED).replace("{o}", listed).replace("{l}", ", ".join(options))
    return Task(TaskType.CHOICE, said, question, answer)
