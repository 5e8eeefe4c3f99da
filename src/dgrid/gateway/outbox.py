"""Signed receipts on their way to the nodes they owe: with the next dispatch, and again if that one failed."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from dgrid.core.keccak import ZERO_HASH
from dgrid.wire.frames import SignedReceipt

SENT_AT_ONCE_MAX = 64
KEPT_MAX = 4096

History = Callable[[bytes], list[tuple[bytes, SignedReceipt]]]


@dataclass(slots=True)
class NodeMail:
    """One node's receipts, oldest first."""

    waiting: deque[tuple[bytes, SignedReceipt]] = field(default_factory=lambda: deque(maxlen=KEPT_MAX))
    last_hash: bytes = ZERO_HASH


class Parcel(msgspec.Struct, frozen=True, gc=False):
    """What goes out with one dispatch."""

    receipts: tuple[tuple[bytes, SignedReceipt], ...]
    last_hash: bytes

    @property
    def signed(self) -> tuple[SignedReceipt, ...]:
        return tuple(receipt for _, receipt in self.receipts)


class Outbox:
    """All nodes' mail. After a restart each node's latest receipts are sent again: it knows them by their place."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._mail: dict[bytes, NodeMail] = {}

    def post(self, node: bytes, struct_hash: bytes, *, receipt: SignedReceipt) -> None:
        """Adds a receipt that was just sealed."""
        mail = self._of(node)
        if mail.last_hash != struct_hash:
            mail.waiting.append((struct_hash, receipt))
            mail.last_hash = struct_hash

    def take(self, node: bytes) -> Parcel:
        """What the next dispatch carries."""
        mail = self._of(node)
        if not mail.waiting:
            return Parcel((), mail.last_hash)
        taken = [mail.waiting.popleft() for _ in range(min(SENT_AT_ONCE_MAX, len(mail.waiting)))]
        return Parcel(tuple(taken), taken[-1][0])

    def give_back(self, node: bytes, parcel: Parcel) -> None:
        """The dispatch did not arrive: its receipts go out with the next."""
        self._of(node).waiting.extendleft(reversed(parcel.receipts))

    def _of(self, node: bytes) -> NodeMail:
        mail = self._mail.get(node)
        if mail is None:
            mail = self._mail[node] = NodeMail()
            for struct_hash, receipt in self._history(node):
                mail.waiting.append((struct_hash, receipt))
                mail.last_hash = struct_hash
        return mail
