from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dgrid.chain.ballots import ProposalExecuted, Voted
from dgrid.chain.events import (
    AuthorSet,
    ChainEvent,
    Claimed,
    Collected,
    CommissionSet,
    Committed,
    Convicted,
    Deposited,
    Drawn,
    Jailed,
    Kind,
    LineChanged,
    LineLowering,
    Listed,
    MemberRegistered,
    MemberUpdated,
    ModelsDeclared,
    Moment,
    ParameterSet,
    PayoutClaimed,
    Penalized,
    PoolChanged,
    QualityPosted,
    Revealed,
    Role,
    SeedFixed,
    StakeChanged,
    Unjailed,
    UnprovenChanged,
    Withdrawn,
    WithdrawRequested,
)
from dgrid.chain.view import ChainView, DrawnEvaluator, apply, fold
from dgrid.core.identity import Address, ChannelId, Hash, ListingId, ModelId
from dgrid.core.money import Price
from dgrid.wire.messages import ChannelConfig, QualityRoot
from dgrid.wire.quality import PayoutAccount, PayoutKind

AT = Moment(1, 0, 1_000, bytes(32))
A, B = Address(b"\x01" * 20), Address(b"\x02" * 20)
CHANNEL = ChannelId(b"\x03" * 32)
CONFIG = ChannelConfig(A, A, B, B, B, 60, bytes(32))

amounts = st.integers(0, 2**100)
addresses = st.sampled_from((A, B))
judging_events = st.one_of(
    st.builds(lambda who: MemberRegistered(AT, Role.EVALUATOR, who, 9, "", bytes(32), bytes(32), 0), addresses),
    st.builds(lambda who, n: StakeChanged(AT, Role.EVALUATOR, who, n), addresses, st.integers(0, 9)),
    st.builds(lambda who, n: ModelsDeclared(AT, Role.EVALUATOR, who, (bytes(n),)), addresses, st.integers(0, 3)),
    st.builds(lambda n: SeedFixed(AT, A, n, n, bytes(32), False), st.integers(0, 3)),
    st.builds(lambda who, n: Committed(AT, who, n, bytes(32)), addresses, st.integers(0, 3)),
    st.builds(lambda who, n: Revealed(AT, who, n, bytes(32), bytes(32)), addresses, st.integers(0, 3)),
    st.builds(lambda who, n: Penalized(AT, who, n, 5, who), addresses, st.integers(0, 3)),
    st.builds(lambda who, allowed: AuthorSet(AT, who, allowed), addresses, st.booleans()),
    st.builds(lambda who, n: PayoutClaimed(AT, PayoutAccount(PayoutKind.PAYER, A, who), n, n), addresses, amounts),
)
member_events = st.one_of(
    st.builds(lambda n, value: ParameterSet(AT, n, value, 0), st.integers(0, 48), st.integers(0, 9)),
    st.builds(lambda who, weight: Voted(AT, 1, who, 1, weight, ""), addresses, amounts),
    st.just(ProposalExecuted(AT, 1)),
)
channel_events = st.one_of(
    st.builds(lambda n, t: Deposited(AT, CHANNEL, n, t, CONFIG), amounts, amounts),
    st.builds(lambda n, t: WithdrawRequested(AT, CHANNEL, n, t), amounts, amounts),
    st.builds(lambda n: Withdrawn(AT, CHANNEL, n), amounts),
    st.builds(lambda n, t: Drawn(AT, CHANNEL, 0, n, t), amounts, amounts),
    st.builds(lambda n: LineChanged(AT, A, B, n), amounts),
    st.builds(lambda n: LineLowering(AT, A, B, n, 5), amounts),
)


@given(st.lists(channel_events | judging_events | member_events, max_size=12), st.integers(0, 12))
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


def test_what_no_root_has_shown_uses_a_line_up_until_one_does() -> None:
    view = fold(ChainView(), [LineChanged(AT, A, B, 100), UnprovenChanged(AT, A, B, 30)])
    assert (view.lines[(A, B)], view.line_amounts[(A, B)]) == (70, 100)
    assert apply(view, LineLowering(AT, A, B, 20, 5)).lines[(A, B)] == 0
    assert apply(view, UnprovenChanged(AT, A, B, 0)).lines[(A, B)] == 100


def test_a_member_below_the_minimum_is_not_active() -> None:
    joined = MemberRegistered(AT, Role.NODE, A, 100, "http://x", bytes(32), bytes(32), 0)
    view = fold(ChainView(minimum_stake_wei=50), [joined])
    assert [member.address for member in view.active(Role.NODE)] == [A]
    assert view.is_active(Role.NODE, A)
    assert not view.is_active(Role.NODE, B)
    assert not view.is_active(Role.GATEWAY, A)
    short = apply(view, StakeChanged(AT, Role.NODE, A, 49))
    assert not short.active(Role.NODE)
    assert not short.is_active(Role.NODE, A)


def test_when_a_member_ceased_to_be_active_is_known_until_it_is_again() -> None:
    at = [replace(AT, timestamp_ms=1_000 * second) for second in range(1, 9)]
    begun = fold(ChainView(), [MemberRegistered(at[0], Role.NODE, A, 100, "http://x", bytes(32), bytes(32), 0)])
    told: list[tuple[ChainEvent, int]] = [
        (StakeChanged(at[1], Role.NODE, A, 90), 0),
        (Jailed(at[2], Role.NODE, A, 99), 3_000),
        (MemberUpdated(at[3], Role.NODE, A, "http://y", bytes(32), bytes(32), 0), 3_000),
        (Unjailed(at[4], Role.NODE, A), 0),
        (StakeChanged(at[5], Role.NODE, A, 0), 6_000),
        (StakeChanged(at[6], Role.NODE, A, 100), 0),
    ]
    for event, out_since_ms in told:
        begun = apply(begun, event)
        assert begun.members[Role.NODE, A].out_since_ms == out_since_ms, event
    small = fold(ChainView(minimum_stake_wei=50), [MemberRegistered(AT, Role.NODE, B, 9, "", bytes(32), bytes(32), 0)])
    assert small.members[Role.NODE, B].out_since_ms == 0


def test_what_others_entrusted_to_a_member_makes_it_no_more_active_and_outlasts_what_it_says_anew() -> None:
    joined = MemberRegistered(AT, Role.NODE, A, 40, "http://x", bytes(32), bytes(32), 0)
    trusted: list[ChainEvent] = [PoolChanged(AT, Role.NODE, A, 70, 5), CommissionSet(AT, Role.NODE, A, 300)]
    moved = MemberUpdated(AT, Role.NODE, A, "http://y", bytes(32), bytes(32), 0)
    left_and_came_back: list[ChainEvent] = [StakeChanged(AT, Role.NODE, A, 0), replace(joined, stake_wei=45)]
    view = fold(ChainView(minimum_stake_wei=50), [joined, *trusted, moved, *left_and_came_back])
    member = view.members[Role.NODE, A]
    assert (member.delegated_wei, member.commission_bps, member.stake_wei, member.active) == (70, 300, 45, False)
    assert apply(view, PoolChanged(AT, Role.NODE, A, 0, 0)).members[Role.NODE, A].delegated_wei == 0
    assert fold(ChainView(), trusted).members == {}


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


def test_a_channel_holds_what_was_deposited_less_what_was_withdrawn_and_drawn() -> None:
    begun: list[ChainEvent] = [Deposited(AT, CHANNEL, 9, 9, CONFIG), WithdrawRequested(AT, CHANNEL, 5, 5_000)]
    paid_out: list[ChainEvent] = [Drawn(AT, CHANNEL, 0, 2, 2), Withdrawn(AT, CHANNEL, 4), Drawn(AT, CHANNEL, 1, 1, 3)]
    view = fold(ChainView(), [*begun, *paid_out, Drawn(AT, CHANNEL, 1, 1, 4)])
    channel = view.channels[CHANNEL]
    assert (channel.deposited_wei, channel.drawn_wei, channel.balance_wei) == (5, 4, 1)
    assert (channel.withdraw_wei, channel.withdraw_requested_ms, channel.withdraw_available_ms) == (0, None, None)
    assert view.drawn_in_lane == {(CHANNEL, 0): 2, (CHANNEL, 1): 2}


@given(st.lists(st.tuples(addresses, addresses, st.sampled_from(Kind), amounts), max_size=12))
def test_each_gateway_and_payee_is_known_by_all_that_ever_moved(
    moves: list[tuple[Address, Address, Kind, int]],
) -> None:
    view, claimed = ChainView(), Counter[tuple[Address, Kind, int, Address]]()
    collected, received = Counter[Address](), Counter[tuple[Address, Kind]]()
    for gateway, payee, kind, amount in moves:
        party = gateway, kind, 0, payee
        claimed[party] += amount
        collected[gateway] += amount
        received[payee, kind] += amount
        paid = Claimed(AT, gateway, payee, kind, 0, amount, claimed[party])
        view = fold(view, [Collected(AT, gateway, CHANNEL, 1, 0, amount, amount), paid])
    assert (view.collected, view.received, view.claimed) == (collected, received, claimed)


@given(st.lists(st.integers(0, 9), min_size=1))
def test_a_conviction_voids_from_the_earliest_epoch_that_was_ever_named(epochs: list[int]) -> None:
    view = fold(ChainView(), [Convicted(AT, A, epoch, 0, B, 1) for epoch in epochs])
    assert [epoch for epoch in range(10) if view.is_void(A, epoch)] == list(range(min(epochs), 10))
    assert not view.is_void(B, 9)


def test_a_draw_keeps_the_evaluators_of_its_moment_in_ascending_order() -> None:
    joined: list[ChainEvent] = [
        MemberRegistered(AT, Role.EVALUATOR, who, 60, "", bytes(32), who[:1] * 32, 0) for who in (B, A)
    ]
    events = [*joined, ModelsDeclared(AT, Role.EVALUATOR, B, (b"m",)), ModelsDeclared(AT, Role.NODE, A, (b"n",))]
    view = fold(ChainView(minimum_stake_wei=50), [*events, SeedFixed(AT, A, 3, 7, b"s" * 32, False)])
    later: list[ChainEvent] = [StakeChanged(AT, Role.EVALUATOR, A, 49), ModelsDeclared(AT, Role.EVALUATOR, B, ())]
    draw = fold(view, later).draws[(A, 3)]
    assert draw == view.draws[(A, 3)]
    assert (draw.round, draw.expired, draw.block, draw.timestamp_ms) == (7, False, AT.block, AT.timestamp_ms)
    assert draw.evaluators == (DrawnEvaluator(A, 60, b"\x01" * 32, ()), DrawnEvaluator(B, 60, b"\x02" * 32, (b"m",)))
    after = fold(view, [*later, SeedFixed(AT, A, 4, 7, b"t" * 32, True)]).draws[(A, 4)]
    assert after.evaluators == (DrawnEvaluator(B, 60, b"\x02" * 32, ()),)


def test_what_was_committed_is_opened_or_reported_or_waits_and_each_is_counted() -> None:
    given = [Committed(AT, who, number, bytes(32)) for who in (A, B) for number in (1, 2, 300)]
    kept = Revealed(AT, A, 1, bytes(32), bytes(32)), Revealed(AT, A, 300, bytes(32), bytes(32))
    view = fold(ChainView(), [*given, *kept, Penalized(AT, B, 1, 5, A)])
    assert sorted(view.unopened()) == [(2, A), (2, B), (300, B)]
    assert (view.rounds_opened, view.rounds_withheld) == ({A: 2}, {B: 1})


def test_the_last_quality_round_is_that_of_the_last_posted_root() -> None:
    assert ChainView().last_quality_round == -1
    none = bytes(32)
    roots = [QualityRoot(at, bytes(20), none, none, 0, 0, none, none, none) for at in (0, 4)]
    view = fold(ChainView(), [QualityPosted(AT, root, Hash(root.struct_hash()), A) for root in roots])
    assert view.last_quality_round == 4
    assert view.quality_roots[4].root == roots[1]
