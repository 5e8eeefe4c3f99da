from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.wire.making import Story, make_document

from dgrid.chain.view import Draw
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak
from dgrid.evaluator.journal import FILE_NAME, Commitment, Journal, SignedRoot
from dgrid.settlement.grounds import shown
from dgrid.wire.grounds import Grounds, Method
from dgrid.wire.messages import QualityRoot
from dgrid.wire.quality import LeafKey, Report

GATEWAY, OTHER = Address(b"\x01" * 20), Address(b"\x02" * 20)
DRAW = Draw(GATEWAY, 5, 7, b"s" * 32, False, 10, 1_000, ())
COMPARED = shown(make_document(Story(answer="Oslo")), "Oslo")
KEYS = [LeafKey(GATEWAY, 5, 0, sequence) for sequence in range(3)]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / FILE_NAME)
    yield journal
    journal.close()


def report(key: LeafKey, *, receipt: bytes = b"r" * 32) -> Report:
    return Report(key, receipt, 0, format_bps=9_000)


def commitment(number: int, secret: bytes) -> Commitment:
    return Commitment(number, secret, b"o" * 32, b"b" * 32, b"blob")


def root(number: int, previous: bytes = bytes(32)) -> QualityRoot:
    return QualityRoot(number, bytes(20), bytes(32), bytes(32), 0, 0, bytes(32), bytes(32), previous)


def test_reports_survive_and_are_not_asked_for_again(journal: Journal, tmp_path: Path) -> None:
    journal.note_draw(DRAW, KEYS)
    journal.keep_report(report(KEYS[1]), seed=DRAW.seed)
    later = Journal(tmp_path / FILE_NAME)
    assert later.open_duties(GATEWAY, 5) == [KEYS[0], KEYS[2]]
    assert later.reports(7) == (report(KEYS[1]),)
    later.close()


def test_a_secret_is_kept_and_only_its_hash_is_shown(journal: Journal, tmp_path: Path) -> None:
    assert journal.secret(7) is None
    shown = journal.fix(commitment(7, b"s" * 32)).salt
    later = Journal(tmp_path / FILE_NAME)
    assert later.fix(commitment(7, b"t" * 32)).secret == later.secret(7) == b"s" * 32
    assert shown == keccak(b"s" * 32)
    later.close()


def test_meeting_a_draw_again_keeps_its_reports_and_takes_duties_in_and_out(journal: Journal) -> None:
    journal.note_draw(DRAW, KEYS[:2])
    journal.keep_report(report(KEYS[0]), seed=DRAW.seed)
    journal.keep_report(report(KEYS[1]), seed=DRAW.seed)
    journal.note_draw(DRAW, KEYS[1:])  # a second draw of the round took one away: the cap holds over all
    assert journal.reports(7) == (report(KEYS[1]),)
    assert journal.open_duties(GATEWAY, 5) == [KEYS[2]]


@pytest.mark.parametrize("changed", [replace(DRAW, seed=b"t" * 32), replace(DRAW, round=8)])
def test_a_draw_that_the_chain_made_anew_begins_without_reports(journal: Journal, changed: Draw) -> None:
    journal.note_draw(DRAW, KEYS)
    journal.keep_report(report(KEYS[0]), seed=DRAW.seed)
    journal.drop_lost({(GATEWAY, 5): changed})
    assert journal.open_duties(GATEWAY, 5) == []
    journal.note_draw(changed, KEYS)
    assert journal.open_duties(GATEWAY, 5) == KEYS
    assert journal.reports(changed.round) == ()


def test_a_report_that_comes_after_its_seed_was_lost_is_dropped(journal: Journal) -> None:
    journal.note_draw(replace(DRAW, seed=b"t" * 32), KEYS)
    journal.keep_report(report(KEYS[0]), seed=DRAW.seed)
    assert journal.reports(7) == ()


def test_a_draw_that_stands_is_not_dropped(journal: Journal) -> None:
    journal.note_draw(DRAW, KEYS)
    journal.drop_lost({(GATEWAY, 5): DRAW})
    assert journal.open_duties(GATEWAY, 5) == KEYS


def test_reports_of_a_round_come_in_order_of_their_leaves(journal: Journal) -> None:
    second = replace(DRAW, gateway=OTHER)
    other = LeafKey(OTHER, 5, 0, 0)
    journal.note_draw(second, [other])
    journal.note_draw(DRAW, KEYS)
    for key in (other, KEYS[2], KEYS[0]):
        journal.keep_report(report(key), seed=DRAW.seed)
    assert [one.key for one in journal.reports(7)] == [KEYS[0], KEYS[2], other]


def test_grounds_live_as_long_as_their_report(journal: Journal, tmp_path: Path) -> None:
    first, second = Grounds(Method.RULES), Grounds(Method.ENCODER)
    journal.note_draw(DRAW, KEYS)
    journal.keep_report(report(KEYS[0]), seed=DRAW.seed, grounds=first)
    journal.keep_report(report(KEYS[1]), seed=DRAW.seed, grounds=second)
    journal.keep_report(report(KEYS[2]), seed=b"t" * 32, grounds=Grounds(Method.RULES, (COMPARED,)))
    later = Journal(tmp_path / FILE_NAME)
    assert later.grounds(7) == {first.digest(): first, second.digest(): second}
    later.close()
    journal.note_draw(DRAW, KEYS[1:])
    assert journal.grounds(7) == {second.digest(): second}
    journal.forget_before(8)
    assert journal.grounds(7) == {}


def test_a_commitment_is_fixed_once(journal: Journal, tmp_path: Path) -> None:
    first = journal.fix(commitment(7, b"1" * 32))
    assert journal.fix(commitment(7, b"2" * 32)) == first == commitment(7, b"1" * 32)
    later = Journal(tmp_path / FILE_NAME)
    assert later.commitment(7) == first
    later.close()


def test_the_latest_signature_of_a_round_is_the_one_that_counts(journal: Journal) -> None:
    for previous in (bytes(32), b"p" * 32):
        journal.keep_signature(SignedRoot(root(7, previous), b"s" * 65))
    assert journal.signature(7) == SignedRoot(root(7, b"p" * 32), b"s" * 65)
    assert journal.signature(8) is None


def test_old_rounds_are_forgotten_with_all_that_belongs_to_them(journal: Journal) -> None:
    journal.note_draw(DRAW, KEYS)
    journal.note_draw(replace(DRAW, epoch=6, round=8), [LeafKey(GATEWAY, 6, 0, 0)])
    journal.fix(commitment(7, bytes(32)))
    journal.keep_signature(SignedRoot(root(7), b"s" * 65))
    journal.forget_before(8)
    assert (journal.open_duties(GATEWAY, 5), journal.commitment(7), journal.signature(7)) == ([], None, None)
    assert journal.open_duties(GATEWAY, 6) == [LeafKey(GATEWAY, 6, 0, 0)]
