"""Of each root an evaluator has one set of requests, fixed before anybody can know it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.settlement.judged import BLANK
from tests.settlement.seeding import EVALUATOR, ROUND, SECRET, committed, posted, seeded

from dgrid.chain.by_epoch import ByEpoch
from dgrid.chain.view import ChainView
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak
from dgrid.settlement.binding import SEED_MS_MAX, is_bound, seed_of

NOW_MS = BLANK.clock.closes_at_ms(30)
VIEW, SEED = seeded(BLANK, at_ms=NOW_MS)
WORDS = st.binary(min_size=32, max_size=32)
ROUNDS = st.integers(0, 3)
NAMES = st.sampled_from([Address(bytes((at,)) * 20) for at in range(3)])


def bound(view: ChainView = VIEW, *, seed: bytes = SEED, secret: bytes = SECRET, at_ms: int = NOW_MS) -> bool:
    return is_bound(view, EVALUATOR, seeds=(seed, secret), at_ms=at_ms)


def test_who_committed_to_its_secret_before_the_root_is_bound() -> None:
    assert bound()


@given(tried=WORDS)
def test_no_other_salt_or_seed_counts_however_many_are_tried(tried: bytes) -> None:
    assert bound(secret=tried) is (tried == SECRET)
    assert bound(seed=tried) is (tried == SEED)


def test_who_did_not_commit_or_did_not_open_has_nothing_to_show() -> None:
    assert not bound(replace(VIEW, commitments=ByEpoch()))
    assert not bound(replace(VIEW, openings=ByEpoch()))
    assert not is_bound(VIEW, Address(b"x" * 20), seeds=(SEED, SECRET), at_ms=NOW_MS)


def test_who_fixed_the_hash_itself_as_its_salt_cannot_open_it_as_a_secret() -> None:
    """What an opening shows to everybody, the node among them, is no secret."""
    assert not bound(secret=keccak(SECRET))


def test_the_root_alone_gives_no_seed_for_who_signs_it_knows_it_beforehand() -> None:
    roots = [posted(ROUND, at_ms=NOW_MS, block_hash=keccak(bytes((at,)))) for at in range(2)]
    assert roots[0].digest == roots[1].digest
    assert seed_of(roots[0]) != seed_of(roots[1])


def test_a_root_counts_an_hour_and_though_it_was_overturned() -> None:
    assert bound(at_ms=NOW_MS + SEED_MS_MAX)
    assert not bound(at_ms=NOW_MS + SEED_MS_MAX + 1)
    taken = replace(VIEW, quality_roots=ByEpoch(), overturned=VIEW.quality_roots)
    assert bound(taken, at_ms=NOW_MS + SEED_MS_MAX)
    assert not bound(taken, at_ms=NOW_MS + SEED_MS_MAX + 1)
    assert not bound(replace(VIEW, quality_roots=ByEpoch()))


@given(said=st.dictionaries(st.tuples(NAMES, ROUNDS), WORDS, max_size=8), wants=st.tuples(NAMES, ROUNDS, WORDS))
def test_each_evaluator_has_of_each_root_the_one_set_that_it_committed_to(
    said: dict[tuple[Address, int], bytes], wants: tuple[Address, int, bytes]
) -> None:
    """Neither another's secret counts, nor its own of another round: else it could take the one that suits the seed."""
    view = replace(BLANK, quality_roots=ByEpoch({number: posted(number, at_ms=NOW_MS) for number in range(3)}))
    for (name, number), secret in said.items():
        view = committed(view, evaluator=name, judged_round=number, secret=secret)
    name, number, chosen = wants
    seed = seed_of(posted(number, at_ms=NOW_MS))
    counts = {one for one in (*said.values(), chosen) if is_bound(view, name, seeds=(seed, one), at_ms=NOW_MS)}
    own = said.get((name, number))
    assert counts == (set() if own is None or number not in view.quality_roots else {own})
