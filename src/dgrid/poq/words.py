"""What can be told of a short text by its words alone: names, numbers, negation, classes, whether it declines.

English rules, made for answers of a few sentences. Nothing here knows what is true; it only finds the places where
two texts cannot both be right, which similarity overlooks: a number, a name, a "not", red for pink.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Final

from dgrid.poq.vocabulary import ALIKE, ARTICLES, CONTRASTS, GLUE, NEGATORS, NUMBER_WORDS

TEXT_CHARACTERS_MAX: Final = 20_000  # what is looked at of one text
TEXTS_REMEMBERED: Final = 256
WORD: Final = re.compile(
    r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+|\d+(?:[.,:/]\d+)+|[^\W_]+(?:['’][^\W_]+)*"  # an address, a number, a word
)
NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
GROUPED: Final = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+|\n+")
LEADING_SIGNS: Final = "\"'“”‘’([{*_#-– \t"

DECLINING: Final = re.compile(
    r"\b(?:the |this )?(?:text|passage|context|article) (?:does not|doesn't|did not) (?:say|mention|state|tell|contain|"
    r"provide|specify)\b|\bnot (?:mentioned|stated|given|specified|known|in the text)\b|"
    r"\b(?:i|we) (?:do not|don't|cannot|can't|am not able to|am unable to|could not) "
    r"(?:know|answer|help|tell|say|assist|provide|comment)\b|\bno (?:information|answer|comment|idea)\b|"
    r"\b(?:i'm|i am) (?:sorry|unable|not able|not sure|just an? (?:ai|language model))\b|"
    r"\bas an ai\b|\bi am a (?:very )?small demo model\b|\bunknown\b|\bn/?a\b",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """The text in one spelling of each character, without its invisible ones, cut to what is looked at."""
    kept = unicodedata.normalize("NFKC", text[:TEXT_CHARACTERS_MAX]).replace("’", "'")
    return "".join(sign for sign in kept if unicodedata.category(sign) not in ("Cf", "Co", "Cn"))


@lru_cache(TEXTS_REMEMBERED)
def tokens(text: str) -> tuple[str, ...]:
    """The words and numbers of a text as written, in order."""
    return tuple(WORD.findall(plain(text)))


@lru_cache(TEXTS_REMEMBERED)
def words(text: str) -> tuple[str, ...]:
    """The words of a text in one case, numbers in one spelling, without articles."""
    return tuple(word for token in tokens(text) if (word := canonical(token)) not in ARTICLES)


def canonical(token: str) -> str:
    """One spelling: lower case, "1,000.0" and "one thousand" as far as "1000", without a possessive."""
    lowered = token.casefold().removesuffix("'s")
    if NUMBER.fullmatch(lowered):
        return canonical_number(lowered)
    return NUMBER_WORDS.get(lowered, lowered)


def canonical_number(written: str) -> str:
    if GROUPED.fullmatch(written):
        written = written.replace(",", "")
    if written.count(".") == 1 and "," not in written:
        return format(Decimal(written).normalize(), "f")
    return written.lstrip("0") or "0" if written.isdecimal() else written


def numbers(text: str) -> frozenset[str]:
    """The numbers of a text: amounts, years, times."""
    return frozenset(word for word in words(text) if word[0].isdecimal() and word[:2] != "0x")


def identifiers(text: str) -> frozenset[str]:
    """Words that mix letters with digits or are addresses: 0x71f0, erik@frenr.org."""
    return frozenset(
        word
        for word in words(text)
        if "@" in word or ((not word[0].isdecimal() or word[:2] == "0x") and any(sign.isdigit() for sign in word))
    )


@lru_cache(TEXTS_REMEMBERED)
def names(text: str) -> frozenset[str]:
    """Capitalised words: all of them inside a sentence, at its start those that are no common word."""
    found = set(identifiers(text))
    for sentence in SENTENCE_END.split(plain(text)):
        inside = WORD.findall(sentence.lstrip(LEADING_SIGNS))
        for place, token in enumerate(inside):
            word = canonical(token)
            common = word in GLUE or word in NEGATORS or word == "yes" or len(word) < 2 or word[0].isdecimal()
            alone_in_front = place == 0 and len(inside) > 1 and not inside[1][0].isupper()
            if token[0].isupper() and not common and not (alone_in_front and is_plain_word(word)):
                found.add(word)
    return frozenset(found)


def is_plain_word(word: str) -> bool:
    """Whether a word that opens a sentence is likely there for its meaning: it looks inflected like a common one."""
    return word.endswith(("ing", "ly", "ed", "ers", "tion", "tions", "ness", "ous", "ful", "able"))


def facts(text: str) -> frozenset[str]:
    """Names and numbers together: what an answer can be wrong about in one word."""
    return names(text) | numbers(text)


def content(text: str) -> Counter[str]:
    """The words that carry meaning, with how often they stand there."""
    return Counter(word for word in words(text) if word not in GLUE and word not in NEGATORS)


def is_negated(text: str) -> bool:
    """Whether a sentence says no anywhere. Two negations are counted as one: "No, it is not" is a no."""
    return any(word in NEGATORS or word.endswith("n't") for word in words(text))


def polarity(text: str) -> bool | None:
    """True for an answer that opens with yes, False for no, None for any other."""
    first = next(iter(words(text)), "")
    return {"yes": True, "no": False}.get(first)


def parts(text: str) -> tuple[str, ...]:
    """The sentences of a text."""
    return tuple(part for part in SENTENCE_END.split(plain(text)) if part.strip())


def declines(text: str) -> bool:
    """Whether a text says that it has no answer, in its first two sentences."""
    return bool(DECLINING.search(" ".join(parts(text)[:2])))


def contrasts(left: Iterable[str], right: Iterable[str]) -> bool:
    """Whether the texts take different sides of a pair such as red and pink, and share none of its words."""
    left, right = set(left), set(right)
    for group in CONTRASTS:
        ours = {ALIKE.get(word, word) for word in left & group}
        theirs = {ALIKE.get(word, word) for word in right & group}
        if ours and theirs and ours.isdisjoint(theirs):
            return True
    return False


def is_looping(text: str) -> bool:
    """Whether a text says one thing over and over: three times in a row for all that it says, or for most of it."""
    said = words(text)
    return any(repeats(said, size) for size in range(1, min(len(said) // 3, 64) + 1))


def repeats(said: Sequence[str], size: int) -> bool:
    """Whether a unit of `size` words fills, repeated at least three times in a row, the greater part of the text."""
    run = longest = 0
    for place in range(size, len(said)):
        run = run + 1 if said[place] == said[place - size] else 0
        longest = max(longest, run)
    return longest >= 2 * size and 2 * (longest + size) > len(said) and longest + size >= 3
