"""Signs what the node did: one receipt an answer, one signature for all that are ready in the same turn of the
event loop.

Nothing is signed before the books hold it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dgrid.core.errors import DGridError
from dgrid.core.keccak import salted_hash
from dgrid.wire.frames import FrameKind, NodeDone, encode, frame
from dgrid.wire.messages import NodeReceipt
from dgrid.wire.seals import SEAL_MESSAGES_MAX, Seal, seal
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import Domain

COUNT_MAX: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Delivered:
    """What went out for one dispatch: what the receipt will say."""

    dispatch_hash: bytes
    salt: bytes
    text: str  # the answer's text, as `wire.answers` defines it
    evidence: bytes
    tokens_in: int
    tokens_out: int
    partial: bool = False

    def receipt(self) -> NodeReceipt:
        return NodeReceipt(
            self.dispatch_hash,
            salted_hash(self.salt, self.text.encode()),
            salted_hash(self.salt, self.evidence),
            min(self.tokens_in, COUNT_MAX),
            min(self.tokens_out, COUNT_MAX),
        )

    def done(self, receipt: NodeReceipt, sealed: Seal) -> bytes:
        """The stream's last frame."""
        return frame(FrameKind.DONE, encode(NodeDone(receipt.packed(), sealed, self.evidence, self.partial)))


class Sealer:
    """Gathers what asks for a signature until the event loop's turn ends."""

    def __init__(self, key: SigningKey, domain: Domain, *, before: Callable[[], None]) -> None:
        """`before` runs once before each signature and may refuse by raising: it makes durable what is signed."""
        self._key, self._domain, self._before = key, domain, before
        self._waiting: list[tuple[bytes, asyncio.Future[Seal]]] = []

    async def seal(self, struct_hash: bytes) -> Seal:
        """The seal over a message's struct hash. Raises what `before` raised."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._sign)
        waiter: asyncio.Future[Seal] = loop.create_future()
        self._waiting.append((struct_hash, waiter))
        return await waiter

    def _sign(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            self._before()
        except DGridError as error:
            for _, waiter in waiting:
                if not waiter.done():
                    waiter.set_exception(error)
            return
        wanted = [(struct_hash, waiter) for struct_hash, waiter in waiting if not waiter.done()]
        for at in range(0, len(wanted), SEAL_MESSAGES_MAX):
            batch = wanted[at : at + SEAL_MESSAGES_MAX]
            seals = seal(self._key, self._domain, [struct_hash for struct_hash, _ in batch])
            for (_, waiter), sealed in zip(batch, seals, strict=True):
                waiter.set_result(sealed)
