"""A gateway out of service ends what it had begun, and nothing else, and not for ever."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.settlement.judged import BLANK, FACTS

from dgrid.chain.events import Role
from dgrid.chain.view import ChainView, Member
from dgrid.core.identity import Address
from dgrid.settlement.claims import pays_by_default
from dgrid.settlement.finishing import may_finish, overdue_from_s

GATEWAY = Address(b"\x01" * 20)
EPOCH = 10
CLOCK = FACTS.clock


def view_of(*, out_since_ms: int, active: bool = False) -> ChainView:
    member = Member(Role.GATEWAY, GATEWAY, "", 1, 0, b"", b"", active=active, out_since_ms=out_since_ms)
    return replace(BLANK, members={(Role.GATEWAY, GATEWAY): member})


LEFT = view_of(out_since_ms=CLOCK.opens_at_ms(EPOCH) + 1)
NOW_S = CLOCK.closes_at_ms(EPOCH) // 1000 + 1


def finishes(view: ChainView, *, epoch: int = EPOCH, now_s: int = NOW_S) -> bool:
    return may_finish(view, GATEWAY, epoch=epoch, now_s=now_s)


def test_what_it_had_begun_it_may_finish_and_what_began_later_not() -> None:
    assert finishes(LEFT)
    assert finishes(LEFT, epoch=EPOCH - 1)
    assert not finishes(LEFT, epoch=EPOCH + 1)


def test_it_may_until_its_payees_claim_without_a_root() -> None:
    last_s = overdue_from_s(LEFT, EPOCH)
    assert finishes(LEFT, now_s=last_s - 1)
    assert not finishes(LEFT, now_s=last_s)
    assert pays_by_default(LEFT, GATEWAY, epoch=EPOCH, now_s=last_s)
    assert not pays_by_default(LEFT, GATEWAY, epoch=EPOCH, now_s=last_s - 1)


def test_what_a_conviction_voids_is_not_finished() -> None:
    assert not finishes(replace(LEFT, convicted={GATEWAY: EPOCH}))
    assert finishes(replace(LEFT, convicted={GATEWAY: EPOCH + 1}))


def test_who_never_was_in_service_finishes_nothing() -> None:
    assert not finishes(view_of(out_since_ms=0))
    assert not finishes(BLANK)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_who_is_in_service_is_asked_nothing(epoch: int, after_s: int) -> None:
    assert finishes(view_of(out_since_ms=0, active=True), epoch=epoch, now_s=CLOCK.genesis_s + after_s)


@given(st.integers(0, 10_000))
def test_of_one_that_is_out_only_so_many_epochs_are_open_at_once(out_after_s: int) -> None:
    view, now_s = view_of(out_since_ms=1000 * (CLOCK.genesis_s + out_after_s)), CLOCK.genesis_s + out_after_s
    most = BLANK.parameters.at(0).default_seconds // CLOCK.length_s + 2
    assert sum(finishes(view, epoch=epoch, now_s=now_s) for epoch in range(600)) <= most
