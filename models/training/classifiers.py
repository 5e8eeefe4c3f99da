"""Conversations that sort something: transfers by a rule, reviews by their words, sentences by topic."""

from collections.abc import Callable

import words
from contexts import capital, with_articles
from draw import Draw
from turns import Turn


def amounts(draw: Draw) -> tuple[list[int], str, Callable[[int], str]]:
    """Thresholds, a rule that states them, and the class of an amount."""
    limit = draw.choice((10, 50, 100, 200, 300, 500, 1000, 2000, 3000, 5000, 10000))
    unit = draw.choice(("", "", f" {draw.choice(words.TOKENS)}"))
    if draw.chance(0.25):
        upper = limit * draw.choice((5, 10))
        rule = draw.choice(
            (
                (
                    f"Amounts above {upper}{unit} are high risk, amounts above {limit}{unit} are medium risk, "
                    "all others are low risk."
                ),
                f"Rule: above {upper}{unit} is high, above {limit}{unit} is medium, otherwise low.",
            )
        )
        return [limit, upper], rule, lambda amount: "high" if amount > upper else "medium" if amount > limit else "low"
    rule = draw.choice(
        (
            f"Rule: an amount above {limit}{unit} is high risk, otherwise the risk is low.",
            f"Amounts above {limit}{unit} are high risk, all others are low risk.",
            f"An amount above {limit}{unit} is high.",
            f"If the amount is more than {limit}{unit}, the risk is high. If not, the risk is low.",
            f"Transfers of more than {limit}{unit} are high risk, others are low risk.",
            f"Rule: amount above {limit}{unit} is high, else low.",
        )
    )
    return [limit], rule, lambda amount: "high" if amount > limit else "low"


def risk(draw: Draw, turns: int) -> list[Turn]:
    """The risk of transfers by a rule about their amount or about the receiver."""
    if draw.chance(0.3):
        return _risk_by_receiver(draw, turns)
    limits, rule, classify = amounts(draw)
    result = []
    for index in range(turns):
        near = draw.choice(limits)
        amount = (
            int(draw.number(1, 99999))
            if draw.chance(0.4)
            else max(
                1,
                round(
                    near * draw.random.choice((0.1, 0.3, 0.5, 0.8, 0.9, 1.1, 1.2, 1.5, 2, 3, 6))
                    + draw.random.randint(0, 9)
                ),
            )
        )
        transfer = draw.choice(
            (
                f"{draw.address()} sent {amount} {draw.choice(words.TOKENS)} to {draw.address()}.",
                f"{draw.first_name()} sent {amount} {draw.choice(words.TOKENS)} to {draw.first_name()}.",
                f"Transfer of {amount} {draw.choice(words.TOKENS)} from {draw.address()} to {draw.address()}.",
            )
        )
        result.append(
            Turn(_risk_question(draw, rule if index == 0 else None, transfer), classify(amount), "risk class")
        )
    return result


def _risk_question(draw: Draw, rule: str | None, transfer: str) -> str:
    ask = draw.choice(
        (
            "What is the risk?",
            "What is the risk level?",
            "Risk?",
            "Is the risk high or low?",
            "Classify the risk.",
            "Which risk level is it?",
        )
    )
    if rule is None:
        return draw.choice(
            (
                f"Transaction: {transfer} {ask}",
                f"{transfer} {ask}",
                f"Next transaction: {transfer}",
                f"And this one? {transfer}",
            )
        )
    return draw.choice(
        (
            f"{rule}\nTransaction: {transfer}\n{ask}",
            f"{rule} {transfer} {ask}",
            f"Transaction: {transfer}\n{rule}\n{ask}",
            f"Classify the risk of this transaction: {transfer} {rule}",
            f"{rule}\n{transfer}\n{ask}",
        )
    )


def _risk_by_receiver(draw: Draw, turns: int) -> list[Turn]:
    bad, good = draw.choice(
        (
            ("new", "known"),
            ("unknown", "known"),
            ("unverified", "verified"),
            ("blocked", "trusted"),
            ("foreign", "local"),
        )
    )
    rule = draw.choice(
        (
            f"Rule: a transfer to a {bad} wallet is high risk, a transfer to a {good} wallet is low risk.",
            f"{capital(bad)} wallets are high risk, {good} wallets are low risk.",
        )
    )
    result = []
    for index in range(turns):
        high = draw.chance(0.5)
        sent = (
            f"{draw.choice((draw.address, draw.first_name))()} sent {draw.number(1, 99999)} {draw.choice(words.TOKENS)}"
        )
        transfer = f"{sent} to the {bad if high else good} wallet {draw.address()}."
        result.append(
            Turn(
                with_articles(_risk_question(draw, rule if index == 0 else None, transfer)),
                "high" if high else "low",
                "risk class",
            )
        )
    return result


def sentiment(draw: Draw, turns: int) -> list[Turn]:
    result = []
    for index in range(turns):
        good = draw.chance(0.5)
        word, thing = draw.choice(words.GOOD if good else words.BAD), draw.open(words.REVIEWED)
        text = draw.choice(
            (
                f"The {thing} was {word}.",
                f"What a {word} {thing}!",
                f"I found the {thing} {word}.",
                f"We had a {word} {thing} in {draw.city()}.",
                f"{draw.first_name()} says the {thing} is {word}.",
                f"A really {word} {thing}.",
                f"I {'loved' if good else 'hated'} the {thing}.",
                f"The {thing} in {draw.city()} was {word} and we {'will come back' if good else 'left early'}.",
                f"The {thing} was {word} and {draw.choice(words.GOOD if good else words.BAD)}.",
            )
        )
        ask = draw.choice(
            (
                "Is this review positive or negative?",
                "Positive or negative?",
                "What is the sentiment?",
                "Classify the sentiment as positive or negative.",
                "Is the sentiment positive or negative?",
                "Sentiment?",
            )
        )
        user = (
            draw.choice((f"{ask} {text}", f"{text} {ask}", f"Review: {text}\n{ask}", f"{ask}\n{text}"))
            if index == 0 or draw.chance(0.5)
            else draw.choice((f"And this? {text}", text))
        )
        result.append(Turn(with_articles(user), "positive" if good else "negative", "sentiment"))
    return result


def topic(draw: Draw, turns: int) -> list[Turn]:
    result = []
    for _ in range(turns):
        options = draw.random.sample(list(words.TOPICS), draw.random.randint(2, 4))
        answer = draw.choice(options)
        one, two = draw.random.sample(words.TOPICS[answer], 2)
        text = draw.choice(
            (
                f"{draw.first_name()} read about the {one} and the {two}.",
                f"They talked about the {one} and the {two} all day.",
                f"The {one} was discussed before the {two}.",
                f"In {draw.city()} there was news about the {one} and the {two}.",
                f"We saw the {one}, then the {two}.",
            )
        )
        listed = ", ".join(options[:-1]) + " or " + options[-1]
        result.append(
            Turn(
                draw.choice(
                    (
                        f"Which topic is it, {listed}? {text}",
                        f"{text} Is this about {listed}?",
                        f"Classify the text as {listed}: {text}",
                        f"Topics: {', '.join(options)}. Text: {text} Which topic?",
                        f"{text}\nTopic: {listed}?",
                    )
                ),
                answer,
                "topic",
            )
        )
    return result


CLASSIFIERS = {"risk class": risk, "sentiment": sentiment, "topic": topic}
