"""The author's journal: killed anywhere, it goes on; what is opened leads to the root that was committed to."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.author.writing import write_body

from dgrid.author.chance import Chance
from dgrid.author.journal import Journal, Served
from dgrid.author.planning import Pen, PlannedCanary, PlanTerms, batch_root, plan_batch
from dgrid.author.traffic import Traffic
from dgrid.core.identity import Address
from dgrid.core.merkle import TreeNode, leaf, root_of_path
from dgrid.wire.quality import Canary, canary_item

EPOCH = 9
GATEWAYS = Address(b"\x01" * 20), Address(b"\x02" * 20)
TERMS = PlanTerms(share_bps=3_000, opens_ms=180_000, closes_ms=200_000, accounts={one: range(3) for one in GATEWAYS})


def a_batch(seed: int = 1, *, asked: int = 40) -> list[PlannedCanary]:
    chance = Chance(random.Random(seed))
    traffic = Traffic(by_gateway={GATEWAYS[0]: asked, GATEWAYS[1]: asked}, models=("dgrid-mini",))  # type: ignore[arg-type]
    return plan_batch(chance, traffic, terms=TERMS, pen=Pen(write_body, lambda: chance.random.randbytes(32)))


def opened(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "canaries.sqlite")


def committed(journal: Journal, batch: list[PlannedCanary]) -> None:
    journal.add_batch(EPOCH, batch, keys=[f"key-{at}" for at in range(len(batch))])
    journal.note_committed(EPOCH)


def served(at: int, *, epoch: int = EPOCH) -> Served:
    return Served(epoch, 0, 100 - at, bytes(32), f"answer {at}", "0x", "dgrid-mini")


def test_a_planned_batch_is_the_one_even_if_planned_again(tmp_path: Path) -> None:
    journal, first = opened(tmp_path), a_batch()
    kept = journal.add_batch(EPOCH, first, keys=["k"] * len(first))
    journal.close()
    again = opened(tmp_path)
    assert again.add_batch(EPOCH, a_batch(2), keys=["k"] * len(a_batch(2))) == kept
    assert kept.root == batch_root(first)


def test_nothing_is_sent_before_its_root_is_on_chain(tmp_path: Path) -> None:
    journal, batch = opened(tmp_path), a_batch()
    journal.add_batch(EPOCH, batch, keys=["k"] * len(batch))
    assert journal.due(EPOCH, now_ms=10**12) == []
    journal.note_committed(EPOCH)
    assert len(journal.due(EPOCH, now_ms=10**12)) == len(batch)


def test_each_is_sent_at_its_moment_and_again_under_the_same_name_until_it_is_known(tmp_path: Path) -> None:
    journal, batch = opened(tmp_path), a_batch()
    committed(journal, batch)
    assert journal.due(EPOCH, now_ms=batch[0].send_at_ms - 1) == []
    (first, *_) = journal.due(EPOCH, now_ms=batch[0].send_at_ms)
    journal.note_sending(first)
    journal.close()
    journal = opened(tmp_path)
    assert journal.due(EPOCH, now_ms=0) == [first], "killed after sending: the same request goes out again"
    journal.note_served(first, served(0))
    assert first not in journal.due(EPOCH, now_ms=10**12)


def test_an_answer_of_another_epoch_is_lost(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    committed(journal, a_batch())
    for at, canary in enumerate(journal.due(EPOCH, now_ms=10**12)):
        journal.note_served(canary, served(at, epoch=EPOCH + 1))
    assert journal.unopened() == []
    assert set(journal.counts()) == {"lost"}


def test_what_an_epoch_left_unanswered_is_given_up(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    committed(journal, a_batch())
    journal.give_up_before(EPOCH)
    assert set(journal.counts()) == {"waiting"}
    journal.give_up_before(EPOCH + 1)
    assert set(journal.counts()) == {"lost"}


def leads_to(canary: Canary, *, count: int) -> bytes:
    start = leaf(canary_item(canary.nonce, canary.body, canary.reference))
    path = tuple(TreeNode(step, 0) for step in canary.path)
    return root_of_path(start, index=canary.index, count=count, path=path).hash


@given(seed=st.integers(0, 2**32), asked=st.integers(4, 60), answered=st.integers(1, 30))
def test_every_opened_canary_leads_to_the_committed_root(
    tmp_path_factory: pytest.TempPathFactory, seed: int, asked: int, answered: int
) -> None:
    batch = a_batch(seed, asked=asked)
    if not batch:
        return
    journal = opened(tmp_path_factory.mktemp("journal"))
    committed(journal, batch)
    due = journal.due(EPOCH, now_ms=10**12)
    for at, kept in enumerate(due[:answered]):
        journal.note_served(kept, served(at))
    shown = {gateway: journal.opened(gateway, epoch) for gateway, epoch in journal.unopened()}
    assert sum(len(one.canaries) for one in shown.values()) == min(answered, len(due))
    for gateway, one in shown.items():
        places = [(canary.lane, canary.sequence) for canary in one.canaries]
        assert places == sorted(places)
        for canary in one.canaries:
            assert leads_to(canary, count=one.committed) == batch_root(batch)
            assert batch[canary.index].gateway == gateway
    journal.close()


def test_what_was_opened_or_missed_is_not_opened_again(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    committed(journal, a_batch())
    for at, canary in enumerate(journal.due(EPOCH, now_ms=10**12)):
        journal.note_served(canary, served(at))
    first, second = journal.unopened()
    journal.note_opened(*first, is_opened=True)
    journal.note_opened(*second, is_opened=False)
    assert journal.unopened() == []


def test_whom_a_virtual_name_led_to_last_is_known_for_some_epochs(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    committed(journal, a_batch())
    virtual = [one for one in journal.due(EPOCH, now_ms=10**12) if one.model == "auto"]
    journal.note_served(virtual[0], replace(served(0), model="dgrid-nano"))
    journal.note_served(virtual[1], replace(served(1, epoch=EPOCH + 1), model="dgrid-mini"))
    named = next(one for one in journal.due(EPOCH, now_ms=10**12) if one.model == "dgrid-mini")
    journal.note_served(named, served(2))
    journal.close()
    journal = opened(tmp_path)
    assert journal.led_to(since_epoch=EPOCH) == {"auto": "dgrid-mini"}
    assert journal.led_to(since_epoch=EPOCH + 2) == {}


def test_old_epochs_are_forgotten(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    committed(journal, a_batch())
    journal.forget_before(EPOCH + 1)
    assert (journal.batch(EPOCH), journal.counts()) == (None, {})


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    opened(tmp_path)
    assert (tmp_path / "canaries.sqlite").stat().st_mode & 0o077 == 0


def test_what_was_asked_is_remembered_through_a_power_cut(tmp_path: Path) -> None:
    """Its root stands on chain, and a node has read the question."""
    journal = Journal(tmp_path / "canaries.sqlite")
    (synchronous,) = journal._db.execute("PRAGMA synchronous").fetchone()
    journal.close()
    assert synchronous == 2
