"""Signs whatever is ready within one tick of the event loop under one Merkle seal."""

import asyncio
from collections.abc import Callable

from dgrid.wire.seals import SEAL_MESSAGES_MAX, Seal, seal
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import Domain


class TickSealer:
    """Gathers struct hashes until the tick ends, then seals them together."""

    def __init__(self, key: SigningKey, domain: Domain, is_alone: Callable[[], bool] = lambda: False) -> None:
        """`is_alone` says that no other message can become ready in this tick: then nothing is waited for."""
        self._key, self._domain, self._is_alone = key, domain, is_alone
        self._waiting: list[tuple[bytes, asyncio.Future[Seal]]] = []

    def seal(self, struct_hash: bytes) -> asyncio.Future[Seal]:
        """The seal over a message, at the end of this tick."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Seal] = loop.create_future()
        self._waiting.append((struct_hash, future))
        if len(self._waiting) == 1:
            if self._is_alone():
                self._sign()
            else:
                loop.call_soon(self._sign)
        return future

    def _sign(self) -> None:
        waiting, self._waiting = self._waiting, []
        for at in range(0, len(waiting), SEAL_MESSAGES_MAX):
            batch = waiting[at : at + SEAL_MESSAGES_MAX]
            seals = seal(self._key, self._domain, [struct_hash for struct_hash, _ in batch])
            for (_, future), made in zip(batch, seals, strict=True):
                if not future.done():
                    future.set_result(made)
