"""What `dgrid connect` keeps in the user's folder: checked receipts, and what each channel's receipts used."""

from pathlib import Path

import msgspec

from dgrid.client.payments import ChannelBook
from dgrid.core.identity import to_hex
from dgrid.wire.documents import ReceiptDocument


def keep_receipt(folder: Path, document: ReceiptDocument) -> None:
    """Writes the owner's copy of a receipt."""
    receipts = folder / "receipts"
    receipts.mkdir(parents=True, exist_ok=True, mode=0o700)
    (receipts / f"{to_hex(document.receipt.request_id)}.json").write_bytes(document.encode())


def kept_receipt(folder: Path, receipt_id: str) -> bytes | None:
    """The owner's copy of a receipt, if it was kept. `receipt_id` is checked hex."""
    try:
        return (folder / "receipts" / f"{receipt_id}.json").read_bytes()
    except OSError:
        return None


def book_file(folder: Path, channel_id: bytes) -> Path:
    """Where a channel's book lies."""
    return folder / "channels" / f"{to_hex(channel_id)}.json"


def used_by_channel(folder: Path, channel_id: bytes) -> int:
    """What the receipts of a channel show as used, in wei; 0 where no book was kept."""
    try:
        return int(msgspec.json.decode(book_file(folder, channel_id).read_bytes(), type=ChannelBook).used_wei)
    except (OSError, msgspec.DecodeError):
        return 0
