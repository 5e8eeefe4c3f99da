"""The law of stakes in Python: what `Registry` with its delegations must come to. Whole numbers; no chain."""

from collections import defaultdict
from dataclasses import dataclass, field

from tests.settlement.twins.token import Token, require

from dgrid.chain.events import Role

VIRTUAL_SHARES = 10**6  # nobody's: the first to come cannot price the next out
WORTHLESS = 10**15  # shares for one unit: below that they count as nothing

Member = tuple[Role, bytes]


@dataclass
class Vault:
    """What several put together, in shares of it."""

    assets: int = 0
    shares: int = 0
    held: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))

    def deposit(self, holder: bytes, amount: int) -> int:
        bought = amount * (self.shares + VIRTUAL_SHARES) // (self.assets + 1)
        self.assets += amount
        self.shares += bought
        self.held[holder] += bought
        return bought

    def redeem(self, holder: bytes, shares: int) -> int:
        amount = self.worth(shares)
        self.assets -= amount
        self.shares -= shares
        self.held[holder] -= shares
        return amount

    def lose(self, amount: int) -> int:
        taken = min(amount, self.assets)
        self.assets -= taken
        if taken and self.assets * WORTHLESS <= self.shares:
            self.shares = 0
            self.held.clear()
        return taken

    def worth(self, shares: int) -> int:
        return shares * (self.assets + 1) // (self.shares + VIRTUAL_SHARES)

    def worth_of(self, holder: bytes) -> int:
        return self.worth(self.held[holder])


@dataclass
class Stake:
    """What stands behind one member."""

    serving: int = 0
    unbonding: int = 0
    available_s: int = 0
    raised_s: int = 0
    jailed_until_s: int = 0
    delegated: Vault = field(default_factory=Vault)
    undelegating: Vault = field(default_factory=Vault)
    delegation_available_s: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def weight(self) -> int:
        return self.serving + self.delegated.assets

    @property
    def slashable(self) -> int:
        return self.weight + self.unbonding + self.undelegating.assets


@dataclass
class StakeLaw:
    """Every account of `Registry`."""

    token: Token
    registry: bytes
    stakes: dict[Member, Stake] = field(default_factory=lambda: defaultdict(Stake))

    def add_stake(self, role: Role, operator: bytes, amount: int, *, now_s: int) -> None:
        stake = self._registered(role, operator)
        require(amount, "ZeroAmount")
        self.token.move(operator, self.registry, amount)
        stake.serving += amount
        stake.raised_s = now_s

    def unbond(self, role: Role, operator: bytes, amount: int, *, available_s: int) -> None:
        stake = self._registered(role, operator)
        require(amount, "ZeroAmount")
        require(amount <= stake.serving, "StakeTooLow")
        stake.serving -= amount
        stake.unbonding += amount
        stake.available_s = available_s

    def withdraw(self, role: Role, operator: bytes, *, now_s: int) -> None:
        stake = self.stakes[role, operator]
        require(stake.unbonding, "NothingUnbonding")
        require(now_s >= stake.available_s, "StillUnbonding")
        amount, stake.unbonding = stake.unbonding, 0
        self.token.move(self.registry, operator, amount)

    def delegate(self, role: Role, operator: bytes, delegator: bytes, *, amount: int) -> None:
        stake = self._registered(role, operator)
        require(amount, "ZeroAmount")
        pool = stake.delegated
        require(amount * (pool.shares + VIRTUAL_SHARES) // (pool.assets + 1), "ZeroShares")
        self.token.move(delegator, self.registry, amount)
        pool.deposit(delegator, amount)

    def undelegate(self, member: Member, delegator: bytes, *, shares: int, available_s: int) -> None:
        stake = self.stakes[member]
        require(shares, "ZeroShares")
        require(shares <= stake.delegated.held[delegator], "SharesTooFew")
        stake.undelegating.deposit(delegator, stake.delegated.redeem(delegator, shares))
        stake.delegation_available_s[delegator] = available_s

    def withdraw_delegation(self, role: Role, operator: bytes, delegator: bytes, *, now_s: int) -> None:
        stake = self.stakes[role, operator]
        require(stake.undelegating.held[delegator], "NothingUndelegating")
        require(now_s >= stake.delegation_available_s[delegator], "StillUnbonding")
        amount = stake.undelegating.redeem(delegator, stake.undelegating.held[delegator])
        self.token.move(self.registry, delegator, amount)

    def slashable(self, role: Role, operator: bytes) -> int:
        return self.stakes[role, operator].slashable

    def slash(self, role: Role, operator: bytes, amount: int, *, taker: bytes) -> int:
        """Own stake first, in service and on its way out, then what others delegated."""
        stake = self.stakes[role, operator]
        from_serving = min(amount, stake.serving)
        from_unbonding = min(amount - from_serving, stake.unbonding)
        stake.serving -= from_serving
        stake.unbonding -= from_unbonding
        slashed = from_serving + from_unbonding
        slashed += stake.delegated.lose(amount - slashed)
        slashed += stake.undelegating.lose(amount - slashed)
        self.token.move(self.registry, taker, slashed)
        return slashed

    def _registered(self, role: Role, operator: bytes) -> Stake:
        require(self.stakes[role, operator].serving, "NotRegistered")
        return self.stakes[role, operator]
