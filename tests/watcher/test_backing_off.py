"""One item that nobody foresaw: left, tried again later and later, and in nobody else's way."""

import pytest
from tests.devnet import Devnet, OnDevnet
from tests.watcher.stage import EPOCHS, LIAR_EPOCH, watched
from tests.watcher.test_lies import LAST, proven

from dgrid.core.errors import ChainUnavailable
from dgrid.watcher.backing_off import Backoff
from dgrid.watcher.challenges import Number
from dgrid.wire.blob import EpochBlob


class Clock:
    def __init__(self) -> None:
        self.at_ms = 0

    def now_ms(self) -> int:
        return self.at_ms


def fail(backoff: Backoff, item: object, error: Exception) -> None:
    with backoff.trying(item, "an item"):
        raise error


def test_a_success_forgets_the_failures_and_others_never_wait() -> None:
    clock = Clock()
    backoff = Backoff(clock.now_ms)
    fail(backoff, "a", ZeroDivisionError())
    assert (backoff.is_due("a"), backoff.is_due("b")) == (False, True)
    with backoff.trying("a", "an item"):
        pass
    assert backoff.is_due("a")


def test_that_the_chain_is_away_is_nobodys_fault() -> None:
    backoff = Backoff(Clock().now_ms)
    with pytest.raises(ChainUnavailable):
        fail(backoff, "a", ChainUnavailable("away"))
    assert backoff.is_due("a")


def test_an_epoch_that_breaks_the_watcher_hides_neither_the_next_nor_any_evidence(
    on_devnet: OnDevnet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(net: Devnet) -> None:
        stage = await watched(net)
        await stage.history()
        decode, breaks = EpochBlob.decode, stage.network.records.anchor(stage.network.books.key.address, EPOCHS[0])
        broken = await stage.network.archives.fetch(breaks.root.blob_id)

        def breaking(data: bytes) -> EpochBlob:
            if data == broken:
                raise RuntimeError("a fault of ours")
            return decode(data)

        monkeypatch.setattr(EpochBlob, "decode", breaking)
        stage.watch.service.evidence.hold_receipt(stage.held(LAST._replace(epoch=EPOCHS[0])))
        await stage.step()
        gateway = stage.network.books.key.address
        assert stage.watch.epochs.memory.digests(gateway).keys() == set(EPOCHS[1:])
        assert stage.watch.service.evidence.count() == 1
        assert "a fault of ours" in caplog.text
        monkeypatch.setattr(EpochBlob, "decode", decode)
        stage.clock.ahead_ms += 2 * stage.watch.backoff.first_ms
        await stage.step()
        assert stage.watch.epochs.memory.digests(gateway).keys() == set(EPOCHS)
        assert stage.watch.service.evidence.count() == 0
        await stage.lie("more-pot")
        await proven(stage, Number.WRONG_POT, epoch=LIAR_EPOCH)

    on_devnet(main)
