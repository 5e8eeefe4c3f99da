"""What Python calls a bad split is what `Splits.sol` convicts for, and nothing else."""

import functools
from collections.abc import Callable

import msgspec
import pytest
from tests.devnet import Devnet, OnDevnet
from tests.settlement.books import Books
from tests.settlement.network import Settling, settling

from dgrid.chain.contracts import Reverted
from dgrid.core.money import WEI
from dgrid.settlement.closing import ClosingRow
from dgrid.settlement.records import EpochRecords
from dgrid.settlement.splits import SplitTerms, is_opened, split_faults
from dgrid.wire.blob import decode_record, encode_record
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import Flag, InferenceReceipt
from dgrid.wire.seals import seal

EPOCH = 80
replace = msgspec.structs.replace
Change = Callable[[InferenceReceipt], InferenceReceipt]


def shared(receipt: InferenceReceipt, **by: int) -> InferenceReceipt:
    """The receipt with its parts changed by so much; the fee follows unless it is named."""
    by.setdefault("fee", sum(by.values()))
    parts = {name: getattr(receipt.shares, name) + change for name, change in by.items()}
    return replace(receipt, shares=replace(receipt.shares, **parts))


def flagged(receipt: InferenceReceipt, flag: Flag, **by: int) -> InferenceReceipt:
    changed = shared(receipt, **by)
    return replace(changed, usage=replace(changed.usage, flags=flag))


def unpaid(receipt: InferenceReceipt, flag: Flag) -> InferenceReceipt:
    """Only the gateway's part is charged."""
    shares = receipt.shares
    return flagged(receipt, flag, node=-shares.node, protocol=-shares.protocol, listing=-shares.listing)


def with_tokens(receipt: InferenceReceipt) -> InferenceReceipt:
    return replace(receipt, usage=replace(receipt.usage, tokens_out=receipt.usage.tokens_out + 1))


def of_another_model(receipt: InferenceReceipt) -> InferenceReceipt:
    return replace(receipt, parties=replace(receipt.parties, model_id=bytes(32)))


def unlisted(receipt: InferenceReceipt) -> InferenceReceipt:
    return replace(receipt, parties=replace(receipt.parties, listing_id=b"\x01" * 32, listing_version=9))


def asking_another(receipt: InferenceReceipt, flags: Flag) -> InferenceReceipt:
    changed = unpaid(receipt, flags) if flags else receipt
    return replace(changed, request_id=bytes(32))


def gross(receipt: InferenceReceipt) -> int:
    return receipt.shares.node + receipt.shares.protocol


def to_the_margin(receipt: InferenceReceipt, over: int) -> InferenceReceipt:
    return shared(receipt, gateway=gross(receipt) * 2_000 // 10_000 + over - receipt.shares.gateway)


ALTERATIONS: list[tuple[Change, bool]] = [
    (lambda receipt: receipt, True),
    (functools.partial(shared, fee=1), False),
    (functools.partial(shared, node=-1), False),
    (functools.partial(shared, node=-1, protocol=1), False),
    (functools.partial(shared, node=-1, gateway=1), False),
    (functools.partial(shared, listing=1), False),
    (functools.partial(to_the_margin, over=0), True),
    (functools.partial(to_the_margin, over=1), False),
    (with_tokens, False),
    (of_another_model, False),
    (unlisted, True),
    (functools.partial(unpaid, flag=Flag.CACHED), True),
    (functools.partial(flagged, flag=Flag.CACHED), False),
    (functools.partial(flagged, flag=Flag.SUPPORT), True),
    (functools.partial(unpaid, flag=Flag.SUPPORT), True),
    (functools.partial(flagged, flag=Flag.SUPPORT, gateway=WEI), False),
    (functools.partial(asking_another, flags=Flag(0)), False),
    (functools.partial(asking_another, flags=Flag.CACHED), True),
]


def altered(books: Books, row: ClosingRow, change: Change) -> ClosingRow:
    record = decode_record(row.record)
    receipt = change(InferenceReceipt.unpacked(record.receipt))
    (resealed,) = seal(books.key, books.domain, [receipt.struct_hash()])
    record = replace(record, receipt=receipt.packed(), seal=resealed)
    return ClosingRow(row.lane, row.sequence, encode_record(record), receipt.struct_hash(), receipt.shares.fee)


async def anchored(network: Settling) -> EpochRecords:
    """An epoch in which each receipt is altered in its own way."""
    config = await network.open_channel("payer-1", amount_wei=100 * WEI)
    books = network.books
    for _ in ALTERATIONS:
        books.answer(EPOCH, network.work(config, "node-1", tokens_in=12_345, tokens_out=678))
    changes = zip(books.rows[EPOCH], ALTERATIONS, strict=True)
    books.rows[EPOCH] = [altered(books, row, change) for row, (change, _) in changes]
    await network.anchor(EPOCH)
    return await network.records.epoch(network.records.anchor(books.key.address, EPOCH))


def test_python_and_the_contract_agree_on_every_alteration(on_devnet: OnDevnet) -> None:
    async def main(net: Devnet) -> None:
        network = await settling(net)
        records = await anchored(network)
        terms = SplitTerms.of(network.watcher.finalized, EPOCH)
        for sequence, (_, is_fair) in enumerate(ALTERATIONS):
            document = ReceiptDocument.of(records.blob.record_at(0, sequence), domain=net.domain)
            assert is_opened(document)
            assert (not list(split_faults(document, terms))) == is_fair, sequence
            proof = records.proof(document.receipt)
            opened = document.receipt.usage, document.node_receipt, document.dispatch
            asked = net.contracts.splits.read(net.rpc, "proveBadSplit", [proof.arguments(), *opened])
            outcome = (
                "NotEvidence" if is_fair else "ERC20InvalidReceiver"
            )  # convicted: a call from nobody is paid to none
            with pytest.raises(Reverted, match=outcome):
                await asked

    on_devnet(main)
