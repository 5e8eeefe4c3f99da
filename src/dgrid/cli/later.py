"""What is not there yet, told from what will never be: the commands that wait share it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from dgrid.cli.wallet_config import open_client
from dgrid.core.errors import DGridError, NotYet, ReceiptNotFound
from dgrid.core.identity import to_hex
from dgrid.wire.documents import ReceiptDocument

ROUND_S = 1.0  # between one look and the next

Found = TypeVar("Found")
Note = Callable[[str], None]


def awaited(
    look: Callable[[], Found], *, wait_s: float, note: Note, explain: Callable[[DGridError], DGridError]
) -> Found:
    """What `look` finds, as soon as it is there; meanwhile `note` is told what it waits for.

    Raises what `look` raises; NotYet and ReceiptNotFound, as `explain` has them, only when `wait_s` are over.
    """
    ends_s, told = time.monotonic() + wait_s, ""
    while True:
        try:
            return look()
        except (NotYet, ReceiptNotFound) as error:
            if time.monotonic() + ROUND_S > ends_s:
                raise explain(error) from None
            if error.message != told:
                note(f"{explain(error).message}; waiting …")
            told = error.message
        time.sleep(ROUND_S)


def sooner_or_later(home: Path, error: DGridError, *, request_id: bytes | None) -> DGridError:
    """A receipt that a gateway knows and the chain does not is not missing: its epoch is not anchored yet."""
    if request_id is None or not isinstance(error, ReceiptNotFound):
        return error
    try:
        document = ReceiptDocument.decode(open_client(home).receipt(to_hex(request_id)))
    except DGridError:
        return error
    epoch = document.receipt.place.epoch
    return NotYet(f"the receipt's epoch {epoch} is not anchored yet", hint="`--wait 60` waits for it")
