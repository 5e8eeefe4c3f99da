from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from tests.poq.world import address

from dgrid.core.identity import Address
from dgrid.poq.node_pay import Settled
from dgrid.poq.turns import RELEASES_MAX, Turn, credits_of, owed_by_gateway, take_turn
from dgrid.wire.quality import PayoutAccount, PayoutKind, PayoutRow, amount_of

GATEWAYS = [Address(bytes([at]) * 20) for at in range(8)]
ACCOUNTS = st.builds(
    PayoutAccount,
    st.sampled_from((PayoutKind.NODE, PayoutKind.PAYER)),
    st.sampled_from(GATEWAYS),
    st.sampled_from(GATEWAYS),
)
CREDITS = st.dictionaries(ACCOUNTS, st.integers(1, 2**90) | st.just(1), max_size=30)


def rows(credits_: Mapping[PayoutAccount, int]) -> list[PayoutRow]:
    return [PayoutRow(*account, amount_of(wei)) for account, wei in credits_.items()]


def settled(gateway: str, node_wei: int, *refunds: int) -> Settled:
    parts = tuple((address(f"payer {at}"), wei) for at, wei in enumerate(refunds))
    return Settled(address(gateway), address("node"), node_wei + sum(refunds), node_wei, parts)


@given(CREDITS, st.integers(1, 8))
def test_every_credit_is_taken_or_waits_and_the_releases_are_what_is_taken(
    owed: dict[PayoutAccount, int], most: int
) -> None:
    turn = take_turn(owed, most=most)
    assert {**turn.taken, **turn.waiting} == owed
    assert not turn.taken.keys() & turn.waiting.keys()
    assert turn.releases == owed_by_gateway(turn.taken)
    assert len(turn.releases) == min(most, len(owed_by_gateway(owed)))
    assert list(turn.releases) == sorted(turn.releases)


@given(CREDITS, st.integers(1, 8))
def test_nobody_waits_for_one_that_is_owed_less(owed: dict[PayoutAccount, int], most: int) -> None:
    turn = take_turn(owed, most=most)
    waiting = owed_by_gateway(turn.waiting)
    assert max(waiting.values(), default=0) <= min(turn.releases.values(), default=0)


@given(CREDITS, st.randoms())
def test_the_order_of_what_is_owed_does_not_matter(owed: dict[PayoutAccount, int], chance: object) -> None:
    shuffled = list(owed.items())
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert take_turn(dict(shuffled), most=3) == take_turn(owed, most=3)


@given(CREDITS)
def test_what_waits_is_all_taken_once_nothing_comes_on_top(owed: dict[PayoutAccount, int]) -> None:
    taken: list[Turn] = []
    left: Mapping[PayoutAccount, int] = owed
    while left:
        taken.append(take_turn(credits_of(rows(left), ()), most=3))
        left = taken[-1].waiting
    assert len(taken) == -(-len(owed_by_gateway(owed)) // 3)
    assert {account: wei for turn in taken for account, wei in turn.taken.items()} == owed


def test_a_gateway_that_waits_is_overtaken_until_it_is_owed_most() -> None:
    """So its turn comes, however many others there are in every round."""
    waiting: list[PayoutRow] = []
    for _ in range(20):
        busy = [settled(f"busy {at}", 10) for at in range(3)]
        turn = take_turn(credits_of(waiting, [*busy, settled("small", 1)]), most=3)
        if address("small") in turn.releases:
            return
        waiting = rows(turn.waiting)
    raise AssertionError("it waits for ever")


def test_refunds_wait_with_their_node() -> None:
    turn = take_turn(credits_of((), [settled("small", 5, 2, 0), settled("large", 10, 3)]), most=1)
    assert list(turn.releases.items()) == [(address("large"), 13)]
    assert {(one.kind, wei) for one, wei in turn.waiting.items()} == {(PayoutKind.NODE, 5), (PayoutKind.PAYER, 2)}


def test_a_root_has_room_for_as_many_gateways_as_the_court_takes() -> None:
    many = [settled(f"g{at}", 1) for at in range(RELEASES_MAX + 1)]
    turn = take_turn(credits_of((), many))
    assert len(turn.releases) == RELEASES_MAX
    (left,) = turn.waiting
    assert left.gateway == max(one.gateway for one in many)
