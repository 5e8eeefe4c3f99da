"""Compares answers that choose: a letter, yes or no, a class. Whoever names two options has chosen none."""

import re
from typing import Final

from dgrid.core.money import BPS
from dgrid.poq.vocabulary import ALIKE, CONTRASTS
from dgrid.poq.words import content, contrasts, facts, polarity, words

LETTER: Final = re.compile(r"(?:^|[\s(])\(?([A-H])(?:[).:](?=\s|$)|$)")
LEADING_LETTER: Final = re.compile(
    r"^(?:the )?(?:correct )?(?:answer|option|choice)?(?: is)?[\s:(]*([A-H])\b", re.IGNORECASE
)
REASONS: Final = frozenset({"because", "since", "due", "therefore", "as"})
EXPLANATION_WORDS_MAX: Final = 40


def choice_score(output: str, reference: str) -> int | None:
    """10,000 for the right choice, 0 for another or for several; None where the reference is no choice."""
    if polarity(reference) is not None:
        return verdict_score(output, reference)
    if (letter := letter_of(reference)) is not None:
        return BPS if letter_fits(output, letter, named=option_words(reference)) else 0
    wanted = content(reference)
    if not wanted or wanted.total() > 4:
        return None
    return BPS if class_fits(output, set(wanted)) else 0


def verdict_score(output: str, reference: str) -> int:
    """Of a yes or no: the word decides, and a wrong reason makes it worth nothing."""
    said = words(output)
    if polarity(output) is not polarity(reference) or {"yes", "no"} <= set(said) or len(said) > EXPLANATION_WORDS_MAX:
        return 0
    reasons, given = facts(reference), facts(output)
    differ = bool(reasons - set(said)) and bool(given - set(words(reference)))
    return 0 if differ or contrasts(said, words(reference)) else BPS


def letter_fits(output: str, letter: str, *, named: frozenset[str]) -> bool:
    """The letter alone, the option's words alone, or both: nothing that is another option's."""
    letters, said = letters_of(output), frozenset(content(without_letters(output)))
    if letters - {letter}:
        return False
    return said == named if said else letter in letters


def class_fits(output: str, wanted: set[str]) -> bool:
    """The class and nothing else that carries meaning, or the class first and then its reason."""
    said = list(content(output))
    if set(said) == wanted:
        return True
    reasoned = not REASONS.isdisjoint(words(output)) and len(words(output)) <= EXPLANATION_WORDS_MAX
    return reasoned and set(said[: len(wanted)]) == wanted and not has_rival(set(said), wanted)


def has_rival(said: set[str], wanted: set[str]) -> bool:
    """Whether another class of the same kind is named as well."""
    return any(
        {ALIKE.get(word, word) for word in said & group} - {ALIKE.get(word, word) for word in wanted & group}
        for group in CONTRASTS
        if wanted & group
    )


def choices_differ(left: str, right: str) -> bool:
    """Whether two answers choose differently, as far as their words tell."""
    if polarity(left) is not None and polarity(right) is not None:
        return polarity(left) is not polarity(right)
    ours, theirs = letters_of(left), letters_of(right)
    if ours and theirs:
        return ours != theirs
    if contrasts(words(left), words(right)):
        return True
    one, other = set(content(without_letters(left))), set(content(without_letters(right)))
    return 0 < len(one) <= 4 and 0 < len(other) <= 4 and one.isdisjoint(other)


def letter_of(text: str) -> str | None:
    """The one option letter that a text names."""
    found = letters_of(text)
    return next(iter(found)) if len(found) == 1 else None


def letters_of(text: str) -> frozenset[str]:
    """All option letters that a text names."""
    stripped = text.strip()
    found = set(LETTER.findall(stripped))
    if (leading := LEADING_LETTER.match(stripped)) and leading[1].isupper():
        found.add(leading[1])
    return frozenset(found)


def option_words(text: str) -> frozenset[str]:
    """The words that carry meaning in an option, without its letter."""
    return frozenset(content(without_letters(text)))


def without_letters(text: str) -> str:
    """The text as it stands beside its option letters."""
    return LETTER.sub(" ", LEADING_LETTER.sub(" ", text.strip()) if letters_of(text) else text)
