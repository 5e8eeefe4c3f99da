"""Plans: as many canaries as traffic brings, where it is, at moments that say nothing; none for nothing."""

import asyncio
import random
from collections import Counter
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.author.writing import write_body
from tests.settlement.judged import DOMAIN, EPOCH, Judged, reading
from tests.wire.making import GATEWAY, PAYER, Story

from dgrid.author.chance import Chance
from dgrid.author.planning import BATCH_MAX, Pen, PlannedCanary, PlanTerms, plan_batch
from dgrid.author.traffic import Traffic, TrafficReader, traffic_of
from dgrid.core.identity import Address
from dgrid.settlement.records import open_records
from dgrid.wire.documents import Record

ONE, TWO = Address(b"\x01" * 20), Address(b"\x02" * 20)


def planned(seed: int, traffic: Traffic, *, share_bps: int = 3_000) -> list[PlannedCanary]:
    chance = Chance(random.Random(seed))
    terms = PlanTerms(share_bps, opens_ms=100_000, closes_ms=120_000, accounts={ONE: range(3), TWO: range(3)})
    return plan_batch(chance, traffic, terms=terms, pen=Pen(write_body, lambda: chance.random.randbytes(32)))


def traffic(one: int, two: int) -> Traffic:
    return Traffic(Counter({ONE: one, TWO: two}), ("dgrid-mini",))


def test_nothing_is_asked_of_an_idle_network() -> None:
    assert planned(1, Traffic()) == []


@given(seed=st.integers(0, 2**32), one=st.integers(0, 200), two=st.integers(0, 200))
def test_a_plan_is_bounded_within_its_epoch_and_in_order(seed: int, one: int, two: int) -> None:
    batch = planned(seed, traffic(one, two))
    assert len(batch) <= min(one + two, BATCH_MAX)
    moments = [canary.send_at_ms for canary in batch]
    assert moments == sorted(moments)
    assert all(101_000 <= moment <= 116_000 for moment in moments)
    assert all(canary.account in range(3) for canary in batch)
    assert len({canary.nonce for canary in batch}) == len(batch)


def test_canaries_follow_the_traffic_in_number_and_place() -> None:
    found: Counter[Address] = Counter()
    for seed in range(60):
        found.update(canary.gateway for canary in planned(seed, traffic(60, 20)))
    assert 0.8 < found[ONE] / (60 * 60 * 0.3) < 1.2
    assert 0.8 < found[TWO] / (60 * 20 * 0.3) < 1.2


def test_moments_are_spread_over_the_epoch_and_accounts_take_turns() -> None:
    batch = [canary for seed in range(40) for canary in planned(seed, traffic(60, 20))]
    thirds = Counter((canary.send_at_ms - 101_000) * 3 // 15_001 for canary in batch)
    assert min(thirds.values()) > len(batch) // 4
    assert min(Counter(canary.account for canary in batch).values()) > len(batch) // 4


def test_no_share_no_canaries() -> None:
    assert planned(1, traffic(500, 500), share_bps=0) == []


def test_traffic_is_what_others_asked() -> None:
    judged = Judged()
    anchor = judged.anchor()
    records = open_records(anchor, judged.blobs[anchor.root.blob_id])
    assert anchor.root.epoch == EPOCH
    others = traffic_of([records], DOMAIN, own=set())
    assert others.by_gateway == {GATEWAY.address: judged.leaves}
    assert set(others.models) == {"dgrid-mini"}
    assert traffic_of([records], DOMAIN, own={PAYER.address}) == Traffic()


class Malformed(Judged):
    """What archives that work with the gateway keep for it: one record is none, one is no honest one."""

    def record(self, sequence: int, epoch: int) -> Record:
        record = super().record(sequence, epoch)
        return record if sequence else msgspec.structs.replace(record, dispatch=b"")


def test_records_that_do_not_hold_are_no_traffic_and_keep_nobody_from_seeing_the_rest() -> None:
    judged = Malformed(spoiled=frozenset({1}))
    anchor = judged.anchor()
    others = traffic_of([open_records(anchor, judged.blobs[anchor.root.blob_id])], DOMAIN, own=set())
    assert others.by_gateway == {GATEWAY.address: judged.leaves - 2}
    assert set(others.models) == {"dgrid-mini"}


def test_the_same_epochs_are_counted_once() -> None:
    """Whoever waits for traffic looks twice a second, and to check a receipt's signatures takes its time."""

    async def main() -> None:
        judged = Judged()
        judged.anchor()
        async with reading(judged) as found:
            reader = TrafficReader(found.records, domain=DOMAIN, own=set())
            first = await reader.before(EPOCH + 1)
            assert first.by_gateway == {GATEWAY.address: judged.leaves}
            assert await reader.before(EPOCH + 1) is first
            assert await reader.before(EPOCH) == Traffic()
            assert await reader.before(EPOCH + 1) == first

    asyncio.run(main())


class OfNano(Judged):
    """The same epoch, answered by another model."""

    def story(self, sequence: int) -> Story:
        return replace(super().story(sequence), model="dgrid-nano")


def test_of_much_traffic_every_part_says_which_models_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dgrid.author.traffic.MODELS_KEPT", 12)
    epochs = [open_records(one.anchor(), next(iter(one.blobs.values()))) for one in (Judged(), OfNano())]
    models = Counter(traffic_of(epochs * 4, DOMAIN, own=set()).models)
    assert min(models["dgrid-mini"], models["dgrid-nano"]) > 3
    assert models.total() <= 12
