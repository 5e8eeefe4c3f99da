"""Certificates: a sound one holds, any damage is noticed, and what was not judged gets none."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.settlement.judged import (
    EPOCH,
    PARAMETERS,
    ROUND,
    Judged,
    a_judged_epoch,
    a_table,
    evaluators,
    reading,
    reissued,
    story,
)
from tests.wire.making import GATEWAY

from dgrid.core.errors import CheckFailed, DGridError, NotYet, ReceiptNotFound
from dgrid.core.identity import Address, Hash, to_hex
from dgrid.core.keccak import keccak
from dgrid.settlement.certificate import Certificate, Member, OpenedReport, is_certificate
from dgrid.settlement.certificate_checks import compare_with_chain, facts_on_chain, verify_certificate
from dgrid.settlement.certifying import NOT_A_DUTY, NOT_OPENED, NotDrawn, certify
from dgrid.settlement.rounds import draw_rules
from dgrid.wire.quality import Report

RULES = draw_rules(PARAMETERS)


def certificate_of(judged: Judged, sequence: int) -> Certificate:
    async def main() -> Certificate:
        async with reading(judged) as found:
            request_id = story(sequence).request_id
            return await certify(found.quality, found.records, request_id=request_id)

    return asyncio.run(main())


def drawn_leaf(judged: Judged) -> int:
    return judged.duties()[0].leaf.key.sequence


@cache
def sound() -> Certificate:
    judged = a_judged_epoch()
    return certificate_of(judged, drawn_leaf(judged))


@cache
def sound_bytes() -> bytes:
    return sound().encode()


def faults(certificate: Certificate) -> list[str]:
    return [check.name for check in verify_certificate(certificate) if not check.ok]


def test_of_a_number_that_no_document_holds_there_is_no_certificate() -> None:
    """A gateway can sign one: its fields have 64 bits."""
    made = sound()
    usage = msgspec.structs.replace(made.document.receipt.usage, served_at=2**60)
    receipt = msgspec.structs.replace(made.document.receipt, usage=usage)
    with pytest.raises(CheckFailed, match="a number that a document can hold"):
        replace(made, document=replace(made.document, receipt=receipt)).encode()


def test_a_sound_certificate_holds_and_survives_the_file() -> None:
    assert len(sound().members) == RULES.committee_size
    assert sum(member.opened is not None for member in sound().members) >= 1
    assert len(sound().rows) == 3
    assert is_certificate(sound_bytes())
    assert Certificate.decode(sound_bytes()) == sound()
    assert faults(Certificate.decode(sound_bytes() + b"\n")) == []


def test_a_certificate_has_the_same_bytes_in_every_process() -> None:
    """Though the models of an evaluator are a set, which each process orders in its own way."""
    models = frozenset(keccak(bytes((at,))) for at in range(9))
    first, *others = sound().draw.evaluators
    draw = replace(sound().draw, evaluators=(replace(first, models=models), *others))
    shown = msgspec.json.decode(replace(sound(), draw=draw).encode())["draw"]["evaluators"][0]["models"]
    assert shown == [to_hex(model) for model in sorted(models)]


@settings(max_examples=400)
@given(at=st.integers(0, len(sound_bytes()) - 1), bit=st.integers(0, 7))
def test_a_byte_flipped_anywhere_fails_with_a_reason(at: int, bit: int) -> None:
    data = sound_bytes()
    flipped = data[:at] + bytes((data[at] ^ 1 << bit,)) + data[at + 1 :]
    with pytest.raises(CheckFailed) as refused:
        Certificate.decode(flipped)
    assert refused.value.message


def first_opened(certificate: Certificate) -> tuple[int, Member, OpenedReport]:
    return next((at, one, one.opened) for at, one in enumerate(certificate.members) if one.opened is not None)


def with_member(certificate: Certificate, at: int, member: Member) -> Certificate:
    return replace(certificate, members=(*certificate.members[:at], member, *certificate.members[at + 1 :]))


def with_report(certificate: Certificate, change: Callable[[Report], Report]) -> Certificate:
    at, member, opened = first_opened(certificate)
    return with_member(certificate, at, replace(member, opened=replace(opened, report=change(opened.report))))


def better_score(certificate: Certificate) -> Certificate:
    return with_report(certificate, lambda report: msgspec.structs.replace(report, accuracy_bps=10_000))


def another_leaf(certificate: Certificate) -> Certificate:
    return with_report(certificate, lambda report: msgspec.structs.replace(report, receipt=bytes(32)))


def another_signer(certificate: Certificate) -> Certificate:
    at, member, opened = first_opened(certificate)
    forged = evaluators()[0].sign(keccak(b"anything"))
    return with_member(certificate, at, replace(member, opened=replace(opened, signature=forged)))


def another_seed(certificate: Certificate) -> Certificate:
    return replace(certificate, draw=replace(certificate.draw, seed=keccak(b"a seed that was chosen")))


def fewer_evaluators(certificate: Certificate) -> Certificate:
    left = tuple(one for one in certificate.draw.evaluators if one.address != certificate.members[0].evaluator)
    return replace(certificate, draw=replace(certificate.draw, evaluators=left))


def without_a_member(certificate: Certificate) -> Certificate:
    return replace(certificate, members=certificate.members[1:])


def without_an_excuse(certificate: Certificate) -> Certificate:
    at, member, _ = first_opened(certificate)
    return with_member(certificate, at, Member(member.evaluator, None))


def better_belief(certificate: Certificate) -> Certificate:
    row = certificate.rows[0]
    changed = replace(row, row=msgspec.structs.replace(row.row, mean_bps=9_999))
    return replace(certificate, rows=(changed, *certificate.rows[1:]))


def an_older_root(certificate: Certificate) -> Certificate:
    return replace(certificate, root=msgspec.structs.replace(certificate.root, round=ROUND - 1))


def another_pot(certificate: Certificate) -> Certificate:
    root = msgspec.structs.replace(certificate.epoch_root, pot=certificate.epoch_root.pot + 1)
    return replace(certificate, proof=msgspec.structs.replace(certificate.proof, root=root.packed()))


def another_fee(certificate: Certificate) -> Certificate:
    document = certificate.document
    shares = msgspec.structs.replace(document.receipt.shares, fee=document.receipt.shares.fee + 1)
    receipt = msgspec.structs.replace(document.receipt, shares=shares)
    proof = msgspec.structs.replace(certificate.proof, receipt=receipt.packed())
    return replace(certificate, document=replace(document, receipt=receipt), proof=proof)


@pytest.mark.parametrize(
    ("forge", "fault"),
    [
        (better_score, "reports"),
        (another_leaf, "reports"),
        (another_signer, "reports"),
        (another_seed, "committee"),
        (fewer_evaluators, "committee"),
        (without_a_member, "committee"),
        (without_an_excuse, "committee"),
        (better_belief, "credibility"),
        (an_older_root, "credibility"),
        (another_pot, "inclusion"),
        (another_fee, "receipt: gateway signature"),
    ],
)
def test_a_forgery_with_a_fitting_hash_is_named(forge: Callable[[Certificate], Certificate], fault: str) -> None:
    forged = Certificate.decode(forge(sound()).encode())
    assert fault in faults(forged)


def test_what_only_a_chain_can_confirm_is_listed() -> None:
    facts = {fact.where: fact.value for fact in facts_on_chain(sound())}
    values = " ".join(facts.values())
    assert to_hex(sound().epoch_root.struct_hash()) in values
    assert to_hex(sound().root.struct_hash()) in values
    assert to_hex(sound().draw.seed) in values
    opened = [member for member in sound().members if member.opened is not None]
    assert sum(where.startswith("Revealed") for where in facts) == len(opened)


def differences(judged: Judged, certificate: Certificate) -> list[str]:
    compared = compare_with_chain(certificate, judged.view)
    return [check.name.removeprefix("chain: ") for check in compared if not check.ok]


def test_the_chain_that_it_is_of_confirms_it() -> None:
    assert differences(a_judged_epoch(), sound()) == []


def no_seed_there(judged: Judged) -> None:
    judged.view.draws.clear()


def another_seed_there(judged: Judged) -> None:
    draw = judged.view.draws[GATEWAY.address, EPOCH]
    judged.view.draws[GATEWAY.address, EPOCH] = reissued(draw, seed=keccak(b"the real one"))


def one_more_evaluator_there(judged: Judged) -> None:
    draw = judged.view.draws[GATEWAY.address, EPOCH]
    more = (*draw.evaluators, replace(draw.evaluators[0], address=Address(b"\xff" * 20)))
    judged.view.draws[GATEWAY.address, EPOCH] = reissued(draw, evaluators=more)


def another_commitment_there(judged: Judged) -> None:
    for key in judged.view.commitments:
        judged.view.commitments[key] = keccak(b"another word")


def another_root_there(judged: Judged) -> None:
    posted = judged.view.quality_roots[ROUND]
    judged.view.quality_roots[ROUND] = replace(posted, digest=Hash(bytes(32)))


def no_anchor_there(judged: Judged) -> None:
    judged.view.roots.clear()


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (no_anchor_there, ["anchored root"]),
        (no_seed_there, ["seed", "evaluators"]),
        (another_seed_there, ["seed"]),
        (one_more_evaluator_there, ["evaluators"]),
        (another_commitment_there, ["words given and kept"]),
        (another_root_there, ["quality root"]),
    ],
)
def test_a_chain_that_says_something_else_is_heard(change: Callable[[Judged], None], names: list[str]) -> None:
    judged = a_judged_epoch()
    change(judged)
    assert differences(judged, sound()) == names


def test_other_rules_than_the_courts_are_no_rules() -> None:
    judged = a_judged_epoch()
    judged.rule(replace(PARAMETERS, committee_size=1))
    compared = compare_with_chain(sound(), judged.view)
    assert [check.name for check in compared if not check.ok] == ["chain: rules"]


def test_who_had_its_full_number_of_duties_is_excused() -> None:
    judged = a_judged_epoch()
    judged.rule(replace(PARAMETERS, duty_cap=1))
    at = drawn_leaf(judged)

    async def main() -> Certificate:
        async with reading(judged) as found:
            return await certify(found.quality, found.records, request_id=story(at).request_id)

    made = asyncio.run(main())
    assert NOT_A_DUTY in {member.absence for member in made.members}
    assert faults(made) == []


def test_who_opened_nothing_is_named_as_absent() -> None:
    judged = a_judged_epoch()
    duty = judged.duties()[0]
    del judged.view.openings[ROUND, Address(duty.evaluator)]
    made = certificate_of(judged, duty.leaf.key.sequence)
    assert {member.evaluator: member.absence for member in made.members}[duty.evaluator] == NOT_OPENED
    assert faults(made) == []


def test_reports_that_were_altered_after_their_opening_are_no_reports() -> None:
    judged = a_judged_epoch()
    duty = judged.duties()[0]
    key = next(key for key in evaluators() if key.address == duty.evaluator)
    judged.open(key, judged.reports_of(key), root=bytes(32))
    made = certificate_of(judged, duty.leaf.key.sequence)
    (absence,) = (member.absence for member in made.members if member.evaluator == duty.evaluator)
    assert "counts for nothing" in absence


def undrawn(judged: Judged) -> int:
    drawn = {duty.leaf.key.sequence for duty in judged.duties()}
    return next(at for at in range(judged.leaves) if at not in drawn)


def no_seed(judged: Judged) -> None:
    judged.view.draws.clear()


def no_root(judged: Judged) -> None:
    judged.view.quality_roots.clear()


@pytest.mark.parametrize(("change", "exit_code"), [(no_seed, 6), (no_root, 6)])
def test_what_is_still_to_come_is_not_yet(change: Callable[[Judged], None], exit_code: int) -> None:
    judged = a_judged_epoch()
    at = drawn_leaf(judged)
    change(judged)
    with pytest.raises(NotYet) as refused:
        certificate_of(judged, at)
    assert refused.value.exit_code == exit_code


def test_a_receipt_that_was_not_drawn_has_no_certificate() -> None:
    judged = a_judged_epoch()
    with pytest.raises(NotDrawn) as refused:
        certificate_of(judged, undrawn(judged))
    assert refused.value.exit_code == 5
    assert "`dgrid receipts --judged`" in str(refused.value.hint)


def test_an_unknown_receipt_is_not_found() -> None:
    judged = a_judged_epoch()
    with pytest.raises(ReceiptNotFound):
        certificate_of(judged, 99)


def test_a_later_root_certifies_a_round_that_was_left_out() -> None:
    judged = a_judged_epoch()
    at = drawn_leaf(judged)
    judged.view.quality_roots.clear()
    judged.post(a_table(ROUND + 2))
    made = certificate_of(judged, at)
    assert (made.root.round, made.draw.round) == (ROUND + 2, ROUND)
    assert faults(made) == []


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 1000, b"\xff", b'{"schema":"dgrid.certificate/1"}'])
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    with pytest.raises(DGridError, match="malformed"):
        Certificate.decode(data)


def test_the_epoch_is_the_receipts() -> None:
    assert (sound().epoch_root.gateway, sound().epoch_root.epoch) == (GATEWAY.address, EPOCH)
