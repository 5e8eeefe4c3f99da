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

    def coined(self) -> str:
        """A name that can be spoken and stands in no list: it must be read, not guessed."""
        syllables = [self.one(words.ONSETS) + self.one(words.MIDDLES) for _ in range(self.whole(1, 2))]
        return ("".join(syllables) + self.one(words.CODAS)).capitalize()

    def person(self) -> str:
        """A first name, sometimes with a family name."""
        first = self.coined() if self.maybe(20) else self.one(words.FIRST_NAMES)
        return f"{first} {self.one(words.FAMILY_NAMES)}" if self.maybe(25) else first

    def town(self) -> str:
        return self.coined() if self.maybe(25) else self.one(words.TOWNS)

    def firm(self) -> str:
        return f"{self.coined()} {self.one(words.FIRM_ENDINGS)}"

    def clock(self) -> str:
        """A time of day, such as 9:25."""
        return f"{self.whole(6, 22)}:{5 * self.whole(0, 11):02}"

    def wallet(self) -> str:
        """The shortened address of a wallet."""
        return f"0x{self.random.randrange(16**4):04x}"
