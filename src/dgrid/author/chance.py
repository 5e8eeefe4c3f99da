"""Seeded choices for the author's tasks, and names that nobody has heard before. The seed's owner brings the chance."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dgrid.author import words

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Chance:
    """Draws from one source of chance."""

    random: random.Random

    def one(self, items: Sequence[Item]) -> Item:
        """One of the items, each as likely."""
        return items[self.random.randrange(len(items))]

    def some(self, items: Sequence[Item], count: int) -> list[Item]:
        """That many different items, in any order."""
        return self.random.sample(list(items), min(count, len(items)))

    def two(self, make: Callable[["Chance"], str]) -> tuple[str, str]:
        """Two values that differ."""
        first = second = make(self)
        while second == first:
            second = make(self)
        return first, second

    def weighted(self, items: Sequence[Item], weights: Sequence[int]) -> Item:
        """One of the items, as likely as it weighs."""
        return self.random.choices(items, weights)[0]

    def maybe(self, percent: int) -> bool:
        """True in so many of a hundred cases."""
        return self.random.randrange(100) < percent

    def whole(self, low: int, high: int) -> int:
        """A number between the two, both included."""
        return self.random.randint(low, high)

    def number(self, low: int, high: int) -> str:
        """A whole number, with each count of digits as likely."""
        digits = self.whole(len(str(low)), len(str(high)))
        return str(self.whole(max(low, 10 ** (digits - 1)), min(high, 10**digits - 1)))

    def coined(self) -> str:
        """A name that can be spoken and stands in no list: it must be read, not guessed."""
        count = self.one((1, 1, 2, 2, 3))
        syllables = "".join(self.one(words.ONSETS) + self.one(words.MIDDLES) for _ in range(count))
        return (syllables + self.one(words.CODAS)).capitalize()

    def first_name(self) -> str:
        return self.coined() if self.maybe(30) else self.one(words.FIRST_NAMES)

    def person(self) -> str:
        """A first name, sometimes with a family name."""
        family = self.coined() if self.maybe(40) else self.one(words.FAMILY_NAMES)
        return f"{self.first_name()} {family}" if self.maybe(20) else self.first_name()

    def town(self) -> str:
        return self.coined() if self.maybe(35) else self.one(words.TOWNS)

    def firm(self) -> str:
        return f"{self.coined()} {self.one(words.FIRM_ENDINGS)}" if self.maybe(70) else self.coined()

    def clock(self) -> str:
        """A time of day, such as 9:25."""
        return f"{self.number(1, 23)}:{5 * self.whole(0, 11):02}"

    def wallet(self) -> str:
        """The shortened address of a wallet."""
        digits = self.one((4, 4, 6))
        return f"0x{self.random.randrange(16**digits):0{digits}x}"
