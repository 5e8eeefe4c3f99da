"""Whose pay-outs a root takes in, and whose wait for the next: the court takes a bounded number of gateways at once.

Those come first who are owed most, of equal ones the lowest address. What waits grows with every round until its turn
comes, and many that are owed next to nothing keep nobody waiting. Refuses to split what one gateway is owed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dgrid.core.identity import Address
from dgrid.poq.node_pay import Settled
from dgrid.wire.quality import PayoutAccount, PayoutKind, PayoutRow

RELEASES_MAX = 64  # gateways from which one root may take releases; the court's MAX_RELEASES

Credits = Mapping[PayoutAccount, int]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one root takes in: wei by gateway, the credits these are, and the credits that wait."""

    releases: Mapping[bytes, int]
    taken: Credits
    waiting: Credits


def take_turn(credits_: Credits, *, most: int = RELEASES_MAX) -> Turn:
    """Shares out a round's credits of nodes and payers. Each is taken or waits; the releases are what is taken."""
    owed = owed_by_gateway(credits_)
    first = sorted(owed, key=lambda gateway: (-owed[gateway], gateway))[:most]
    releases = {gateway: owed[gateway] for gateway in sorted(first)}
    taken = {account: wei for account, wei in credits_.items() if account.gateway in releases}
    waiting = {account: wei for account, wei in credits_.items() if account.gateway not in releases}
    return Turn(releases, taken, waiting)


def credits_of(waiting: Iterable[PayoutRow], settled: Iterable[Settled]) -> dict[PayoutAccount, int]:
    """What nodes and payers are owed that no root has taken in: what waited, and what a round adds. No zeros."""
    found: dict[PayoutAccount, int] = defaultdict(int)
    for row in waiting:
        found[row.account] += row.total_wei
    for one in settled:
        found[PayoutAccount(PayoutKind.NODE, Address(one.gateway), Address(one.node))] += one.node_wei
        for payer, wei in one.refunds:
            found[PayoutAccount(PayoutKind.PAYER, Address(one.gateway), Address(payer))] += wei
    return {account: wei for account, wei in sorted(found.items()) if wei}


def owed_by_gateway(credits_: Credits) -> dict[bytes, int]:
    """Wei by gateway."""
    owed: dict[bytes, int] = defaultdict(int)
    for account, wei in credits_.items():
        owed[account.gateway] += wei
    return dict(owed)
