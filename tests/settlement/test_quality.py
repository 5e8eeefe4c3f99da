"""Collecting a round's evidence: what counts, what does not, and that everybody finds the same."""

import asyncio
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.settlement.judged import (
    AUTHOR,
    BLANK,
    COURT,
    EPOCH,
    FACTS,
    PARAMETERS,
    ROUND,
    Judged,
    a_judged_epoch,
    a_table,
    content_of,
    evaluators,
    key_of,
    other_salt,
    reading,
    reissued,
    signed,
    with_canary,
)
from tests.wire.making import GATEWAY, NODE, Story, make_document

from dgrid.chain.judging import Draws
from dgrid.chain.parameter_history import ParameterHistory
from dgrid.core.errors import CheckFailed, NetworkUnreachable, NotYet
from dgrid.core.identity import Address
from dgrid.poq.rounds import judge
from dgrid.settlement.grounds import shown
from dgrid.settlement.quality import CollectedRound
from dgrid.settlement.rounds import rounds_due, rules_of, windows_of
from dgrid.wire.grounds import ANSWER_BYTES_MAX, COMPARED_MAX, Grounds, Method
from dgrid.wire.quality import (
    Canaries,
    Content,
    DisclosedLeaf,
    Disclosure,
    LeafKey,
    Reports,
    SealedKey,
    TaskType,
    encode_content,
)

RULES = rules_of(BLANK, ROUND)


def collect(judged: Judged, judged_round: int = ROUND, *, silent: int = 0, empty: int = 0) -> CollectedRound:
    async def main() -> CollectedRound:
        async with reading(judged, silent=silent, empty=empty) as found:
            return await found.quality.collect(judged_round)

    return asyncio.run(main())


def test_the_evidence_is_all_that_was_drawn_opened_and_known() -> None:
    judged = a_judged_epoch()
    found = collect(judged)
    (draw,) = found.evidence.draws
    assert [leaf.key.sequence for leaf in draw.leaves] == list(range(12))
    assert set(found.evidence.openings) == {(ROUND, key.address) for key in evaluators()}
    assert found.evidence.committed == found.evidence.openings.keys()
    duties = judged.duties()
    reported = sum(len(reports) for reports in found.evidence.openings.values())
    assert reported == len(duties) > 0
    truths = {key.sequence: truth.score_bps for key, truth in found.evidence.canaries.items()}
    assert truths == {0: 10_000, 2: 0, 4: 10_000, 6: 0, 8: 10_000, 10: 0}
    assert found.refused == ()


def test_the_order_in_which_the_chain_was_read_changes_nothing() -> None:
    judged = a_judged_epoch()
    first = collect(judged).evidence
    view = judged.view
    held: list[MutableMapping[Any, Any]] = [view.openings, view.commitments, view.canary_openings, view.roots]
    for collection in held:
        entries = list(collection.items())
        collection.clear()
        collection.update(reversed(entries))
    assert collect(judged).evidence == first


def altered_root(reports: Reports) -> Reports:
    return msgspec.structs.replace(reports, reports=reports.reports[:-1])


def signed_by_another(reports: Reports) -> Reports:
    return msgspec.structs.replace(signed(evaluators()[1], ROUND, reports.reports), author=reports.author)


def of_another_round(reports: Reports) -> Reports:
    return signed(evaluators()[0], ROUND + 1, reports.reports)


def of_another_network(reports: Reports) -> Reports:
    return msgspec.structs.replace(reports, chain_id=56)


def out_of_order(reports: Reports) -> Reports:
    return signed(evaluators()[0], ROUND, reports.reports[::-1])


def grounded(reports: Reports, named: Sequence[Grounds], shown: Sequence[Grounds]) -> Reports:
    """Reports the first of which name grounds, beside which others are shown."""
    digests = [one.digest() for one in named] + [b""] * (len(reports.reports) - len(named))
    found = [msgspec.structs.replace(one, grounds=name) for one, name in zip(reports.reports, digests, strict=True)]
    return signed(evaluators()[0], ROUND, tuple(found), tuple(shown))


COMPARED = shown(make_document(Story(answer="Oslo")), "Oslo")
TOO_LONG = msgspec.structs.replace(COMPARED, answer="x" * (ANSWER_BYTES_MAX + 1))
BY_RULES = Grounds(Method.RULES, (COMPARED,))


def without_its_grounds(reports: Reports) -> Reports:
    return grounded(reports, [BY_RULES], [])


def with_more_grounds(reports: Reports) -> Reports:
    return grounded(reports, [BY_RULES], [BY_RULES, BY_RULES])


def with_other_grounds(reports: Reports) -> Reports:
    return grounded(reports, [BY_RULES], [Grounds(Method.ENCODER, (COMPARED,))])


def with_too_many_answers(reports: Reports) -> Reports:
    many = Grounds(Method.RULES, (COMPARED,) * (COMPARED_MAX + 1))
    return grounded(reports, [many], [many])


def with_too_long_an_answer(reports: Reports) -> Reports:
    long = Grounds(Method.RULES, (TOO_LONG,))
    return grounded(reports, [long], [long])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (altered_root, "root"),
        (signed_by_another, "signer"),
        (of_another_round, "round"),
        (of_another_network, "network"),
        (out_of_order, "order"),
        (without_its_grounds, "not those that the reports name"),
        (with_more_grounds, "not those that the reports name"),
        (with_other_grounds, "not those that the reports name"),
        (with_too_many_answers, "more than 3 answers"),
        (with_too_long_an_answer, "one that is too long"),
    ],
)
def test_reports_that_their_evaluator_did_not_open_count_for_nothing(
    change: Callable[[Reports], Reports], reason: str
) -> None:
    judged, key = a_judged_epoch(), evaluators()[0]
    honest = judged.reports_of(key)
    assert len(honest.reports) > 1
    changed = change(honest)
    judged.open(
        key, changed, root=judged.view.openings[ROUND, key.address].reports_root if change is altered_root else None
    )
    judged.view.openings[ROUND, key.address] = judged.view.openings.pop((changed.round, key.address))
    found = collect(judged)
    assert (ROUND, key.address) not in found.evidence.openings
    assert len(found.refused) == 1
    assert reason in found.refused[0]
    assert not found.missing, "it lies there for all to see"


def test_an_epoch_whose_records_are_nowhere_is_left_out_and_the_round_goes_on() -> None:
    judged = a_judged_epoch()
    other = judged.anchor(EPOCH + 1)
    judged.view.draws[GATEWAY.address, EPOCH + 1] = reissued(judged.view.draws[GATEWAY.address, EPOCH], epoch=EPOCH + 1)
    del judged.blobs[other.root.blob_id]
    found = collect(judged, empty=1)
    assert [draw.epoch for draw in found.evidence.draws] == [EPOCH]
    assert found.unheld == {(GATEWAY.address, EPOCH + 1)}
    assert f"epoch {EPOCH + 1}" in found.refused[0]
    assert found.evidence.openings.keys() == {(ROUND, key.address) for key in evaluators()}
    assert judge(found.table, found.evidence, RULES).judged == ((GATEWAY.address, EPOCH),)


def test_an_epoch_whose_records_lead_nowhere_is_left_out_too() -> None:
    judged = a_judged_epoch()
    anchor = judged.view.roots[GATEWAY.address, EPOCH]
    root = msgspec.structs.replace(anchor.root, records_root=bytes(32))
    judged.view.roots[GATEWAY.address, EPOCH] = replace(anchor, root=root)
    found = collect(judged)
    assert (found.evidence.draws, found.unheld) == ((), frozenset())
    assert "do not lead to the root" in found.refused[0]
    assert judge(found.table, found.evidence, RULES).changes == ()


def test_records_that_half_of_the_archives_cannot_deny_stop_the_round_for_now() -> None:
    judged = a_judged_epoch()
    del judged.blobs[judged.view.roots[GATEWAY.address, EPOCH].root.blob_id]
    with pytest.raises(NetworkUnreachable):
        collect(judged, silent=1)


def test_a_report_blob_that_is_nowhere_counts_as_not_opened() -> None:
    judged, key = a_judged_epoch(), evaluators()[0]
    del judged.blobs[judged.view.openings[ROUND, key.address].blob_id]
    found = collect(judged, empty=1)
    assert (ROUND, key.address) not in found.evidence.openings
    assert (ROUND, key.address) in found.evidence.committed
    assert found.missing == {key.address}
    assert "no archive holds" in found.refused[0]


def test_a_blob_that_half_of_the_archives_cannot_deny_is_not_called_absent() -> None:
    judged, key = a_judged_epoch(), evaluators()[0]
    del judged.blobs[judged.view.openings[ROUND, key.address].blob_id]
    with pytest.raises(NetworkUnreachable):
        collect(judged, silent=1)


def test_one_archive_of_three_is_enough_for_what_it_holds() -> None:
    assert collect(a_judged_epoch(), silent=2).refused == ()


def wrong(at: int, **changes: object) -> Callable[[Canaries], Canaries]:
    return lambda canaries: with_canary(canaries, at, **changes)


@pytest.mark.parametrize(
    "change",
    [
        wrong(0, reference="Rome"),
        wrong(0, body=b"{}"),
        wrong(0, nonce=bytes(32)),
        wrong(0, salt=other_salt()),
        wrong(0, output="Paris"),
        wrong(0, task=TaskType.CHAT),
        wrong(0, index=1),
        wrong(0, sequence=1),
        wrong(0, path=()),
    ],
)
def test_a_canary_that_was_not_committed_to_or_is_not_the_leaf_is_left_out(
    change: Callable[[Canaries], Canaries],
) -> None:
    judged = a_judged_epoch()
    judged.open_canaries(change(judged.canaries()))
    assert {key.sequence for key in collect(judged).evidence.canaries} == {2, 4, 6, 8, 10}


def test_one_task_is_one_canary_however_often_it_is_opened() -> None:
    judged = a_judged_epoch()
    canaries = judged.canaries()
    twice = msgspec.structs.replace(canaries, canaries=(*canaries.canaries[:1], *canaries.canaries[:1]))
    judged.open_canaries(twice)
    assert list(collect(judged).evidence.canaries) == [key_of(0)]


@pytest.mark.parametrize("party", [NODE.address, GATEWAY.address], ids=["node", "gateway"])
def test_an_author_sits_out_its_own(party: bytes) -> None:
    judged = a_judged_epoch()
    canaries = msgspec.structs.replace(judged.canaries(), author=party)
    judged.view.canary_openings[Address(party), GATEWAY.address, EPOCH] = judged.keep(canaries)
    judged.view.canary_roots[Address(party), EPOCH] = judged.view.canary_roots[AUTHOR.address, EPOCH]
    del judged.view.canary_openings[AUTHOR.address, GATEWAY.address, EPOCH]
    assert collect(judged).evidence.canaries == {}


def test_canaries_of_an_epoch_without_a_commitment_are_refused() -> None:
    judged = a_judged_epoch()
    judged.view.canary_roots.clear()
    found = collect(judged)
    assert found.evidence.canaries == {}
    assert "nothing was committed" in found.refused[0]


def test_a_round_that_nobody_posted_is_taken_in_by_the_next() -> None:
    judged = a_judged_epoch()
    judged.view.quality_roots.clear()
    judged.post(a_table(ROUND - 1))
    later = collect(judged, ROUND + 3)
    assert [draw.round for draw in later.evidence.draws] == [ROUND]
    assert set(later.evidence.openings) == {(ROUND, key.address) for key in evaluators()}
    assert later.table == a_table(ROUND - 1)
    assert later.evidence.previous_table_id == judged.view.quality_roots[ROUND - 1].root.blob_id


def test_a_draw_that_an_earlier_root_took_in_is_not_judged_again() -> None:
    judged = a_judged_epoch()
    with pytest.raises(NotYet):
        collect(judged, ROUND + 1)


def test_reports_that_came_a_round_late_are_of_no_draw() -> None:
    judged, key = a_judged_epoch(), evaluators()[0]
    judged.view.quality_roots.clear()
    honest = judged.reports_of(key)
    del judged.view.openings[ROUND, key.address]
    judged.open(key, signed(key, ROUND + 1, honest.reports))
    found = collect(judged, ROUND + 1)
    assert all(judged_round == ROUND for judged_round, _ in found.evidence.openings)


def test_a_table_that_no_archive_has_stops_the_next_round() -> None:
    judged = a_judged_epoch()
    judged.view.draws[GATEWAY.address, EPOCH] = reissued(judged.draw(), round=ROUND + 1)
    del judged.blobs[judged.view.quality_roots[ROUND].root.blob_id]
    with pytest.raises(CheckFailed, match="no archive holds"):
        collect(judged, ROUND + 1)


def test_a_round_is_due_when_its_windows_are_over_and_someone_judged() -> None:
    judged = a_judged_epoch()
    judged.view.quality_roots.clear()
    post_from_s = windows_of(judged.view, ROUND).post_from_s
    assert rounds_due(judged.view, now_s=post_from_s - 1) == []
    assert rounds_due(judged.view, now_s=post_from_s) == [ROUND]
    judged.post(a_table())
    assert rounds_due(judged.view, now_s=post_from_s) == []


def test_the_windows_follow_one_another() -> None:
    windows = windows_of(BLANK, ROUND)
    closes_s = FACTS.genesis_s + (ROUND + 1) * FACTS.epoch_seconds
    assert windows.commit_from_s == closes_s
    assert windows.post_from_s - closes_s == 10 + 8 + 8


def test_a_round_has_its_own_windows_and_rules_and_draws_it_takes_in_keep_theirs() -> None:
    later = replace(PARAMETERS, committee_size=5, commit_seconds=12, accuracy_weight=60)
    history = ParameterHistory((0, ROUND + 1), (PARAMETERS, later))
    judged = Judged(view=replace(BLANK, parameters=history, draws=Draws()))
    judged.draw(ROUND)
    rules = rules_of(judged.view, ROUND + 1)
    assert (rules.draw.committee_size, rules.draw_in(ROUND).committee_size) == (5, 3)
    assert (rules.weights.accuracy, rules_of(judged.view, ROUND).weights.accuracy) == (60, 50)
    for judged_round, commit_s in ((ROUND, 10), (ROUND + 1, 12)):
        windows = windows_of(judged.view, judged_round)
        assert windows.reveal_from_s - windows.commit_from_s == commit_s


def test_only_what_its_caller_made_public_lies_open_and_only_unsealed_and_unchanged() -> None:
    judged = Judged(public=frozenset({1, 3, 5}))
    judged.anchor()
    draw = judged.draw()
    contents = {at: encode_content(content_of(at)) for at in (1, 2, 3)} | {5: encode_content(content_of(2))}
    sealed = {3: (SealedKey(b"e" * 20, b"box"),)}
    leaves = tuple(DisclosedLeaf(0, at, content, sealed.get(at, ())) for at, content in contents.items())
    blob = Disclosure(31337, COURT.verifying_contract, GATEWAY.address, EPOCH, draw.seed, leaves)
    judged.view.disclosures[GATEWAY.address, EPOCH] = judged.keep(blob)

    async def main() -> dict[LeafKey, Content]:
        async with reading(judged) as found:
            return await found.quality.public_contents(await found.quality.records_of(draw))

    assert asyncio.run(main()) == {key_of(1): content_of(1)}


def test_a_receipt_that_does_not_hold_is_nobodys_leaf() -> None:
    judged = Judged(spoiled=frozenset({3}))
    judged.anchor()
    judged.draw()
    leaves = collect(judged).evidence.draws[0].leaves
    assert [leaf.key.sequence for leaf in leaves] == [at for at in range(12) if at != 3]


@pytest.mark.parametrize("with_grounds", [False, True])
def test_the_grounds_of_reports_are_kept_for_those_alone_who_score_again(with_grounds: bool) -> None:  # noqa: FBT001
    judged, key, grounds = a_judged_epoch(), evaluators()[0], Grounds(Method.RULES)
    said = [msgspec.structs.replace(one, grounds=grounds.digest()) for one in judged.reports_of(key).reports]
    judged.open(key, signed(key, ROUND, tuple(said), (grounds,) * len(said)))

    async def main() -> CollectedRound:
        async with reading(judged) as found:
            return await found.quality.collect(ROUND, with_grounds=with_grounds)

    kept = asyncio.run(main()).opened[ROUND, key.address]
    assert kept.reports == tuple(said)
    assert len(kept.grounds) == (len(said) if with_grounds else 0)
