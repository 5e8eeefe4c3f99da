from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.settlement.judged import BLANK

from dgrid.chain.attendance import LOOKS_APART_S_MAX, Attendance
from dgrid.chain.by_epoch import ByEpoch
from dgrid.chain.events import Role
from dgrid.chain.judging import Draws
from dgrid.chain.view import Anchor, ChainView, Draw, DrawnEvaluator, Member, Opening, PostedQuality
from dgrid.core.identity import Address, Hash
from dgrid.evaluator.planning import (
    SEEDS_AT_ONCE,
    Commit,
    Conclude,
    FixSeed,
    Penalize,
    Pull,
    Reveal,
    Sight,
    Step,
    judges_until_s,
    plan,
    rounds_under_way,
    shows_until_s,
)
from dgrid.evaluator.taking_turns import APART_S, place_in_turn
from dgrid.settlement.rounds import windows_of
from dgrid.wire.messages import EpochRoot, QualityRoot

ME, OTHER, THIRD = (Address(bytes((at,)) * 20) for at in (1, 2, 3))
GATEWAY = Address(b"\x09" * 20)
ROUND = 6
WINDOWS = windows_of(BLANK, ROUND)
LATE_S = APART_S * 3


def member(address: Address, *, active: bool = True) -> Member:
    return Member(Role.EVALUATOR, address, "http://127.0.0.1:1", 10**21, 0, bytes(32), bytes(32), active)


def view_of(*, draws: bool = True, evaluators: tuple[Address, ...] = (ME, OTHER, THIRD)) -> ChainView:
    """Epoch 5 anchored; with draws, its seed fixed in round 6."""
    opens_ms = BLANK.clock.opens_at_ms(ROUND)
    root = EpochRoot(GATEWAY, 5, bytes(20), bytes(32), 1, bytes(32), 10, bytes(32))
    ready = tuple(DrawnEvaluator(one, 10**21, bytes(32), ()) for one in evaluators)
    draw = Draw(GATEWAY, 5, ROUND, b"s" * 32, False, 12, opens_ms + 1_000, ready)
    return replace(
        BLANK,
        members={(Role.EVALUATOR, one): member(one) for one in evaluators},
        declared={(Role.EVALUATOR, one): (b"m" * 32,) for one in evaluators},
        roots=ByEpoch({(GATEWAY, 5): Anchor(root, Hash(root.struct_hash()), 10, opens_ms)}),
        draws=Draws({(GATEWAY, 5): draw} if draws else {}),
    )


def sight(view: ChainView, now_s: int) -> Sight:
    return Sight(ME, view, now_s)


def committed(view: ChainView, *evaluators: Address) -> ChainView:
    return replace(view, commitments=ByEpoch({(ROUND, one): b"c" * 32 for one in evaluators}))


def opened(view: ChainView, *evaluators: Address) -> ChainView:
    return replace(view, openings=ByEpoch({(ROUND, one): Opening(bytes(32), bytes(32)) for one in evaluators}))


def test_nothing_is_done_where_nothing_was_anchored() -> None:
    assert plan(sight(replace(BLANK, members={(Role.EVALUATOR, ME): member(ME)}), WINDOWS.commit_from_s)) is None


def test_a_seed_is_fixed_by_one_evaluator_and_by_the_next_only_if_that_fails() -> None:
    opens_s = BLANK.clock.opens_at_ms(ROUND) // 1000
    view = view_of(draws=False)
    turns = [
        next(at for at in range(opens_s, opens_s + 20) if plan(replace(sight(view, at), me=one)) == FixSeed(GATEWAY, 5))
        for one in (ME, OTHER, THIRD)
    ]
    assert sorted(at - opens_s for at in turns) == [0, APART_S, 2 * APART_S]


def test_who_has_not_said_which_models_it_runs_fixes_no_seed() -> None:
    """Nobody could be drawn by it where it is the first to come."""
    view = replace(view_of(draws=False), declared={})
    assert plan(sight(view, WINDOWS.commit_from_s + 60)) is None


def test_a_void_root_is_never_drawn_from() -> None:
    view = replace(view_of(draws=False), convicted={GATEWAY: 4})
    assert plan(sight(view, WINDOWS.commit_from_s)) is None


def test_void_roots_keep_no_other_from_being_drawn_from() -> None:
    """A gateway that anchors many epochs and has itself convicted leaves roots that wait for a seed for ever."""
    view, cheat, honest = view_of(draws=False), Address(b"\x08" * 20), (GATEWAY, SEEDS_AT_ONCE)
    root = view.roots[GATEWAY, 5]
    void = {(cheat, epoch): root for epoch in range(SEEDS_AT_ONCE)}
    view = replace(view, roots=ByEpoch({**void, honest: root}), convicted={cheat: 0})
    assert plan(sight(view, WINDOWS.commit_from_s)) == FixSeed(*honest)


def test_it_commits_when_all_is_judged_and_in_the_end_with_what_there_is() -> None:
    start_s, last_s = WINDOWS.commit_from_s, judges_until_s(BLANK, ROUND)
    assert plan(sight(view_of(), start_s)) is None
    assert plan(replace(sight(view_of(), start_s), judged=frozenset({ROUND}))) == Commit(ROUND)
    assert plan(replace(sight(view_of(), start_s - 1), judged=frozenset({ROUND}))) is None
    assert plan(sight(view_of(), last_s)) == Commit(ROUND)
    assert plan(replace(sight(view_of(), start_s), fixed=frozenset({ROUND}))) == Commit(ROUND)


def test_it_does_not_commit_twice_nor_where_it_was_not_there_to_be_drawn() -> None:
    last_s = judges_until_s(BLANK, ROUND)
    assert plan(sight(committed(view_of(), ME), last_s)) is None
    joined_late = replace(view_of(evaluators=(OTHER,)), members={(Role.EVALUATOR, ME): member(ME)})
    assert plan(sight(joined_late, last_s)) is None
    left = replace(view_of(), members={(Role.EVALUATOR, ME): member(ME, active=False)})
    assert plan(sight(left, last_s)) is None


def test_it_opens_what_it_committed_and_only_that() -> None:
    mine = replace(sight(committed(view_of(), ME), WINDOWS.reveal_from_s), fixed=frozenset({ROUND}))
    assert plan(mine) == plan(replace(mine, now_s=shows_until_s(BLANK, ROUND) - 1)) == Reveal(ROUND)
    assert plan(replace(mine, fixed=frozenset())) is None  # the disk is lost, and with it the salt
    assert plan(replace(mine, view=view_of())) is None
    assert plan(replace(mine, view=opened(committed(view_of(), ME), ME))) is None
    assert plan(replace(mine, now_s=WINDOWS.open_from_s)) is None


def test_it_opens_while_there_is_time_also_what_no_archive_has_taken() -> None:
    mine = replace(sight(committed(view_of(), ME), shows_until_s(BLANK, ROUND)), fixed=frozenset({ROUND}))
    waited = frozenset[Step]({Reveal(ROUND)})
    assert plan(replace(mine, resting=waited)) == Reveal(ROUND, is_late=True)
    assert plan(replace(mine, resting=waited, now_s=WINDOWS.open_from_s - 1)) == Reveal(ROUND, is_late=True)


def test_who_withholds_is_reported_and_nobody_reports_itself() -> None:
    view = opened(committed(view_of(), ME, OTHER), ME)
    late = replace(sight(view, WINDOWS.open_from_s + LATE_S), resting=frozenset[Step]({Conclude(ROUND, posts=True)}))
    assert plan(late) == Penalize(OTHER, ROUND)
    assert plan(replace(late, now_s=WINDOWS.open_from_s - 1)) is None
    assert plan(replace(late, view=replace(view, penalized=ByEpoch({(ROUND, OTHER): 1})))) is None
    left = replace(view, members={(Role.EVALUATOR, ME): member(ME, active=False)})
    assert plan(replace(late, view=left)) is None  # slashed below the least stake itself
    assert plan(replace(late, me=OTHER, view=opened(committed(view_of(), OTHER), ME))) is None


def test_nobody_is_reported_for_a_silence_that_this_evaluator_did_not_watch() -> None:
    """A network that was stopped between commitment and opening: nobody could open, and nobody looked on."""
    late = replace(sight(committed(view_of(), ME, OTHER), WINDOWS.open_from_s + LATE_S), me=THIRD)
    resumed = Attendance().looked(WINDOWS.open_from_s + 1, wall_s=0.0)
    assert plan(replace(late, attendance=resumed)) is None
    before_s, after_s = WINDOWS.reveal_from_s - 1, WINDOWS.open_from_s + 1
    slept = Attendance().looked(before_s, wall_s=0.0).looked(after_s, wall_s=float(after_s - before_s))
    assert plan(replace(late, attendance=slept)) is None
    awake = Attendance().looked(before_s, wall_s=0.0).looked(after_s, wall_s=LOOKS_APART_S_MAX)
    assert isinstance(plan(replace(late, attendance=awake)), Penalize)


def test_a_round_is_concluded_by_those_who_opened_one_after_the_other() -> None:
    view = opened(committed(view_of(), ME, OTHER), ME, OTHER)
    turn = place_in_turn([ME, OTHER], ME, lot=ROUND.to_bytes(8, "big"))
    start_s = WINDOWS.post_from_s
    assert plan(sight(view, start_s - 1)) is None
    assert plan(sight(view, start_s)) == Conclude(ROUND, posts=turn == 0)
    assert plan(sight(view, start_s + APART_S)) == Conclude(ROUND, posts=True)
    assert plan(replace(sight(view, start_s), me=THIRD)) is None


def test_a_posted_round_is_not_concluded_again() -> None:
    root = QualityRoot(ROUND, bytes(20), bytes(32), bytes(32), 0, 0, bytes(32), bytes(32), bytes(32))
    view = opened(committed(view_of(), ME), ME)
    posted = replace(view, quality_roots=ByEpoch({ROUND: PostedQuality(root, Hash(root.struct_hash()), 20, 0)}))
    seen = [plan(replace(sight(posted, WINDOWS.post_from_s), me=one)) for one in (ME, OTHER, THIRD)]
    assert sorted(seen, key=str) == [None, None, Pull(GATEWAY)]  # one of them looks after what it released


def test_of_several_rounds_that_are_over_the_latest_takes_the_others_in() -> None:
    view = opened(committed(view_of(), ME), ME)
    both = replace(view, openings=ByEpoch({**view.openings, (ROUND - 1, ME): Opening(bytes(32), bytes(32))}))
    assert plan(sight(both, WINDOWS.post_from_s)) == Conclude(ROUND, posts=True)


def test_what_was_just_tried_rests() -> None:
    late = sight(view_of(), judges_until_s(BLANK, ROUND))
    assert plan(replace(late, resting=frozenset[Step]({Commit(ROUND)}))) is None


rounds = st.sampled_from((frozenset[int](), frozenset({ROUND})))
views = st.sampled_from((view_of(), committed(view_of(), ME), opened(committed(view_of(), ME), ME)))


@given(st.integers(0, 400), views, rounds, rounds)
def test_a_round_is_never_opened_before_nor_committed_after_its_window(
    after_s: int, view: ChainView, fixed: frozenset[int], judged: frozenset[int]
) -> None:
    now_s = BLANK.clock.opens_at_ms(ROUND) // 1000 + after_s
    step = plan(replace(sight(view, now_s), fixed=fixed, judged=judged))
    if isinstance(step, Commit):
        assert WINDOWS.commit_from_s <= now_s < WINDOWS.reveal_from_s
    if isinstance(step, Reveal):
        assert WINDOWS.reveal_from_s <= now_s < WINDOWS.open_from_s


def test_a_round_is_under_way_until_half_of_its_commit_window() -> None:
    last_s = judges_until_s(BLANK, ROUND)
    assert WINDOWS.commit_from_s < last_s < WINDOWS.reveal_from_s
    assert rounds_under_way(view_of(), now_s=last_s - 1) == [ROUND]
    assert rounds_under_way(view_of(), now_s=last_s) == []
