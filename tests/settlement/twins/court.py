"""The law of the court in Python: what `QualityCourt` owes, and what `Cases` does with bonds and slashes. No chain."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.settlement.twins.money import MoneyLaw
from tests.settlement.twins.stake import StakeLaw
from tests.settlement.twins.token import require

from dgrid.chain.court import Release
from dgrid.chain.events import Role
from dgrid.chain.parameters import Parameters
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak
from dgrid.core.money import BPS, WEI
from dgrid.poq.turns import RELEASES_MAX
from dgrid.wire.quality import PayoutAccount, PayoutKind

COUNTED_MAX = 2**96 - 1  # a root's release is counted in so many bits


@dataclass
class Posted:
    """A quality root, as far as money goes."""

    total: int = 0
    final_s: int = 0


@dataclass
class CourtLaw:
    """Purses that never pay for each other: a gateway's releases for its nodes and payers, the pool for evaluators."""

    money: MoneyLaw
    stakes: StakeLaw
    owed: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))
    held: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))
    claimed: dict[PayoutAccount, int] = field(default_factory=lambda: defaultdict(int))
    last: Posted = field(default_factory=Posted)

    @property
    def address(self) -> bytes:
        return self.money.treasury

    @property
    def pool(self) -> int:
        return self.money.token.balances[self.address] - sum(self.held.values())

    @property
    def paid(self) -> int:
        return sum(self.claimed.values())

    @property
    def sweepable(self) -> int:
        """The pool, less what roots promised beyond what they released."""
        promised = self.last.total - self.paid
        released = sum(self.held.values()) + sum(self.owed.values())
        return max(0, self.pool - max(0, promised - released))

    def post(self, releases: Sequence[Release], *, total: int, final_s: int, parameters: Parameters) -> None:
        require(len(releases) <= RELEASES_MAX, "TooManyReleases")
        counted = sum(self._countable(one) for one in releases)
        least = self.last.total
        require(least <= total <= least + counted + parameters.pool_cap_wei, "PayoutsOutOfRange")
        for one in releases:
            self.owed[one.gateway] += self._countable(one)
        self.last = Posted(total, final_s)
        for one in releases:
            self.pull(one.gateway)

    def pull(self, gateway: bytes) -> int:
        if not self.owed[gateway]:
            return 0
        paid = self.money.release_quality(gateway, self.owed[gateway])
        self.owed[gateway] -= paid
        self.held[gateway] += paid
        return paid

    def claim(self, account: PayoutAccount, *, total: int) -> int:
        """By the last root, which the caller has seen become final."""
        is_pools = account.kind is PayoutKind.EVALUATOR
        purse = self.pool if is_pools else self.held[account.gateway]
        amount = min(max(0, total - self.claimed[account]), purse, self.last.total - self.paid)
        self.claimed[account] += amount
        self.held[account.gateway] -= 0 if is_pools else amount
        self.money.token.move(self.address, account.payee, amount)
        return amount

    def penalize(self, evaluator: bytes, reporter: bytes, *, parameters: Parameters) -> int:
        """Who committed and withheld."""
        token = self.money.token
        slashed = self.stakes.slash(Role.EVALUATOR, evaluator, parameters.late_penalty_wei, taker=self.address)
        rewarded = slashed * parameters.reporter_bps // BPS
        token.move(self.address, reporter, rewarded)
        token.burn(self.address, slashed - rewarded)
        return slashed

    def _countable(self, release: Release) -> int:
        wanted = min(release.amount_wei, COUNTED_MAX)
        return min(wanted, self.money.releasable(release.gateway) - self.owed[release.gateway])


# --- cases ------------------------------------------------------------------------------------------------------------


def seed_of(digest: bytes, chance: bytes | None) -> bytes:
    """What draws an epoch's leaves: keccak(digest ‖ block hash), or of the digest alone when that is forgotten."""
    return keccak(digest if chance is None else digest + chance)


def case_seed(case: bytes, *, stage: int, chance: bytes) -> bytes:
    return keccak(case + stage.to_bytes(32, "big") + chance)


BEHIND = 2**95


def rank(seed: bytes, case: bytes, *, evaluator: bytes, stake: int, has_signed: bool = False) -> int:
    """The upper 95 bits of a lot, over the stake in whole tokens; who signed the disputed root comes behind everybody
    else. The lowest sit.
    """
    lot = keccak(seed + case + bytes(32) + evaluator.rjust(32, b"\0"))
    return (int.from_bytes(lot[:12], "big") >> 1) // (stake // WEI) + has_signed * BEHIND


def seated(ranks: Mapping[str, int], size: int) -> set[str]:
    """Who sits in the end, in whatever order they enrol."""
    return set(sorted(ranks, key=lambda evaluator: ranks[evaluator])[:size])


@dataclass(frozen=True)
class Verdict:
    """How a first hearing ended: who sat, and who said what. Who is not in `votes` was silent."""

    node: bytes
    opener: bytes
    refunds: Sequence[tuple[bytes, int]]
    jury: Sequence[Address]
    votes: Mapping[Address, bool]
    parameters: Parameters

    @property
    def is_guilty(self) -> bool:
        """Of all seats, not of those that voted; nobody is without a full jury."""
        return bool(self.jury) and sum(self.votes.values()) * BPS >= len(self.jury) * self.parameters.verdict_bps


@dataclass
class CaseLaw:
    """Who pays for a case about a node."""

    stakes: StakeLaw
    cases: bytes

    def open(self, opener: bytes, *, parameters: Parameters) -> None:
        self.stakes.token.move(opener, self.cases, parameters.case_bond_wei)

    def execute(self, verdict: Verdict, *, now_s: int, jail_seconds: int) -> None:
        bond = verdict.parameters.case_bond_wei
        self._penalize_silent(verdict)
        if verdict.is_guilty or not verdict.votes:
            self.stakes.token.move(self.cases, verdict.opener, bond)
        else:
            self.stakes.token.burn(self.cases, bond - self._pay_members(verdict, bond))
        if verdict.is_guilty:
            self._punish(verdict)
            self.stakes.stakes[Role.NODE, verdict.node].jailed_until_s = now_s + jail_seconds

    def _penalize_silent(self, verdict: Verdict) -> None:
        for member in verdict.jury:
            if member not in verdict.votes:
                penalty = verdict.parameters.late_penalty_wei
                self.stakes.token.burn(self.cases, self.stakes.slash(Role.EVALUATOR, member, penalty, taker=self.cases))

    def _punish(self, verdict: Verdict) -> None:
        """Payers first, then the opener's reward, then as much as one bond to the members; the rest is burned."""
        parameters, token = verdict.parameters, self.stakes.token
        share = self.stakes.slashable(Role.NODE, verdict.node) * parameters.node_slash_bps // BPS
        slashed = self.stakes.slash(Role.NODE, verdict.node, share, taker=self.cases)
        left = slashed
        for payer, wanted in verdict.refunds:
            token.move(self.cases, payer, min(wanted, left))
            left -= min(wanted, left)
        rewarded = min(left, slashed * parameters.reporter_bps // BPS)
        left -= rewarded
        left -= self._pay_members(verdict, min(left, parameters.case_bond_wei))
        token.move(self.cases, verdict.opener, rewarded)
        token.burn(self.cases, left)

    def _pay_members(self, verdict: Verdict, amount: int) -> int:
        part = amount // len(verdict.votes) if verdict.votes else 0
        for member in verdict.votes:
            self.stakes.token.move(self.cases, member, part)
        return part * len(verdict.votes)
