"""What an evaluator does next in court: in its window, once, and only where it has a seat."""

from dataclasses import replace

from tests.settlement.judged import BLANK, PARAMETERS

from dgrid.chain.case_events import Outcome, Subject
from dgrid.chain.case_view import Case, Ending, Hearing, Vote
from dgrid.chain.events import Role
from dgrid.chain.view import ChainView, Member
from dgrid.core.identity import Address
from dgrid.evaluator.cases.planning import (
    CASES_AT_ONCE,
    OPENER_FIRST_S,
    AppealRoot,
    CaseSight,
    CaseStep,
    Enrol,
    Execute,
    FixCaseSeed,
    OpenCase,
    Seat,
    Show,
    SlashSigners,
    Unseal,
    enrolling_in,
    finds_until_s,
    may_sit,
    plan_cases,
    shows_until_s,
)
from dgrid.evaluator.cases.planning import Vote as CastVote
from dgrid.evaluator.taking_turns import APART_S
from dgrid.settlement.hearings import HearingWindows, can_be_appealed, is_decided, is_guilty, windows_of_hearing

ME, OTHER, THIRD, NODE = (Address(bytes((at,)) * 20) for at in (1, 2, 3, 9))
MODEL, CASE = b"m" * 32, b"c" * 32
OPENED_S = BLANK.facts.genesis_s + 1_000
ENROL_UNTIL_S = OPENED_S + 12
LATE_S = 10 * APART_S
JURY = (ME, OTHER, THIRD)
SEATED = Hearing(OPENED_S * 1000, b"s" * 32, ENROL_UNTIL_S, 3, JURY)


def view_of(*cases: Case, evaluators: tuple[Address, ...] = JURY) -> ChainView:
    members = {
        (Role.EVALUATOR, one): Member(Role.EVALUATOR, one, "http://a", 10**21, 0, bytes(32), bytes(32), True)
        for one in evaluators
    }
    declared: dict[tuple[Role, Address], tuple[bytes, ...]] = {(Role.EVALUATOR, one): (MODEL,) for one in evaluators}
    return replace(BLANK, members=members, declared=declared, cases={case.id: case for case in cases})


def case_of(*hearings: Hearing, subject: Subject = Subject.IDENTITY, opener: Address = NODE) -> Case:
    accused = Address(b"\x08" * 20)
    return Case(CASE, subject, accused, MODEL, b"e" * 32, opener, (), OPENED_S * 1000, hearings)


def windows(case: Case) -> HearingWindows:
    return windows_of_hearing(view_of(case), case)


def next_step(
    case: Case, now_s: int, *, fixed: bool = False, me: Address = ME, final_s: int | None = None
) -> CaseStep | None:
    stages = frozenset({(CASE, case.stage)} if fixed else ())
    return plan_cases(CaseSight(me, view_of(case), now_s, final_s=final_s, fixed=stages))


def test_someone_fixes_the_seed_and_one_after_the_other() -> None:
    case = case_of(Hearing(OPENED_S * 1000))
    first = [one for one in JURY if next_step(case, OPENED_S, me=one) == FixCaseSeed(CASE, 0)]
    assert len(first) == 1
    assert all(next_step(case, OPENED_S + LATE_S, me=one) == FixCaseSeed(CASE, 0) for one in JURY)


def test_it_enrols_while_it_may_and_not_twice() -> None:
    empty = case_of(replace(SEATED, seats=()))
    assert next_step(empty, ENROL_UNTIL_S - 1) == Enrol(CASE, 0)
    assert next_step(case_of(SEATED), ENROL_UNTIL_S - 1) is None
    assert next_step(case_of(replace(SEATED, seats=(OTHER,))), ENROL_UNTIL_S - 1) == Enrol(CASE, 0)


def test_seats_that_it_has_only_just_asked_for_count_as_seats() -> None:
    empty = replace(SEATED, seats=())
    cases = [replace(case_of(empty), id=bytes((at,)) * 32) for at in range(CASES_AT_ONCE + 2)]
    view, asked = view_of(*cases), set[Seat]()
    for _ in range(len(cases)):  # as in one look: the view does not change between two steps
        sight = CaseSight(ME, view, ENROL_UNTIL_S - 1, enrolling=frozenset(asked))
        if isinstance(step := plan_cases(sight), Enrol):
            asked.add((step.case, step.stage))
    assert len(asked) == CASES_AT_ONCE
    assert asked <= enrolling_in(view, evaluator=ME, now_s=ENROL_UNTIL_S - 1)
    assert not enrolling_in(view, evaluator=ME, now_s=ENROL_UNTIL_S)
    seen = view_of(*(replace(case, hearings=(replace(SEATED, seats=(ME,)),)) for case in cases))
    assert not enrolling_in(seen, evaluator=ME, now_s=ENROL_UNTIL_S - 1)


def test_who_signed_a_root_that_is_called_wrong_appeals_in_its_turn_and_in_time() -> None:
    guilty = {OTHER: Vote(True, b""), THIRD: Vote(True, b"")}
    case = case_of(replace(SEATED, votes=guilty), subject=Subject.QUALITY_ROOT)
    times, view = windows(case), view_of(case)
    last_s = times.appeal_until_s - 1
    seconds = range(times.unseal_until_s - 1, times.appeal_until_s + 1)

    def appeals_at(me: Address) -> list[int]:
        sights = (CaseSight(me, view, at, signed=frozenset({CASE})) for at in seconds)
        return [sight.now_s for sight in sights if plan_cases(sight) == AppealRoot(CASE)]

    assert all(last_s in appeals_at(one) and times.appeal_until_s not in appeals_at(one) for one in JURY)
    assert min(min(appeals_at(one)) for one in JURY) == times.unseal_until_s
    assert len({min(appeals_at(one)) for one in JURY}) == len(JURY)
    assert plan_cases(CaseSight(ME, view, last_s)) is None
    cleared = view_of(case_of(SEATED, subject=Subject.QUALITY_ROOT))
    assert plan_cases(CaseSight(ME, cleared, last_s, signed=frozenset({CASE}))) is None


def test_who_is_party_to_a_case_or_does_not_run_the_model_does_not_sit() -> None:
    case = case_of(SEATED, opener=ME)
    assert not may_sit(view_of(case), case, evaluator=ME)
    other = case_of(SEATED)
    assert may_sit(view_of(other), other, evaluator=ME)
    assert not may_sit(replace(view_of(other), declared={}), other, evaluator=ME)
    root = case_of(SEATED, subject=Subject.QUALITY_ROOT)
    assert may_sit(replace(view_of(root), declared={}), root, evaluator=ME)


def test_who_sat_first_does_not_hear_the_appeal() -> None:
    case = case_of(SEATED, Hearing(OPENED_S * 1000, b"t" * 32, ENROL_UNTIL_S + 99, 5))
    assert not may_sit(view_of(case), case, evaluator=ME)


def test_it_votes_only_what_is_on_disk_and_only_in_its_window() -> None:
    case = case_of(SEATED)
    times = windows(case)
    assert next_step(case, times.enrol_until_s) is None
    assert next_step(case, times.enrol_until_s - 1, fixed=True) is None
    assert next_step(case, times.enrol_until_s, fixed=True) == CastVote(CASE, 0)
    assert next_step(case, times.vote_until_s, fixed=True) is None
    lonely = case_of(replace(SEATED, seats=(ME, OTHER)))
    assert next_step(lonely, times.enrol_until_s, fixed=True) in (None, Execute(CASE))
    assert times.enrol_until_s < finds_until_s(view_of(case), case) < times.vote_until_s


def test_it_opens_its_vote_once_and_in_time() -> None:
    case = case_of(replace(SEATED, sealed=frozenset(JURY)))
    times = windows(case)
    assert next_step(case, times.vote_until_s, fixed=True) == Unseal(CASE, 0)
    assert next_step(case, times.vote_until_s) is None
    assert next_step(case, times.unseal_until_s, fixed=True) is None
    opened = case_of(replace(SEATED, sealed=frozenset(JURY), votes={ME: Vote(False, b"")}))
    assert next_step(opened, times.vote_until_s, fixed=True) is None


def test_it_opens_nothing_while_blocks_that_take_votes_could_still_be_replaced_unless_the_chain_stands_still() -> None:
    case = case_of(replace(SEATED, sealed=frozenset(JURY)))
    times = windows(case)
    seconds = range(times.vote_until_s, times.unseal_until_s)
    waits = [at for at in seconds if next_step(case, at, fixed=True, final_s=times.vote_until_s - 1) is None]
    assert waits == list(range(times.vote_until_s, times.vote_until_s + len(waits)))
    assert 0 < 2 * len(waits) <= shows_until_s(view_of(case), case) - times.vote_until_s
    assert all(next_step(case, at, fixed=True, final_s=times.vote_until_s) is not None for at in seconds)
    assert next_step(case, times.vote_until_s - 1, fixed=True, final_s=times.vote_until_s) is None


def test_an_opening_waits_for_an_archive_for_a_while_only() -> None:
    case = case_of(replace(SEATED, sealed=frozenset(JURY)))
    times, view = windows(case), view_of(case)
    seconds = range(times.vote_until_s, times.unseal_until_s)
    late = [step.is_late for at in seconds if isinstance(step := next_step(case, at, fixed=True), Unseal)]
    assert late == [at >= shows_until_s(view, case) for at in seconds]
    assert {True, False} == set(late)


def test_it_shows_what_an_opened_vote_rests_on_for_as_long_as_the_case_goes_on() -> None:
    appealed = (replace(SEATED, votes={ME: Vote(True, b"")}), Hearing(OPENED_S * 1000, b"t" * 32, ENROL_UNTIL_S, 5))
    case = case_of(*appealed, subject=Subject.QUALITY_ROOT)
    unshown = frozenset({(CASE, 0), (b"d" * 32, 0)})

    def shows(case: Case, me: Address = ME) -> CaseStep | None:
        return plan_cases(CaseSight(me, view_of(case), ENROL_UNTIL_S - 1, unshown=unshown))

    assert shows(case) == Show(CASE, 0)
    assert shows(case, OTHER) is None  # it has opened nothing: what it found may still be of use to a liar
    assert shows(replace(case, ending=Ending(Outcome.CONVICTED, 0, 0, 0, 0, OPENED_S * 1000))) is None


def test_a_verdict_is_carried_out_after_the_time_for_an_appeal() -> None:
    case = case_of(SEATED)
    times, view = windows(case), view_of(case)
    assert not is_decided(view, case, now_s=times.appeal_until_s - 1)
    assert is_decided(view, case, now_s=times.appeal_until_s)
    assert next_step(case, times.appeal_until_s + LATE_S) == Execute(CASE)
    appealed = case_of(SEATED, replace(SEATED, size=3, seats=(NODE, NODE, NODE)))
    assert is_decided(view_of(appealed), appealed, now_s=windows(appealed).unseal_until_s)


def test_a_case_without_a_jury_ends_when_nobody_can_enrol_any_more() -> None:
    case = case_of(replace(SEATED, seats=(ME,)))
    assert not is_decided(view_of(case), case, now_s=ENROL_UNTIL_S - 1)
    assert is_decided(view_of(case), case, now_s=ENROL_UNTIL_S)


def test_only_a_complete_first_hearing_can_be_appealed_and_only_for_a_while() -> None:
    case = case_of(SEATED)
    times, view = windows(case), view_of(case)
    seconds = range(times.enrol_until_s, times.appeal_until_s + 5)
    assert [at for at in seconds if can_be_appealed(view, case, now_s=at)] == list(
        range(times.unseal_until_s, times.appeal_until_s)
    )
    twice = case_of(SEATED, SEATED)
    assert not can_be_appealed(view_of(twice), twice, now_s=times.unseal_until_s)


def test_two_of_three_seats_convict_and_a_silent_seat_counts_as_not_guilty() -> None:
    def verdict(*said: bool) -> bool:
        votes = {one: Vote(guilty, b"") for one, guilty in zip(JURY, said, strict=False)}
        case = case_of(replace(SEATED, votes=votes))
        return is_guilty(view_of(case), case, hearing=case.hearing)

    assert PARAMETERS.case_committee == 3
    assert verdict(True, True, False)
    assert verdict(True, True)
    assert not verdict(True, False, False)
    assert not verdict(True)


def test_it_accuses_of_what_it_can_prove_unless_somebody_did() -> None:
    case = case_of(SEATED)
    charges = frozenset({case.charge})
    assert plan_cases(CaseSight(ME, view_of(), OPENED_S, charges=charges)) == OpenCase(case.charge)
    stands = case_of(replace(SEATED, seats=JURY))
    assert plan_cases(CaseSight(ME, view_of(stands), OPENED_S, charges=charges)) is None


def test_the_opener_slashes_the_signers_of_an_overturned_root_once() -> None:
    ending = Ending(Outcome.CONVICTED, 0, 0, 0, 0, OPENED_S * 1000)
    case = replace(case_of(SEATED, subject=Subject.QUALITY_ROOT, opener=ME), ending=ending)
    assert plan_cases(CaseSight(ME, view_of(case), OPENED_S)) == SlashSigners(CASE)
    assert plan_cases(CaseSight(ME, view_of(case), OPENED_S, settled=frozenset({CASE}))) is None
    assert plan_cases(CaseSight(OTHER, view_of(case), OPENED_S)) is None
    assert plan_cases(CaseSight(OTHER, view_of(case), OPENED_S + OPENER_FIRST_S + LATE_S)) == SlashSigners(CASE)
