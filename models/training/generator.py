"""Synthetic conversations: every training text of the built-in models comes from here.

``conversation(draw, progress)`` returns a conversation; ``progress`` (0 at the start of training, 1 at its end) makes
texts longer and the auxiliary copying task rarer. ``item(draw, task)`` returns a conversation of one turn, for
evaluation.
"""

import random
from collections.abc import Callable, Iterable

import words
from classifiers import CLASSIFIERS, risk, sentiment, topic
from contexts import CUES, action, context, plan, subject_facts
from draw import Draw
from out_of_scope import out_of_scope
from questions import QUESTIONS, Asked, inside, question
from small_talk import TEXT_ONLY, small_talk
from turns import Conversation, Turn

SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are a helpful assistant. Answer briefly.",
    "You are DGrid's assistant.",
    "Answer the questions of the user.",
    "You are a careful assistant who answers from the text.",
    "Be concise.",
    "You are an AI assistant.",
    "Answer only from the given text.",
    "Follow the instructions of the user.",
)
LAYOUTS = (
    ("{t}\n{q}", 24),
    ("{t} {q}", 24),
    ("{t}\n\n{q}", 14),
    ("Text: {t}\nQuestion: {q}", 12),
    ("Context: {t}\n\nQuestion: {q}", 6),
    ("Context: {t}\nQuestion: {q}\nAnswer:", 4),
    ("{q}\n\n{t}", 4),
    ("{q}\nText: {t}", 5),
    ("Read this text: {t}\n{q}", 4),
    ('Here is a text: "{t}"\n{q}', 3),
    ("Text: {t}\n{q}", 6),
)


def laid_out(draw: Draw, text: str, asked: str) -> str:
    layout = draw.random.choices([layout for layout, _ in LAYOUTS], [weight for _, weight in LAYOUTS])[0]
    return layout.replace("{t}", text).replace("{q}", asked)


def about_text(draw: Draw, progress: float) -> Conversation:
    """A text and several questions about it."""
    size = draw.random.randint(2, 3 + round(7 * progress)) + (
        draw.random.randint(0, 8) if progress > 0.5 and draw.chance(0.1) else 0
    )
    text = context(draw, size, fillers=draw.choice((0, 0, 0, 1, 2, 3)))
    asked = Asked(text, text.facts)
    turns = [question(draw, asked) for _ in range(draw.random.randint(3, 9))]
    first = turns[0]
    if draw.chance(0.05):
        return Conversation(
            turns, system=draw.choice(("Text: ", "Context: ", "Answer from this text: ", "")) + text.text
        )
    if draw.chance(0.07):
        return Conversation(
            [
                Turn(
                    draw.choice(("", "", "Text: ", "Here is a text: ", "Read this: ")) + text.text,
                    TEXT_ONLY,
                    "text only",
                ),
                *turns,
            ]
        )
    return Conversation(
        [Turn(laid_out(draw, text.text, first.user), first.reply, first.task, first.schema), *turns[1:]]
    )


def _sentence_to_keep(draw: Draw) -> str:
    kind = draw.random.random()
    if kind < 0.4:
        return plan(draw)[0].statement
    return action(draw)[0].sentence if kind < 0.7 else subject_facts(draw, 1)[0].sentence


def summary(draw: Draw, *, marked: bool | None = None) -> Turn:
    """A paragraph and its key sentence: the one marked by words such as "In short", or else the first."""
    key = _sentence_to_keep(draw)
    others = [
        draw.choice(words.FILLERS) if draw.chance(0.6) else _sentence_to_keep(draw)
        for _ in range(draw.random.randint(2, 5))
    ]
    if marked if marked is not None else draw.chance(0.75):
        others.insert(draw.random.randint(0, len(others)), draw.choice(CUES) + inside(key))
    else:
        others.insert(0, key)
    text = " ".join(others)
    ask = draw.choice(
        (
            "Summarise: {t}",
            "Summarize: {t}",
            "Summarise this text: {t}",
            "Summarise in one sentence: {t}",
            "What is the key sentence? {t}",
            "Give the main point of this text: {t}",
            "{t}\nSummarise.",
            "{t}\n\nWhat is the main point?",
            "{t}\nSummarise the text in one sentence.",
            "TL;DR: {t}",
            "Pick the key sentence: {t}",
            "{t}\nWhat is this text about?",
            "What is the most important sentence? {t}",
            "{t} Give a short summary.",
        )
    )
    return Turn(ask.replace("{t}", text), key, "summary")


def copying(draw: Draw) -> Conversation:
    """Repeat a list, or say what follows in it: every token has to be looked up, which teaches copying quickly."""
    pool = [draw.open(items) for items in (words.FOODS, words.OBJECTS, words.JOBS, words.PLACES) for _ in range(4)]
    pool += (
        [draw.city() for _ in range(6)]
        + [draw.first_name() for _ in range(6)]
        + [draw.invented() for _ in range(6)]
        + [draw.number(0, 9999) for _ in range(4)]
        + [draw.address()]
    )
    chosen = draw.random.sample(sorted(set(pool)), draw.random.randint(5, 16))
    if draw.chance(0.4):
        return Conversation([Turn("Repeat: " + " ".join(chosen), " ".join(chosen), "copy")])
    asked = draw.random.sample(range(len(chosen) - 1), min(6, len(chosen) - 1))
    turns = [Turn(f"What comes after {chosen[i]}?", chosen[i + 1], "copy") for i in asked]
    turns[0] = Turn(f"List: {' '.join(chosen)}\n{turns[0].user}", turns[0].reply, "copy")
    return Conversation(turns)


def chatting(draw: Draw) -> Conversation:
    """Small talk and requests beyond this model."""

    def turn() -> Turn:
        if draw.chance(0.5):
            user, reply = small_talk(draw)
            return Turn(user, reply, "small talk")
        return Turn(*out_of_scope(draw), "out of scope")

    return Conversation([turn() for _ in range(draw.random.randint(2, 8))])


def conversation(draw: Draw, progress: float = 1.0) -> Conversation:
    """A training conversation of one or several parts, sometimes with a system prompt."""
    copy_weight = 12 * (1 - progress) + 3
    kind = draw.random.choices(
        ("text", "summary", "classes", "chat", "copy", "mixed"), (58, 11, 14, 14, copy_weight, 6)
    )[0]
    if kind == "text":
        result = about_text(draw, progress)
    elif kind == "summary":
        result = Conversation([summary(draw) for _ in range(draw.random.randint(1, 2))])
    elif kind == "classes":
        result = Conversation(draw.choice((risk, risk, sentiment, topic))(draw, draw.random.randint(2, 6)))
    elif kind == "chat":
        result = chatting(draw)
    elif kind == "copy":
        result = copying(draw)
    else:
        parts = [chatting(draw), about_text(draw, progress * 0.6), chatting(draw)]
        result = Conversation(parts[0].turns[:2] + parts[1].turns[:5] + parts[2].turns[:2])
        if parts[1].system:
            result = parts[1]
    if result.system is None and draw.chance(0.25):
        result.system = draw.choice(SYSTEM_PROMPTS)
    return result


def _single(draw: Draw, kind: str) -> Conversation:
    text = context(draw, draw.random.randint(3, 9), fillers=draw.choice((0, 0, 1, 2)))
    asked = Asked(text, text.facts)
    turn = question(draw, asked, kind)
    return Conversation([Turn(laid_out(draw, text.text, turn.user), turn.reply, turn.task, turn.schema)])


def _several(draw: Draw) -> Conversation:
    """A conversation about one text whose last question is to be answered."""
    result = about_text(draw, 0.8)
    result.turns = result.turns[: draw.random.randint(3, 5)]
    last = result.turns[-1]
    result.turns[-1] = Turn(last.user, last.reply, "several turns", last.schema)
    return result


ITEMS: dict[str, Callable[[Draw], Conversation]] = {
    **{kind: (lambda draw, kind=kind: _single(draw, kind)) for kind in QUESTIONS if kind != "other"},
    "several turns": _several,
    "summary": lambda draw: Conversation([summary(draw)]),
    **{kind: (lambda draw, make=make: Conversation(make(draw, 1))) for kind, make in CLASSIFIERS.items()},
    "small talk": lambda draw: Conversation([Turn(*small_talk(draw), "small talk")]),
    "out of scope": lambda draw: Conversation([Turn(*out_of_scope(draw), "out of scope")]),
}


def item(draw: Draw, task: str) -> Conversation:
    """A conversation ending in a turn of the wanted task."""
    while True:
        made = ITEMS[task](draw)
        if made.turns[-1].task == task:
            return made


def texts(conversations: Iterable[Conversation]) -> list[str]:
    return [part for made in conversations for turn in made.turns for part in (turn.user, " " + turn.reply)]


if __name__ == "__main__":
    shown = Draw(random.randrange(10**6))
    for _ in range(6):
        print("\n".join(f"{m['role']}: {m['content']}" for m in conversation(shown).messages()), "\n---")
