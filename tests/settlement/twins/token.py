"""One token's accounts, and how a law says no."""

from collections import Counter
from dataclasses import dataclass, field


class Refused(Exception):
    """What a law does not allow: the name of the contracts' own error."""

    @property
    def name(self) -> str:
        return str(self.args[0])


def require(condition: object, error: str) -> None:
    """Raises Refused."""
    if not condition:
        raise Refused(error)


@dataclass
class Token:
    """Who holds how much. Nothing is ever made; what is burned is counted."""

    balances: Counter[bytes] = field(default_factory=Counter)
    burned: int = 0

    def move(self, payer: bytes, payee: bytes, amount: int) -> None:
        require(self.balances[payer] >= amount, "ERC20InsufficientBalance")
        self.balances[payer] -= amount
        self.balances[payee] += amount

    def burn(self, holder: bytes, amount: int) -> None:
        require(self.balances[holder] >= amount, "ERC20InsufficientBalance")
        self.balances[holder] -= amount
        self.burned += amount
