from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.poq.world import RULES, address

from dgrid.poq.aggregate import Voice, consensus, consensus_without

VOICE = st.builds(Voice, st.binary(min_size=20, max_size=20), st.integers(-5_000, 15_000), st.integers(0, 10**8))
PANEL = st.lists(VOICE, min_size=1, max_size=9, unique_by=lambda voice: voice.evaluator)


@given(PANEL)
def test_the_order_of_voices_does_not_matter(panel: list[Voice]) -> None:
    mixed = sorted(panel, key=lambda voice: voice.score_bps)
    assert consensus(panel, RULES.panel) == consensus(mixed, RULES.panel) == consensus(mixed[::-1], RULES.panel)


@given(PANEL, st.integers(-5_000, 15_000), st.integers(0, 10**8))
def test_an_evaluators_own_score_never_moves_its_own_consensus(panel: list[Voice], score: int, precision: int) -> None:
    own = panel[0].evaluator
    changed = [Voice(own, score, precision), *panel[1:]]
    assert consensus_without(panel, own, rules=RULES.panel) == consensus_without(changed, own, rules=RULES.panel)


@given(PANEL)
def test_a_consensus_is_a_score_and_lies_among_the_voices(panel: list[Voice]) -> None:
    said = consensus(panel, RULES.panel)
    heard = [voice for voice in panel if voice.precision]
    if said is None:
        assert not heard
        return
    assert 0 <= said.score_bps <= 10_000
    low, high = (
        min(max(bound, 0), 10_000) for bound in (min(v.score_bps for v in heard), max(v.score_bps for v in heard))
    )
    assert low <= said.score_bps <= high
    assert said.precision == sum(voice.precision for voice in heard)


def test_a_voice_far_from_the_middle_counts_no_more_than_the_bound() -> None:
    calm = [Voice(address(f"e{at}"), 6_000 + 100 * at, 1_000) for at in range(4)]
    near, far = Voice(address("x"), 8_000, 10**9), Voice(address("x"), 15_000, 10**9)
    assert consensus([*calm, near], RULES.panel) == consensus([*calm, far], RULES.panel)
    said = consensus([*calm, far], RULES.panel)
    assert said is not None
    assert said.score_bps <= 6_200 + 3 * 500


@given(st.lists(st.tuples(st.integers(6_000, 6_000 + 3 * 500), st.integers(1, 10**8)), min_size=1, max_size=9))
def test_however_much_a_panel_agrees_a_voice_within_three_floors_of_it_counts_whole(
    voices: list[tuple[int, int]],
) -> None:
    said = consensus([Voice(address(f"e{at}"), *voice) for at, voice in enumerate(voices)], RULES.panel)
    mean = sum(score * precision for score, precision in voices) / sum(precision for _, precision in voices)
    assert said is not None
    assert said.score_bps == pytest.approx(mean, abs=0.501)


def test_the_more_precise_voice_weighs_more() -> None:
    low, high = Voice(address("a"), 5_000, 3), Voice(address("b"), 5_400, 1)
    assert consensus([low, high], RULES.panel) == consensus([low, replace(high, evaluator=address("c"))], RULES.panel)
    said = consensus([low, high], RULES.panel)
    assert said is not None
    assert said.score_bps == 5_100
