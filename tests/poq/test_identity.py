from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.poq.world import RULES

from dgrid.core.keccak import keccak
from dgrid.poq.identity import (
    NEVER,
    agreed_gap,
    cleared,
    convicts,
    doubt,
    is_doubted,
    laundering,
    panel_finding,
    suspect,
    sworn_evidence,
    threshold_of,
)
from dgrid.wire.quality import Identity, SuspicionRow

KNOWN = RULES.identity
THRESHOLD = KNOWN.gap_micros
NODE, MODEL = b"n" * 20, b"m" * 32


def finding(gap: int, *, likelihood: int = -300_000, misses: int = 0, tokens: int = 10) -> Identity:
    return Identity(tokens, gap, 2 * gap, misses, likelihood)


def after(gaps: list[int]) -> SuspicionRow:
    row = SuspicionRow(NODE, MODEL, (), NEVER)
    for number, gap in enumerate(gaps):
        row = suspect(row, gap, threshold_micros=THRESHOLD, round_=number, rules=KNOWN)
    return row


def test_five_replies_of_another_model_flag_and_four_do_not() -> None:
    assert after([300_000] * 4).flagged_round == NEVER
    assert after([300_000] * 5).flagged_round == 4


@given(st.lists(st.integers(0, THRESHOLD), max_size=300))
def test_a_node_within_the_honest_shift_is_never_flagged_however_often_it_is_looked_at(gaps: list[int]) -> None:
    row = after(gaps)
    assert row.flagged_round == NEVER
    assert len(row.gaps_micros) <= KNOWN.window


@pytest.mark.parametrize("seed", range(20))
def test_cheating_on_a_third_of_the_replies_is_found_within_twenty_checks(seed: int) -> None:
    """400 requests at a 5 % check."""
    rng = Random(seed)
    gaps = [450_000 if at % 3 == 0 else rng.randrange(60_000) for at in range(20)]
    rng.shuffle(gaps)
    assert after(gaps).flagged_round != NEVER


def test_one_reply_alone_cannot_flag() -> None:
    wild = agreed([10**9] * 3)
    assert wild == KNOWN.clip * THRESHOLD
    assert after([5_000] * 12 + [wild]).flagged_round == NEVER


def test_a_flag_stands_and_its_round_is_the_first() -> None:
    assert after([300_000] * 5 + [0] * 200).flagged_round == 4


@pytest.mark.parametrize("round_", range(3))
def test_no_round_is_too_early_to_be_flagged_in(round_: int) -> None:
    row = after([300_000] * 4)
    for number in (round_, round_ + 1):
        row = suspect(row, 300_000, threshold_micros=THRESHOLD, round_=number, rules=KNOWN)
        assert row.flagged_round == round_


def agreed(gaps: list[int]) -> int | None:
    return agreed_gap([finding(gap) for gap in gaps], THRESHOLD, share_bps=KNOWN.agreement_bps, rules=KNOWN)


def most(gaps: list[int]) -> int | None:
    return agreed_gap([finding(gap) for gap in gaps], THRESHOLD, share_bps=KNOWN.majority_bps, rules=KNOWN)


def test_one_liar_neither_condemns_nor_clears() -> None:
    assert agreed([5_000, 6_000, 500_000]) is None
    assert agreed([400_000, 450_000, 1_000]) is None


def test_a_gap_at_the_threshold_lies_within_it() -> None:
    assert agreed([5_000, THRESHOLD, THRESHOLD]) == THRESHOLD
    assert agreed([5_000, THRESHOLD + 1, THRESHOLD + 1]) is None


def test_what_is_not_far_off_speaks_for_a_node() -> None:
    far = KNOWN.far * THRESHOLD
    assert sworn_evidence([far], THRESHOLD, rules=KNOWN) == -KNOWN.near_loss_micros
    assert sworn_evidence([far, far + 1], THRESHOLD, rules=KNOWN) == KNOWN.far_gain_micros - KNOWN.near_loss_micros


def test_one_liar_of_three_neither_raises_nor_takes_away_a_doubt() -> None:
    assert most([5_000, 6_000, 500_000]) == 6_000
    assert most([400_000, 450_000, 1_000]) == KNOWN.clip * THRESHOLD


def test_a_panel_in_two_halves_says_nothing() -> None:
    assert most([5_000, 500_000]) is None
    assert most([5_000, 6_000, 500_000, 500_000]) is None


def doubted(gaps: list[int]) -> SuspicionRow:
    row = SuspicionRow(NODE, MODEL, (), NEVER)
    for gap in gaps:
        row = doubt(row, gap, rules=KNOWN)
    return row


def test_two_findings_among_five_make_a_doubt_and_one_does_not() -> None:
    assert is_doubted(doubted([5_000] * 3 + [300_000] * 2), THRESHOLD, rules=KNOWN)
    assert not is_doubted(doubted([5_000] * 4 + [300_000]), THRESHOLD, rules=KNOWN)
    assert not is_doubted(doubted([300_000] * 4), THRESHOLD, rules=KNOWN)
    assert doubted([300_000] * 9).flagged_round == NEVER


def test_who_is_flagged_is_asked_and_an_acquittal_forgets_it_all() -> None:
    row = after([300_000] * 5)
    assert is_doubted(row, THRESHOLD, rules=KNOWN)
    assert cleared(row) == SuspicionRow(NODE, MODEL, (), -1), "as the table writes it: never"
    assert not is_doubted(cleared(row), THRESHOLD, rules=KNOWN)


@pytest.mark.parametrize(
    ("far", "of", "convicted"),
    [(4, 20, True), (3, 20, False), (4, 15, True), (3, 15, False), (14, 14, False), (0, 0, False)],
)
def test_four_of_twenty_far_replies_convict_if_fifteen_were_measured(far: int, of: int, convicted: bool) -> None:  # noqa: FBT001
    gaps = [2 * THRESHOLD + 1] * far + [2 * THRESHOLD] * (of - far)
    assert convicts(gaps, THRESHOLD, asked=20, rules=KNOWN) is convicted


@given(st.lists(st.tuples(st.integers(0, 4 * THRESHOLD), st.booleans()), min_size=20, max_size=20))
def test_no_reply_that_is_kept_back_convicts(replies: list[tuple[int, bool]]) -> None:
    """A gateway that reads along can let through what speaks against a node."""
    came = [gap for gap, is_there in replies if is_there]
    if convicts(came, THRESHOLD, asked=20, rules=KNOWN):
        assert convicts([gap for gap, _ in replies], THRESHOLD, asked=20, rules=KNOWN)


def test_one_members_word_is_not_enough() -> None:
    assert most([500_000]) is None
    halves = [finding(500_000), finding(500_000, tokens=0)]
    assert agreed_gap(halves, THRESHOLD, share_bps=KNOWN.majority_bps, rules=KNOWN) is None


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=15))
def test_what_counts_is_said_by_most_and_its_order_does_not_matter(gaps: list[int]) -> None:
    said = most(gaps)
    assert said == most(gaps[::-1])
    if said is not None:
        assert min(*gaps, KNOWN.clip * THRESHOLD) <= said <= max(gaps)


def test_a_listed_digest_has_its_own_threshold() -> None:
    digest = keccak(b"an f16 file")
    rules = replace(KNOWN, gap_micros_of={digest: 10_000})
    assert threshold_of(digest, rules) == 10_000
    assert threshold_of(keccak(b"another"), rules) == KNOWN.gap_micros


def test_laundering_shows_in_likelihood_and_misses_and_flags_nobody() -> None:
    """The claimed model computed the log-probabilities of a text that a smaller one wrote: no gap, an unlikely text."""
    honest = [(b"a" * 20, MODEL, finding(4_000, likelihood=-250_000)) for _ in range(6)]
    laundered = [(b"b" * 20, MODEL, finding(4_000, likelihood=-1_400_000, misses=3)) for _ in range(6)]
    first, second = laundering([*laundered, *honest])
    assert (first.likelihood_micros, first.misses_micros, first.replies) == (-250_000, 0, 6)
    assert (second.likelihood_micros, second.misses_micros, second.tokens) == (-1_400_000, 300_000, 60)
    assert after([4_000] * 12).flagged_round == NEVER
    assert laundering([(b"a" * 20, MODEL, finding(4_000, tokens=0))]) == ()


def test_a_panels_finding_is_its_median() -> None:
    found = panel_finding([finding(1_000), finding(9_000), finding(3_000)])
    assert found is not None
    assert found.gap_micros == 3_000
    assert panel_finding([finding(5, tokens=0)]) is None
