"""How often an honest node would be flagged or convicted in a whole life: from gaps measured on real models."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import comb, exp, log
from pathlib import Path
from random import Random
from statistics import fmean

import pytest
from tests.poq.world import RULES, Evaluator, Node, World, digest, honest

from dgrid.chain.parameters import Parameters, tunable
from dgrid.core.identity import model_id
from dgrid.core.money import BPS
from dgrid.evaluator.cases.accusing import SETS_MAX
from dgrid.poq.economics import SAVING_BPS, requests_undetected
from dgrid.poq.identity import NEVER, agreed_gap, convicts, doubt, is_doubted, suspect, sworn_evidence
from dgrid.poq.rounds import judge
from dgrid.poq.rules import BUILT_IN_REFERENCES
from dgrid.wire.quality import SAMPLES_MAX, Identity, SuspicionRow

MEASURED: dict[str, list[int]] = json.loads(Path(__file__).with_name("measured_gaps.json").read_text())["gaps_micros"]
HONEST = [gap for name, gaps in MEASURED.items() if name.split(" as ")[0] == name.split(" as ")[1] for gap in gaps]
SWAPS = [name for name in MEASURED if len(set(name.split(" as "))) == 2]
KNOWN = RULES.identity
THRESHOLD, FAR = KNOWN.gap_micros, KNOWN.far * KNOWN.gap_micros
SAMPLES, JURORS, EVALUATORS, COMMITTEE = 20, 3, 8, 3
SETS = min(SETS_MAX, SAMPLES_MAX // SAMPLES)  # as an asker makes of them
ROUNDS_A_YEAR = 365 * 24
CHECKED = 1_000  # replies of one node in a life: 20,000 requests at a check of 5 %


def at_least(count: int, tries: int, *, chance: float) -> float:
    """P(Binomial(tries, chance) ≥ count)."""
    return sum(comb(tries, k) * chance**k * (1 - chance) ** (tries - k) for k in range(count, tries + 1))


def highest_rate(tries: int) -> float:
    """The highest rate that never having seen it does not rule out with 95 % confidence (Clopper and Pearson)."""
    return float(1 - 0.05 ** (1 / tries))


def far_of(swap: str) -> float:
    """How often a reply is far off where one model is sold as another."""
    return sum(gap > FAR for gap in MEASURED[swap]) / len(MEASURED[swap])


def needed(share_bps: int, *, asked: int = SAMPLES) -> int:
    return -(-share_bps * asked // BPS)


def sworn_chance(far: float) -> float:
    """That a node whose replies are far off with this chance is convicted by one asking, set after set: exact.

    Stops where an asker does: convicted, or no longer likelier to cheat than not, or asked all sets.
    """
    going, convicted = {0: 1.0}, 0.0
    for sets in range(1, SETS + 1):
        after = asked_once_more(going, far)
        said = {k: evidence(k, sets * SAMPLES) for k in after}
        convicted += sum(after[k] for k in after if said[k] >= KNOWN.sworn_micros)
        going = {k: after[k] for k in after if 0 < said[k] < KNOWN.sworn_micros}
    return convicted


def asked_once_more(going: Mapping[int, float], far: float) -> dict[int, float]:
    """How many replies are far off, with which chance, after one more set."""
    after: dict[int, float] = defaultdict(float)
    for before, chance in going.items():
        for more in range(SAMPLES + 1):
            after[before + more] += chance * comb(SAMPLES, more) * far**more * (1 - far) ** (SAMPLES - more)
    return after


def ever_chance(far: float) -> float:
    """That one set of requests convicts such a node after any number of whole sets that members count: exact.

    Who asks in bad faith goes on where an honest asker stops, and shows the best it got.
    """
    going, convicted = {0: 1.0}, 0.0
    for asked in range(SAMPLES, SAMPLES_MAX + 1, SAMPLES):
        after = asked_once_more(going, far)
        convicted += sum(chance for k, chance in after.items() if evidence(k, asked) >= KNOWN.sworn_micros)
        going = {k: chance for k, chance in after.items() if evidence(k, asked) < KNOWN.sworn_micros}
    return convicted


def evidence(far: int, asked: int) -> int:
    return sworn_evidence((FAR + 1,) * far + (0,) * (asked - far), THRESHOLD, rules=KNOWN)


def test_no_honest_reply_was_far_off() -> None:
    assert len(HONEST) == 3_000
    assert max(HONEST) < FAR


def test_an_honest_node_is_convicted_less_than_once_in_ten_million_years() -> None:
    """Whatever is written down is what its owner signed: of a case's two ways to convict, both are bounded.

    It is flagged all year, is asked every hour before any accusation, and an enemy loses a bond on it every day.
    """
    far = highest_rate(len(HONEST))
    assert far == pytest.approx(1e-3, rel=0.01)
    sworn = sworn_chance(far)
    juror = at_least(needed(KNOWN.far_bps), SAMPLES, chance=far)
    fresh = at_least(2, JURORS, chance=juror)  # jurors ask at different times, in different words
    assert ROUNDS_A_YEAR * sworn + 365 * fresh < 1e-7
    assert ROUNDS_A_YEAR * sworn + 365 * juror < 5e-5  # if what one juror sees by chance, all of them saw


def test_hostile_accusers_have_one_set_each_a_round_and_hardly_ever_one_that_convicts_an_honest_node() -> None:
    """A hundred evaluators, all hostile and all asking on every root of a year, a root an hour."""
    one = ever_chance(highest_rate(len(HONEST)))
    assert one < 1e-11
    assert 100 * ROUNDS_A_YEAR * one < 1e-6


@pytest.mark.parametrize("swap", SWAPS)
def test_every_swap_of_the_built_in_models_is_convicted_by_most_jurors(swap: str) -> None:
    far = far_of(swap)
    juror = at_least(needed(KNOWN.far_bps), SAMPLES, chance=far)
    assert juror > 0.95
    assert at_least(2, JURORS, chance=juror) > 0.99
    assert sworn_chance(far) > 0.999
    assert sworn_chance(far / 2) > 0.9
    assert sworn_chance(far / 3) > 0.65  # who cheats on a third of the requests


def test_no_vote_makes_a_juror_ask_so_few_that_one_missing_reply_acquits() -> None:
    """Fewer than `fresh_min` replies convict nobody, however far off: the least number there is leaves one over."""

    def convicts_without_one(asked: int) -> bool:
        return convicts((FAR + 1,) * (asked - 1), THRESHOLD, asked=asked, rules=KNOWN)

    bounds = tunable("case_samples").bounds
    assert bounds.minimum == next(asked for asked in range(1, bounds.maximum) if convicts_without_one(asked))
    assert all(map(convicts_without_one, range(bounds.minimum, bounds.maximum + 1)))


def test_whatever_number_of_requests_is_voted_jurors_convict_a_swap_and_no_honest_node() -> None:
    """One reply of each juror is missing, and two of three convict."""
    bounds, rate = tunable("case_samples").bounds, highest_rate(len(HONEST))
    for asked in range(bounds.minimum, bounds.maximum + 1):
        enough = needed(KNOWN.far_bps, asked=asked)
        assert all(at_least(2, 3, chance=at_least(enough, asked - 1, chance=far_of(swap))) > 0.9 for swap in SWAPS)
        assert at_least(enough, asked, chance=rate) <= at_least(needed(KNOWN.far_bps), SAMPLES, chance=rate)


def test_the_evidence_is_a_likelihood_ratio_that_an_honest_node_rarely_drives_up() -> None:
    """Ville's inequality, whenever an asker stops: simulated at a bound that can be seen."""
    p, q = exp(-KNOWN.far_gain_micros / 1e6), exp(-KNOWN.near_loss_micros / 1e6)
    assert 0.2 * p == pytest.approx(0.001, rel=1e-5)
    assert q == pytest.approx(0.8 / 0.999, rel=1e-5)
    assert exp(KNOWN.sworn_micros / 1e6) == pytest.approx(1e11, rel=1e-5)
    rng, reached = Random(7), 0
    for _ in range(4_000):
        far, highest = 0, 0
        for asked in range(1, SETS * SAMPLES + 1):
            far += rng.random() < 0.001
            highest = max(highest, evidence(far, asked))
        reached += highest >= 1e6 * log(100)
    assert reached / 4_000 < 1 / 100


def test_an_honest_node_is_asked_once_and_one_that_gives_a_far_reply_is_asked_again() -> None:
    assert evidence(0, SAMPLES) < 0 < evidence(1, SAMPLES) < KNOWN.sworn_micros
    assert [min(k for k in range(41) if evidence(k, n) >= KNOWN.sworn_micros) for n in (20, 40, 60)] == [6, 7, 8]


@pytest.mark.parametrize("seed", range(200))
def test_no_juror_convicts_an_honest_node_in_a_life(seed: int) -> None:
    rng = Random(seed)
    for _ in range(365):
        gaps = rng.choices(HONEST, k=SAMPLES)
        assert not convicts(gaps, THRESHOLD, asked=SAMPLES, rules=KNOWN)


@dataclass(frozen=True)
class Life:
    """After how many checks a node was flagged, and when it was first doubted; None: never."""

    flagged: int | None
    doubted: int | None


def lived(gaps: Sequence[int], *, liars: int, says: int, rng: Random) -> Life:
    """A node's life, where each panel is drawn anew and liars say the same of everything."""
    row, doubted = SuspicionRow(b"n" * 20, b"m" * 32, (), NEVER), None
    for number, true in enumerate(gaps):
        panel = rng.sample(range(EVALUATORS), COMMITTEE)
        told = [Identity(10, gap, gap, 0, -1) for gap in (says if member < liars else true for member in panel)]
        most = agreed_gap(told, THRESHOLD, share_bps=KNOWN.majority_bps, rules=KNOWN)
        agreed = agreed_gap(told, THRESHOLD, share_bps=KNOWN.agreement_bps, rules=KNOWN)
        row = row if most is None else doubt(row, most, rules=KNOWN)
        row = row if agreed is None else suspect(row, agreed, threshold_micros=THRESHOLD, round_=number, rules=KNOWN)
        if doubted is None and is_doubted(row, THRESHOLD, rules=KNOWN):
            doubted = number + 1
    return Life(None if row.flagged_round == NEVER else row.flagged_round + 1, doubted)


def lives(gaps: Sequence[int], count: int, *, checks: int, liars: int, says: int) -> list[Life]:
    chances = [Random(seed) for seed in range(count)]
    return [lived(rng.choices(gaps, k=checks), liars=liars, says=says, rng=rng) for rng in chances]


def test_honest_evaluators_doubt_no_honest_node_in_a_life() -> None:
    assert set(lives(HONEST, 200, checks=CHECKED, liars=0, says=0)) == {Life(None, None)}


@pytest.mark.parametrize("liars", [1, 2])
def test_liars_of_eight_flag_no_honest_node(liars: int) -> None:
    """Two make doubts, which cost the node nothing: it is asked, and its replies clear it."""
    assert {life.flagged for life in lives(HONEST, 100, checks=CHECKED, liars=liars, says=10**6)} == {None}


@pytest.mark.parametrize("liars", [0, 1, 2])
def test_liars_who_shield_a_swap_do_not_keep_it_from_being_asked_within_400_requests(liars: int) -> None:
    """At a check of 5 %: 20 checked replies."""
    found = lives(MEASURED["nano as mini"], 200, checks=20, liars=liars, says=0)
    assert sum(life.doubted is not None for life in found) >= 199


def checks_until_doubted(gaps: Sequence[int], rng: Random) -> int:
    """Of a node whose replies are like these, in the eyes of honest members."""
    row, checks = SuspicionRow(b"n" * 20, b"m" * 32, (), NEVER), 0
    while not is_doubted(row, THRESHOLD, rules=KNOWN):
        row, checks = doubt(row, min(rng.choice(gaps), KNOWN.clip * THRESHOLD), rules=KNOWN), checks + 1
    return checks


def saved_until_doubted(swap: str, *, one_of: int) -> list[float]:
    """What nodes that swap one of so many replies save until then, by the catalogue's prices, ascending: as a part of
    what the guard counts, at a check of 5 %.
    """
    served, sold = swap.split(" as ")
    paid, kept = (BUILT_IN_REFERENCES[model_id(f"dgrid-{name}")].price.out_wei for name in (sold, served))
    counted = SAVING_BPS / BPS * (requests_undetected(replace(Parameters(), identity_bps=500)) or 0)
    gaps, rng = MEASURED[swap] + MEASURED[f"{sold} as {sold}"] * (one_of - 1), Random(swap)
    found = []
    for _ in range(1_000):
        waits = (1 + int(log(1 - rng.random()) / log(0.95)) for _ in range(checks_until_doubted(gaps, rng)))
        found.append((1 - kept / paid) / one_of * sum(waits) / counted)
    return sorted(found)


SWAPS_THAT_SAVE = "nano as micro", "nano as mini", "micro as mini"


@pytest.mark.parametrize("swap", SWAPS_THAT_SAVE)
def test_who_always_swaps_saves_less_until_it_is_doubted_than_the_guard_counts(swap: str) -> None:
    assert saved_until_doubted(swap, one_of=1)[990] < 0.9


@pytest.mark.parametrize("swap", SWAPS_THAT_SAVE)
@pytest.mark.parametrize("one_of", [2, 3])
def test_who_swaps_seldom_saves_less_on_average_than_half_of_what_the_guard_counts(swap: str, one_of: int) -> None:
    """Not with 99 %, as who always does: one of a hundred that sell micro as mini on every third request saves 2.8
    times as much.
    """
    found = saved_until_doubted(swap, one_of=one_of)
    assert fmean(found) < 0.5
    assert found[990] < 3.5


@pytest.mark.parametrize(("swap", "soon", "later"), [("nano as mini", 0.9, 0.98), ("micro as mini", 0.55, 0.7)])
def test_who_swaps_a_third_is_mostly_doubted_within_twenty_and_fifty_checked_replies(
    swap: str, soon: float, later: float
) -> None:
    gaps, rng = MEASURED[swap] + MEASURED["mini as mini"] * 2, Random(swap)
    checks = [checks_until_doubted(gaps, rng) for _ in range(1_000)]
    assert sum(number <= 20 for number in checks) > soon * 1_000
    assert sum(number <= 50 for number in checks) > later * 1_000


def test_an_acquittal_forgets_what_is_older_and_nothing_newer() -> None:
    cheat = Node("cheat", "dgrid-mini", 0.85, swapped_share=1.0, swapped_quality=0.56)
    world = World([cheat], [Evaluator(f"evaluator {at}", honest()) for at in range(4)])
    table = world.play(2)
    (row,) = table.suspicions
    assert row.flagged_round >= 0
    world.advance(table)
    evidence = world.evidence()
    old, new = ({(cheat.address, digest("dgrid-mini")): epoch} for epoch in (row.flagged_round, evidence.round))
    (kept,) = judge(table, replace(evidence, acquittals=old), world.rules).suspicions
    assert kept.flagged_round == row.flagged_round
    quiet = replace(evidence, acquittals=new, openings={})
    assert [one for one in judge(table, quiet, world.rules).suspicions if one.gaps_micros or one.doubts_micros] == []
    (again,) = judge(table, replace(evidence, acquittals=new), world.rules).suspicions
    assert again.flagged_round == evidence.round  # it was found again, in this round
