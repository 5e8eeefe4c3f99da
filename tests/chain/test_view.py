from hypothesis import given
from hypothesis import strategies as st

from dgrid.chain.events import (
    ChainEvent,
    Deposited,
    Drawn,
    LineChanged,
    LineLowering,
    Listed,
    MemberRegistered,
    Moment,
    Role,
    StakeChanged,
    Withdrawn,
    WithdrawRequested,
)
from dgrid.chain.view import ChainView, apply, fold
from dgrid.core.identity import Address, ChannelId, ListingId, ModelId
from dgrid.core.money import Price
from dgrid.wire.messages import ChannelConfig

AT = Moment(1, 0, 1_000, bytes(32))
A, B = Address(b"\x01" * 20), Address(b"\x02" * 20)
CHANNEL = ChannelId(b"\x03" * 32)
CONFIG = ChannelConfig(A, A, B, B, B, 60, bytes(32))

amounts = st.integers(0, 2**100)
channel_events = st.one_of(
    st.builds(lambda n, t: Deposited(AT, CHANNEL, n, t, CONFIG), amounts, amounts),
    st.builds(lambda n, t: WithdrawRequested(AT, CHANNEL, n, t), amounts, amounts),
    st.builds(lambda n: Withdrawn(AT, CHANNEL, n), amounts),
    st.builds(lambda n, t: Drawn(AT, CHANNEL, 0, n, t), amounts, amounts),
    st.builds(lambda n: LineChanged(AT, A, B, n), amounts),
    st.builds(lambda n: LineLowering(AT, A, B, n, 5), amounts),
)


@given(st.lists(channel_events, max_size=12), st.integers(0, 12))
def test_folding_in_two_parts_is_folding_at_once_and_changes_nothing_given(events: list[ChainEvent], cut: int) -> None:
    start = ChainView()
    at_once = fold(start, events)
    assert fold(fold(start, events[:cut]), events[cut:]) == at_once
    one_by_one = start
    for event in events:
        one_by_one = apply(one_by_one, event)
    assert one_by_one == at_once
    assert start == ChainView()


def test_a_lowered_line_counts_at_once_and_a_raise_calls_it_off() -> None:
    view = fold(ChainView(), [LineChanged(AT, A, B, 100), LineLowering(AT, A, B, 40, 5)])
    assert view.lines[(A, B)] == 40
    assert apply(view, LineChanged(AT, A, B, 70)).lines[(A, B)] == 40  # the bond paid 30 for the node meanwhile
    assert apply(view, LineChanged(AT, A, B, 30)).lines[(A, B)] == 30
    assert apply(view, LineChanged(AT, A, B, 120)).lines[(A, B)] == 120


def test_a_member_below_the_minimum_is_not_active() -> None:
    joined = MemberRegistered(AT, Role.NODE, A, 100, "http://x", bytes(32), bytes(32), 0)
    view = fold(ChainView(minimum_stake_wei=50), [joined])
    assert [member.address for member in view.active(Role.NODE)] == [A]
    assert not apply(view, StakeChanged(AT, Role.NODE, A, 49)).active(Role.NODE)


def test_nobody_takes_a_models_listing_over_by_listing_it_again() -> None:
    model = ModelId(b"\x07" * 32)
    first = Listed(AT, ListingId(b"\x08" * 32), 1, A, model, Price(1, 1), (A,), (10_000,))
    squat = Listed(AT, ListingId(b"\x09" * 32), 1, B, model, Price(9, 9), (B,), (10_000,))
    revised = Listed(AT, ListingId(b"\x08" * 32), 2, A, model, Price(2, 2), (A,), (10_000,))
    view = fold(ChainView(), [first, squat, revised])
    assert view.listings[model].price == Price(2, 2)
    assert view.listing_versions[(first.listing_id, 1)].price == Price(1, 1)
    assert len(view.listing_versions) == 3


def test_a_withdrawal_called_off_leaves_the_channel_open() -> None:
    view = fold(ChainView(), [Deposited(AT, CHANNEL, 9, 9, CONFIG), WithdrawRequested(AT, CHANNEL, 9, 5_000)])
    assert view.channels[CHANNEL].withdraw_requested_ms == 1_000
    assert apply(view, WithdrawRequested(AT, CHANNEL, 0, 0)).channels[CHANNEL].withdraw_requested_ms is None
