"""What a node signed before it was accused counts: all of it, nothing else, and nothing old."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
from tests.settlement.books import MODEL, Books, Work
from tests.settlement.judged import BLANK, COURT, DOMAIN
from tests.settlement.seeding import SECRET, seeded

from dgrid.chain.by_epoch import ByEpoch
from dgrid.chain.case_events import Outcome, Subject
from dgrid.chain.case_view import Case, Ending, Hearing
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak
from dgrid.processes.sample_requests import write_sample
from dgrid.settlement.evidence import NotEvidence
from dgrid.settlement.samples import SampleTerms, open_fresh, open_sworn, sample_questions
from dgrid.wire.blob import decode_record
from dgrid.wire.messages import ChannelConfig, Flag
from dgrid.wire.quality import SAMPLES_MAX, Content, Sample, Samples, encode_quality
from dgrid.wire.signatures import SigningKey

GATEWAY, NODE, OTHER = (SigningKey(keccak(name)) for name in (b"gateway", b"node", b"other node"))
OPENER = Address(b"o" * 20)
DIGEST = keccak(b"weights")
CLOCK = BLANK.clock
EPOCH = 30
VIEW, SEED = seeded(BLANK, at_ms=CLOCK.closes_at_ms(EPOCH), evaluator=OPENER)
SEEDS = SEED, SECRET
COUNT = BLANK.parameters.last.case_samples
CHANNEL = ChannelConfig(b"p" * 20, bytes(20), bytes(20), bytes(20), b"t" * 20, 0, bytes(32))
TERMS = SampleTerms(DOMAIN, COURT, write_sample)


def case_of(**changes: Any) -> Case:
    opened_ms = CLOCK.closes_at_ms(EPOCH)
    names = Subject.IDENTITY, NODE.address, DIGEST, bytes(32), OPENER, (), opened_ms, (Hearing(opened_ms),)
    return replace(Case(b"c" * 32, *names), **changes)


@dataclass(frozen=True)
class Asking:
    """How a set is asked for; by default as an honest opener does."""

    node: SigningKey = NODE
    digest: bytes = DIGEST
    epoch: int = EPOCH
    late_s: int = 100
    sets: int = 1
    flags: int = 0
    drawn_again: int | None = None  # which request is asked under a seed of the asker's choice
    before: int = 0  # other requests that the gateway has answered


def samples(**changes: Any) -> Samples:
    asking = Asking(**changes)
    books = Books(GATEWAY, DOMAIN, b"t" * 20, CLOCK.genesis_s, CLOCK.length_s)
    books.deadline_s = CLOCK.opens_at_ms(asking.epoch) // 1000 + asking.late_s
    for _ in range(asking.before):
        books.answer(asking.epoch, Work(CHANNEL, b"i" * 32, asking.node, 40, 2))
    questions = sample_questions(SEEDS, model=MODEL, numbers=range(asking.sets * COUNT), write=write_sample)
    found = []
    for number, question in enumerate(questions):
        content = Content(keccak(bytes((number,))), question.body, "Oslo", b"evidence")
        work = Work(
            CHANNEL, b"i" * 32, asking.node, 40, 2, content, asking.digest, flags=asking.flags, seed=question.seed
        )
        books.answer(asking.epoch, work if number != asking.drawn_again else replace(work, seed=work.seed + 1))
        found.append(Sample(decode_record(books.rows[asking.epoch][-1].record), content, None))
    court = COURT.chain_id, COURT.verifying_contract
    return Samples(*court, OPENER, NODE.address, MODEL, DIGEST, *SEEDS, tuple(found))


def opened(blob: Samples, case: Case | None = None, **view: Any) -> list[Content]:
    return open_sworn(encode_quality(blob), case or case_of(), view=replace(VIEW, **view), terms=TERMS)


def changed(blob: Samples, at: int, **changes: Any) -> Samples:
    one = msgspec.structs.replace(blob.samples[at], **changes)
    return msgspec.structs.replace(blob, samples=(*blob.samples[:at], one, *blob.samples[at + 1 :]))


def test_a_whole_set_that_the_node_signed_counts() -> None:
    blob = samples()
    assert opened(blob) == [one.content for one in blob.samples]


def test_so_do_several_one_after_the_other_and_no_part_of_one() -> None:
    blob = samples(sets=2)
    assert opened(blob) == [one.content for one in blob.samples]
    with pytest.raises(NotEvidence, match="whole sets"):
        opened(msgspec.structs.replace(blob, samples=blob.samples[: COUNT + 1]))
    other = msgspec.structs.replace(blob, samples=(*blob.samples[COUNT:], *blob.samples[:COUNT]))
    with pytest.raises(NotEvidence, match="does not follow"):
        opened(other)
    assert len(samples(sets=7).samples) > SAMPLES_MAX
    with pytest.raises(NotEvidence, match="whole sets"):
        opened(samples(sets=7))


Lie = Callable[[Samples], Samples]
LIES: dict[str, tuple[Lie, str]] = {
    "another's": (lambda blob: msgspec.structs.replace(blob, author=b"x" * 20), "another evaluator's"),
    "another node's": (lambda blob: msgspec.structs.replace(blob, node=b"x" * 20), "another node or model"),
    "another model's": (lambda blob: msgspec.structs.replace(blob, model_digest=bytes(32)), "another node or model"),
    "of another chain": (lambda blob: msgspec.structs.replace(blob, chain_id=1), "another network"),
    "a part of it": (lambda blob: msgspec.structs.replace(blob, samples=blob.samples[1:]), "whole sets"),
    "one twice": (
        lambda blob: msgspec.structs.replace(blob, samples=(blob.samples[1], *blob.samples[1:])),
        "shown twice",
    ),
    "a chosen salt": (lambda blob: msgspec.structs.replace(blob, salt=keccak(b"more")), "had not committed"),
    "a chosen seed": (lambda blob: msgspec.structs.replace(blob, seed=keccak(b"more")), "had not committed"),
    "altered evidence": (
        lambda blob: changed(blob, 3, content=msgspec.structs.replace(blob.samples[3].content, evidence=b"worse")),
        "not what was signed",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_nothing_else_counts(lie: str) -> None:
    make, reason = LIES[lie]
    with pytest.raises(NotEvidence, match=reason):
        opened(make(samples()))


@pytest.mark.parametrize("number", range(COUNT))
def test_no_reply_counts_that_was_drawn_again_under_a_seed_of_the_askers_choice(number: int) -> None:
    """A reply that one seed in a thousand gives would else be had for a thousand askings."""
    with pytest.raises(NotEvidence, match="under another seed"):
        opened(samples(drawn_again=number))


@pytest.mark.parametrize("flag", [Flag.PARTIAL, Flag.SPLICED])
def test_no_reply_counts_that_was_broken_off_or_is_not_the_nodes_own(flag: Flag) -> None:
    with pytest.raises(NotEvidence, match="not whole"):
        opened(samples(flags=int(flag)))


def test_each_request_of_a_set_has_one_seed_that_looks_like_a_gateways_own() -> None:
    def asked(salt: bytes) -> list[int]:
        numbers = range(SAMPLES_MAX)
        return [
            one.seed for one in sample_questions((SEEDS[0], salt), model=MODEL, numbers=numbers, write=write_sample)
        ]

    assert asked(SEEDS[1]) == asked(SEEDS[1])
    assert len({*asked(SEEDS[1]), *asked(keccak(b"other"))}) == 2 * SAMPLES_MAX
    assert 2**40 < max(asked(SEEDS[1])) < 2**48


def test_what_another_node_signed_is_not_the_accuseds_word() -> None:
    with pytest.raises(NotEvidence, match="another node"):
        opened(samples(node=OTHER))
    with pytest.raises(NotEvidence, match="another node"):
        opened(samples(digest=keccak(b"other weights")))


def test_no_gateway_can_make_an_old_reply_a_new_one() -> None:
    """The node takes no dispatch that ends later than in a quarter of an hour: its own clock bounds the time."""
    with pytest.raises(NotEvidence, match="not that of its dispatch"):
        opened(samples(late_s=16 * 60))


def test_nobody_is_convicted_twice_of_one_thing() -> None:
    before = case_of(id=b"b" * 32, ending=Ending(Outcome.CONVICTED, 0, 0, 0, 0, CLOCK.closes_at_ms(EPOCH)))
    with pytest.raises(NotEvidence, match="before the last conviction"):
        opened(samples(), cases={before.id: before})
    acquitted = replace(before, ending=Ending(Outcome.ACQUITTED, 0, 0, 0, 0, CLOCK.closes_at_ms(EPOCH)))
    assert opened(samples(), cases={before.id: acquitted})


def test_whoever_checks_a_case_after_its_verdict_finds_what_its_members_found() -> None:
    case = case_of()
    over = replace(case, ending=Ending(Outcome.CONVICTED, 0, 0, 0, 0, case.opened_ms + 60_000))
    blob = samples()
    assert opened(blob, over, cases={over.id: over}) == opened(blob, case, cases={case.id: case})


def test_what_is_long_ago_says_nothing() -> None:
    """Neither a reply, nor a root that an asker has kept."""
    late_ms = CLOCK.closes_at_ms(EPOCH) + 2 * 3_600_000
    with pytest.raises(NotEvidence, match="had not committed"):
        opened(samples(), case_of(opened_ms=late_ms))
    roots = {number: replace(one, timestamp_ms=late_ms) for number, one in VIEW.quality_roots.items()}
    with pytest.raises(NotEvidence, match="an hour old"):
        opened(samples(), case_of(opened_ms=late_ms), quality_roots=ByEpoch(roots))


def test_nothing_counts_of_an_opener_that_did_not_commit_and_open_in_the_roots_round() -> None:
    with pytest.raises(NotEvidence, match="had not committed"):
        opened(samples(), commitments=ByEpoch())
    with pytest.raises(NotEvidence, match="had not committed"):
        opened(samples(), openings=ByEpoch())


def test_other_bytes_are_no_samples() -> None:
    with pytest.raises(NotEvidence):
        open_sworn(b"junk", case_of(), view=BLANK, terms=TERMS)


FRESH = case_of(hearings=(Hearing(0, SEED), Hearing(0, keccak(b"appeal"))))


def fresh(blob: Samples, *, member: Address = OPENER, stage: int = 0) -> list[Content]:
    """What a hearing's member shows, read by who doubts its vote."""
    return open_fresh(encode_quality(blob), FRESH, member=member, view=VIEW, stage=stage, terms=TERMS)


@pytest.mark.parametrize("came", [COUNT, 7, 0])
def test_whoever_doubts_a_members_vote_can_check_what_it_rests_on(came: int) -> None:
    blob = samples()
    some = msgspec.structs.replace(blob, samples=blob.samples[COUNT - came :])
    assert fresh(some) == [one.content for one in some.samples]


def test_no_member_can_show_what_it_did_not_ask_in_that_hearing() -> None:
    blob, again = samples(), samples(before=COUNT).samples[1]
    for lie, reason in (
        (msgspec.structs.replace(blob, salt=keccak(b"more")), "none of the requests"),
        (samples(sets=2), "more than"),
        (samples(drawn_again=3), "none of the requests"),
        (samples(flags=int(Flag.PARTIAL)), "not whole"),
        (samples(node=OTHER), "another node"),
        (msgspec.structs.replace(blob, samples=(*blob.samples[1:], blob.samples[1])), "shown twice"),
        (msgspec.structs.replace(blob, samples=(*blob.samples[1:], again)), "once more"),
    ):
        with pytest.raises(NotEvidence, match=reason):
            fresh(lie)
    with pytest.raises(NotEvidence, match="not of this hearing"):
        fresh(blob, stage=1)
    with pytest.raises(NotEvidence, match="another evaluator's"):
        fresh(blob, member=Address(b"m" * 20))


def test_requests_follow_from_their_chance_alone_and_force_no_format() -> None:
    chances = [keccak(bytes((number,))) for number in range(200)]
    bodies = [write_sample(chance, MODEL) for chance in chances]
    assert bodies == [write_sample(chance, MODEL) for chance in chances]
    assert len(set(bodies)) == len(bodies)
    fields = [msgspec.json.decode(body) for body in bodies]
    assert all(one["model"] == MODEL and "response_format" not in one for one in fields)
