"""What `dgrid connect` keeps in the user's folder beside its books: signed requests and receipts.

A receipt that the wallet refused is kept too, apart from the others: with its request it shows what the gateway did.
"""

import os
from pathlib import Path

import msgspec

from dgrid.core.identity import to_hex
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import InferenceRequest


def keep_request(folder: Path, request_id: bytes, *, request: InferenceRequest) -> None:
    """Writes a request as it was signed: what it allows, and no word of what it asks.

    Before the order leaves, so that a killed proxy has it too; nothing is flushed, so it takes a fraction of a
    millisecond.
    """
    _written(folder / "requests", to_hex(request_id), msgspec.json.encode(request.to_json()))


def forget_requests(folder: Path, *, most: int) -> None:
    """Keeps the latest requests alone. Takes long where there are many: nothing for an event loop."""
    try:
        found = sorted((one.stat().st_mtime_ns, one.path) for one in os.scandir(folder / "requests"))
    except FileNotFoundError:  # nothing was signed yet
        return
    for _, path in found[: max(0, len(found) - most)]:
        Path(path).unlink(missing_ok=True)


def kept_request(folder: Path, receipt_id: str) -> InferenceRequest | None:
    """The signed request of this id, if it was kept. `receipt_id` is checked hex."""
    try:
        return InferenceRequest.from_json(
            msgspec.json.decode((folder / "requests" / f"{receipt_id}.json").read_bytes())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def keep_receipt(folder: Path, document: ReceiptDocument) -> None:
    """Writes the owner's copy of a receipt."""
    _written(folder / "receipts", to_hex(document.receipt.request_id), document.encode())


def kept_receipt(folder: Path, receipt_id: str) -> bytes | None:
    """The owner's copy of a receipt, if it was kept. `receipt_id` is checked hex."""
    try:
        return (folder / "receipts" / f"{receipt_id}.json").read_bytes()
    except OSError:
        return None


def keep_refused(folder: Path, document: ReceiptDocument) -> None:
    """Writes the owner's copy of a receipt that bills what the wallet does not owe."""
    name = to_hex(document.receipt.struct_hash())
    _written(folder / "refused" / to_hex(document.receipt.request_id), name, document.encode())


def kept_refused(folder: Path, receipt_id: str) -> list[bytes]:
    """The refused receipts of this id. `receipt_id` is checked hex."""
    return [path.read_bytes() for path in sorted((folder / "refused" / receipt_id).glob("*.json"))]


def _written(folder: Path, name: str, data: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / f"{name}.json").write_bytes(data)
