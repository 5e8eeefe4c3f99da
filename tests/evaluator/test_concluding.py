"""Who concludes a round believes no other evaluator further than its signature under the own root."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.evaluator.stage import Seat, Stage, on_stage
from tests.evaluator.test_working import commit_all, reveal_all

from dgrid.chain.view import Draw
from dgrid.core.delays import Delays
from dgrid.core.errors import NotYet, StorageUnavailable
from dgrid.core.identity import to_hex
from dgrid.evaluator.concluding import DOCUMENT_BYTES_MAX, LOOKS_MS, Concluder
from dgrid.evaluator.journal import SignedRoot
from dgrid.evaluator.planning import Conclude
from dgrid.wire.server import Reply, json_reply


def shown(signed: SignedRoot, **changed: object) -> Reply:
    said = {
        "root": signed.root.to_json(),
        "signature": to_hex(signed.signature),
        "blob_id": to_hex(signed.root.blob_id),
    }
    return json_reply({**said, **changed})


def lies(stage: Stage, signed: SignedRoot) -> dict[str, Callable[[], Reply]]:
    """What the other's door may say, knowing what was signed."""
    other = msgspec.structs.replace(signed.root, payouts_total=signed.root.payouts_total + 1)
    forged = stage.net.key("stranger").sign(stage.court.digest(signed.root.struct_hash()))
    return {
        "the own signature": lambda: shown(signed),
        "another root": lambda: shown(SignedRoot(other, signed.signature)),
        "a stranger's signature": lambda: shown(SignedRoot(signed.root, forged)),
        "no hex": lambda: shown(signed, signature="zz"),
        "no signature": lambda: shown(signed, signature=7),
        "no JSON": lambda: Reply(200, b"\xff"),
        "depth without end": lambda: Reply(200, b'{"root":{"a":' + b"[" * 8_000),
        "too much": lambda: Reply(200, b" " * (DOCUMENT_BYTES_MAX + 1)),
        "nothing": lambda: Reply(503, b""),
    }


async def judged_round(stage: Stage, seats: list[Seat]) -> Draw:
    """A round of which only the root is missing."""
    await stage.anchor(40)
    draw = await stage.drawn(40, seats[0])
    await stage.disclose(draw)
    await stage.judged(draw, *seats)
    await commit_all(stage, draw, *seats)
    await reveal_all(stage, draw, *seats)
    await stage.go_to(stage.windows(draw.round).post_from_s + 10)
    return draw


def test_no_lie_of_another_evaluator_makes_a_quorum_and_its_true_signature_does(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        honest, other = seats = list(stage.seats.values())
        draw = await judged_round(stage, seats)
        stage.lies[other.name] = lambda: Reply(503, b"")
        while (signed := honest.journal.signature(draw.round)) is None:
            await stage.turn(honest)
        for name, lie in lies(stage, signed).items():
            stage.lies[other.name] = lie
            with pytest.raises(NotYet, match="1 of 2"):
                await honest.loop.concluder.conclude(Conclude(draw.round, posts=True), stage.view)
            assert stage.watcher.latest.last_quality_round == -1, name
        del stage.lies[other.name]
        await stage.until(lambda view: view.last_quality_round == draw.round, honest, other)

    on_stage(tmp_path, main, evaluators=2)


def test_no_root_is_signed_whose_table_lies_nowhere(tmp_path: Path) -> None:
    """Signatures are anybody's to gather; posted without the table, nobody could compute what their givers had."""

    async def main(stage: Stage) -> None:
        honest, _ = seats = list(stage.seats.values())
        draw = await judged_round(stage, seats)
        conclude, stores = Conclude(draw.round, posts=False), stage.network.stores
        capacities = [store._capacity for store in stores]
        for store in stores:
            store._capacity = store.used_bytes
        with pytest.raises(StorageUnavailable):
            await honest.loop.concluder.conclude(conclude, stage.view)
        assert honest.journal.signature(draw.round) is None
        for store, capacity in zip(stores, capacities, strict=True):
            store._capacity = capacity
        await honest.loop.concluder.conclude(conclude, stage.view)
        signed = honest.journal.signature(draw.round)
        assert signed is not None
        assert all(store.has(signed.root.blob_id) for store in stores)

    on_stage(tmp_path, main, evaluators=2)


def test_whoever_posts_the_root_is_the_one_that_each_computed_and_signed(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        seats = list(stage.seats.values())
        draw = await judged_round(stage, seats)
        await stage.until(lambda view: view.last_quality_round == draw.round, *seats)
        await stage.turn(*seats)
        for seat in seats:
            signed = seat.journal.signature(draw.round)
            assert signed is not None
            assert signed.root == stage.view.quality_roots[draw.round].root

    on_stage(tmp_path, main, evaluators=2)


def test_what_was_nowhere_to_be_had_is_looked_for_again_less_and_less_often_and_the_root_computed_anew(
    tmp_path: Path,
) -> None:
    async def main(stage: Stage) -> None:
        honest, late = seats = list(stage.seats.values())
        draw = await judged_round(stage, seats)
        name = stage.view.openings[draw.round, late.me].blob_id
        stores = stage.network.stores
        blob = stores[0].get(name)
        assert blob is not None
        for store in stores:
            store.forget(name)
        conclude, first_ms = Conclude(draw.round, posts=False), LOOKS_MS[0]
        clock, own = [0], honest.loop.concluder
        concluder = Concluder(own._desk, own._quality, looks=Delays(lambda: clock[0], *LOOKS_MS))
        await concluder.conclude(conclude, stage.view)
        without = honest.journal.signature(draw.round)
        clock[0] = first_ms
        await concluder.conclude(conclude, stage.view)
        for store in stores:
            store.put(name, blob)
        clock[0] += 2 * first_ms - 1
        await concluder.conclude(conclude, stage.view)
        assert honest.journal.signature(draw.round) == without
        clock[0] += 1
        await concluder.conclude(conclude, stage.view)
        again = honest.journal.signature(draw.round)
        await late.loop.concluder.conclude(conclude, stage.view)
        theirs = late.journal.signature(draw.round)
        assert without is not None
        assert again is not None
        assert theirs is not None
        assert without.root != again.root == theirs.root

    on_stage(tmp_path, main, evaluators=2)
