"""Claiming while quality roots go on: what is planned by one root may be refused by the next."""

import asyncio
from collections.abc import Sequence

from dgrid.chain.contracts import Reverted
from dgrid.chain.court import PayoutClaim
from dgrid.chain.events import Moment, PayoutClaimed
from dgrid.cli.accounts import claim_or_renew
from dgrid.core.identity import Address
from dgrid.wire.quality import PayoutAccount, PayoutKind

PAYEE = Address(bytes(19) + b"\1")
ACCOUNT = PayoutAccount(PayoutKind.NODE, Address(bytes(19) + b"\2"), PAYEE)


def row(total_wei: int) -> PayoutClaim:
    return PayoutClaim(ACCOUNT, total_wei, 0, ())


class Court:
    """Pays rows of the root that counts, and refuses all others."""

    def __init__(self, *roots: int) -> None:
        self.roots = list(roots)
        self.asked = 0

    async def send(self, rows: Sequence[PayoutClaim]) -> Sequence[PayoutClaimed]:
        self.asked += 1
        if [one.total_wei for one in rows] != [self.roots[0]]:
            raise Reverted("NotIncluded", {})
        return [PayoutClaimed(Moment(1, 0, 0, b""), ACCOUNT, self.roots[0], self.roots[0])]

    async def renew(self) -> Sequence[PayoutClaim]:
        rows = [row(self.roots[0])]
        self.roots = self.roots[1:] or self.roots
        return rows


def claimed(court: Court, planned_wei: int) -> tuple[list[int], list[str]]:
    paid, refused = asyncio.run(claim_or_renew(court.send, [row(planned_wei)], renew=court.renew))
    return [one.amount_wei for one in paid], refused


def test_what_counts_is_paid_at_once() -> None:
    court = Court(7)
    assert claimed(court, 7) == ([7], [])
    assert court.asked == 1


def test_a_root_that_became_final_meanwhile_is_claimed_by() -> None:
    court = Court(9)
    assert claimed(court, 7) == ([9], [])
    assert court.asked == 2


def test_a_second_refusal_is_said_and_not_tried_for_ever() -> None:
    court = Court(9, 11)
    paid, refused = claimed(court, 7)
    assert not paid
    assert "claim again" in refused[0]
    assert court.asked == 2
