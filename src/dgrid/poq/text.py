"""Scores a text against a known answer, and says where two answers cannot both be right.

Everything is a pure function of the texts, in whole basis points, so that whoever recomputes a round gets the same
figures. The base is token F1 (Rajpurkar et al., SQuAD, 2016); on top stand hard checks, since overlap and similarity
alike miss a number, a name, a "not", red for pink. A text is only ever compared: nothing in it is followed.
"""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from dgrid.core.money import BPS
from dgrid.poq.choices import choice_score, choices_differ
from dgrid.poq.fields import fields_score
from dgrid.poq.vocabulary import GLUE
from dgrid.poq.words import (
    content,
    contrasts,
    declines,
    facts,
    is_looping,
    is_negated,
    names,
    numbers,
    parts,
    polarity,
    words,
)
from dgrid.wire.quality import TaskType

CONFLICT_CAP_BPS: Final = 2_000  # of a text of several facts, one of them wrong; a short answer gets nothing
RIVAL_CAP_BPS: Final = 2_000  # a short answer that names another candidate besides the right one
SAME_SENTENCE: Final = (3, 5)  # of the shorter one's words that two sentences share at least to be about the same
WORDS_COMPARED_MAX: Final = 4_000
SENTENCES_COMPARED_MAX: Final = 64


class Conflict(StrEnum):
    """Why two answers cannot both be right."""

    EMPTY = "empty"  # one of them says nothing
    LOOP = "loop"  # one of them repeats itself
    DECLINED = "declined"  # one of them says that it has no answer
    NUMBER = "number"
    NAME = "name"
    NEGATION = "negation"
    CONTRAST = "contrast"  # red and pink, high and low
    OPTION = "option"  # another letter or class
    FIELD = "field"  # another value in an object


FATAL: Final = frozenset({Conflict.EMPTY, Conflict.LOOP, Conflict.DECLINED, Conflict.OPTION})


def reference_score(task: TaskType, output: str, reference: str, *, question: str = "") -> int:
    """How well `output` gives what `reference` says, 0 to 10,000.

    `question` is the sentence that was asked, where it is known: its words in an answer are no new claims. A short
    answer (EXTRACT) scores the square of its F1: then listing k candidates, (2/(k+1))², never gains over naming one
    of them by chance, 1/k.
    """
    if task is TaskType.JSON and (score := fields_score(output, reference)) is not None:
        return score
    if is_same(output, reference):
        return BPS
    conflicts = agreement_checks(task, output, reference)
    if not FATAL.isdisjoint(conflicts):
        return 0
    if task is TaskType.CHOICE and (score := choice_score(output, reference)) is not None:
        return score
    if declines(reference):
        return declining_score(output, reference, question=question)
    if task is TaskType.EXTRACT:
        return short_answer_score(output, reference, question=question, conflicts=conflicts)
    return min(f1_bps(words(output), words(reference)), agreement_cap(task, conflicts))


def declining_score(output: str, reference: str, *, question: str) -> int:
    """Both say that there is no answer; one that then gives an answer all the same has not meant it."""
    score = f1_bps(words(output), words(reference))
    known = set(words(reference)) | set(words(question))
    return min(score, RIVAL_CAP_BPS) if facts(output) - known else score


def short_answer_score(output: str, reference: str, *, question: str, conflicts: Sequence[Conflict]) -> int:
    """Squared F1 over the words that answer; rivals and what is missing bound it."""
    if conflicts:
        return 0
    wanted, asked = set(words(reference)), {stem(word) for word in words(question)}
    given = [word for word in words(output) if word in wanted or (word not in GLUE and stem(word) not in asked)]
    f1 = f1_bps(given, words(reference))
    score = f1 * f1 // BPS
    rivals = rivals_of(output, reference, question=question)
    missing = facts(reference) - set(words(output))
    return min(score, RIVAL_CAP_BPS) if rivals or missing else score


def rivals_of(output: str, reference: str, *, question: str = "") -> frozenset[str]:
    """Names and numbers of `output` that neither the reference nor the question holds."""
    known = {stem(word) for word in (*words(question), *words(reference))}
    return frozenset(fact for fact in facts(output) if stem(fact) not in known)


def is_hedged(output: str, reference: str, *, question: str = "") -> bool:
    """Whether a short answer names other candidates beside what it shares with the reference: more than one for every
    two words of content that they share and the question does not hold.
    """
    asked = {stem(word) for word in words(question)}
    shared = [word for word in content(output) & content(reference) if stem(word) not in asked]
    return 2 * len(rivals_of(output, reference, question=question)) > len(shared)


def agreement_checks(task: TaskType, left: str, right: str) -> tuple[Conflict, ...]:
    """Why two answers to one request cannot both be right, in a fixed order; empty where nothing speaks against it."""
    if task is TaskType.JSON and (score := fields_score(left, right)) is not None:
        return () if score == BPS else (Conflict.FIELD,)
    if is_same(left, right):
        return ()
    if not words(left) or not words(right):
        return (Conflict.EMPTY,)
    if is_looping(left) or is_looping(right):
        return (Conflict.LOOP,)
    if declines(left) != declines(right):
        return (Conflict.DECLINED,)
    if declines(left):
        return ()
    if task is TaskType.CHOICE and choices_differ(left, right):
        return (Conflict.OPTION,)
    return tuple(name for name, holds in fact_conflicts(left, right) if holds)


def fact_conflicts(left: str, right: str) -> tuple[tuple[Conflict, bool], ...]:
    """Each kind of fact, and whether the texts state it differently: each has one that the other lacks."""
    ours, theirs = set(words(left)), set(words(right))
    lacking = facts(left) - theirs, facts(right) - ours
    differ = bool(lacking[0]) and bool(lacking[1])
    numeric = differ and bool(lacking[0] & numbers(left)) and bool(lacking[1] & numbers(right))
    named = differ and bool((lacking[0] & names(left)) | (lacking[1] & names(right)))
    return (
        (Conflict.NUMBER, numeric),
        (Conflict.NAME, named),
        (Conflict.NEGATION, is_denied(left, right)),
        (Conflict.CONTRAST, contrasts(ours, theirs)),
    )


def agreement_cap(task: TaskType, conflicts: Sequence[Conflict]) -> int:
    """The most that a similarity may count for under these conflicts."""
    if not conflicts:
        return BPS
    if task in (TaskType.EXTRACT, TaskType.CHOICE) or not FATAL.isdisjoint(conflicts):
        return 0
    return CONFLICT_CAP_BPS


def is_denied(left: str, right: str) -> bool:
    """Whether one text says no to what the other says: yes against no, or the same sentence with and without "not"."""
    if None not in (polarity(left), polarity(right)):
        return polarity(left) is not polarity(right)
    return denies(left, right) or denies(right, left)


def denies(left: str, right: str) -> bool:
    theirs = [(part, content(part)) for part in parts(right)[:SENTENCES_COMPARED_MAX]]
    pairs = ((part, closest(content(part), theirs)) for part in parts(left)[:SENTENCES_COMPARED_MAX])
    return any(other is not None and is_negated(part) != is_negated(other) for part, other in pairs)


def closest(wanted: Counter[str], others: Sequence[tuple[str, Counter[str]]]) -> str | None:
    """The sentence that is about the same, by its content words; None where none is."""
    best, most = None, 0
    for other, found in others:
        shared, least = (wanted & found).total(), min(wanted.total(), found.total())
        if shared > most and shared * SAME_SENTENCE[1] >= least * SAME_SENTENCE[0]:
            best, most = other, shared
    return best


def f1_bps(output: Sequence[str], reference: Sequence[str]) -> int:
    """Token F1 over multisets: 2·shared / (words of both), rounded down."""
    output, reference = output[:WORDS_COMPARED_MAX], reference[:WORDS_COMPARED_MAX]
    both = len(output) + len(reference)
    shared = (Counter(output) & Counter(reference)).total()
    return 2 * shared * BPS // both if both else 0


def is_same(left: str, right: str) -> bool:
    """Whether the texts differ in case, articles and punctuation at most."""
    ours, theirs = words(left), words(right)
    return ours == theirs and (bool(ours) or left.strip() == right.strip())


def stem(word: str) -> str:
    """A word without its commonest endings: lives and live, worked and work."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            return word.removesuffix(ending).removesuffix("e")
    return word.removesuffix("e") if len(word) > 3 else word
