"""Seeded random choices that keep training words and held-out words apart."""

import random
from collections.abc import Sequence
from typing import TypeVar

import words

Item = TypeVar("Item")
HELD_EVERY = 6
ONSETS = [
    "b",
    "br",
    "bl",
    "c",
    "ch",
    "cl",
    "cr",
    "d",
    "dr",
    "f",
    "fl",
    "fr",
    "g",
    "gl",
    "gr",
    "h",
    "j",
    "k",
    "kl",
    "kr",
    "l",
    "m",
    "n",
    "p",
    "pl",
    "pr",
    "qu",
    "r",
    "s",
    "sh",
    "sk",
    "sl",
    "sp",
    "st",
    "sw",
    "t",
    "th",
    "tr",
    "v",
    "w",
    "y",
    "z",
]
VOWELS = [
    "a",
    "e",
    "i",
    "o",
    "u",
    "a",
    "e",
    "i",
    "o",
    "ai",
    "ee",
    "ia",
    "ou",
    "ar",
    "er",
    "or",
    "an",
    "en",
    "in",
    "on",
    "el",
    "al",
]
ENDINGS = ["", "", "n", "s", "m", "r", "l", "t", "k", "nd", "ck", "sh", "ton", "berg", "son", "ville", "y", "a", "o"]


class Draw:
    """Random words of one split: ``held=False`` draws words for training, ``held=True`` those never used in it."""

    def __init__(self, seed: int, *, held: bool = False) -> None:
        self.random = random.Random(seed)
        self.held = held
        self._split: dict[int, list[list]] = {}

    def choice(self, items: Sequence[Item]) -> Item:
        return items[int(self.random.random() * len(items))]

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def number(self, low: int, high: int) -> str:
        """An integer whose number of digits is spread evenly between those of the bounds."""
        digits = self.random.randint(len(str(low)), len(str(high)))
        return str(self.random.randint(max(low, 10 ** (digits - 1)), min(high, 10**digits - 1)))

    def open(self, items: list[Item], invented: float = 0.08) -> Item | str:
        """A word of this split's part of an open list, or (in training) sometimes an invented one."""
        if not self.held and items and isinstance(items[0], str) and self.chance(invented):
            return self.invented().lower()
        return self.choice(self.part(items))

    def part(self, items: list[Item]) -> list[Item]:
        """The part of an open list that belongs to this split."""
        if id(items) not in self._split:
            parts: list[list] = [[], []]
            for index, item in enumerate(items):
                parts[index % HELD_EVERY == HELD_EVERY - 1].append(item)
            self._split[id(items)] = parts
        return self._split[id(items)][self.held]

    def invented(self) -> str:
        """A pronounceable capitalised word, so that names must be copied and cannot be memorised."""
        syllables = "".join(
            self.choice(ONSETS) + self.choice(VOWELS) for _ in range(self.random.choice((1, 1, 2, 2, 3)))
        )
        return (syllables + self.choice(ENDINGS)).capitalize()

    def named(self, items: list[str], invented: float) -> str:
        return self.invented() if self.chance(invented) else self.choice(self.part(items))

    def first_name(self) -> str:
        return self.named(words.WOMEN if self.chance(0.5) else words.MEN, 0.3)

    def person(self) -> str:
        first = self.first_name()
        return f"{first} {self.named(words.SURNAMES, 0.4)}" if self.chance(0.2) else first

    def city(self) -> str:
        return self.named(words.CITIES, 0.35)

    def company(self) -> str:
        name = self.invented()
        return f"{name} {self.choice(words.COMPANY_ENDINGS)}" if self.chance(0.7) else name

    def address(self) -> str:
        return "0x" + "".join(self.choice("0123456789abcdef") for _ in range(self.random.choice((4, 4, 6))))
