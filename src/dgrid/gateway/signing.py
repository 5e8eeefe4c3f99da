"""Signs what is ready in the same moment under one Merkle seal."""

import asyncio
from collections.abc import Callable

from dgrid.store.gathering import Gathering
from dgrid.wire.seals import SEAL_MESSAGES_MAX, Seal, seal
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import Domain


class GroupSealer:
    """Gathers struct hashes for a moment, then seals them together."""

    def __init__(self, key: SigningKey, domain: Domain, under_way: Callable[[], int]) -> None:
        """`under_way` counts the requests in flight: those whose messages may become ready soon."""
        self._key, self._domain = key, domain
        self._waiting: list[tuple[bytes, asyncio.Future[Seal]]] = []
        self._gathering = Gathering(self._sign, under_way=under_way)

    def seal(self, struct_hash: bytes) -> asyncio.Future[Seal]:
        """The seal over a message."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Seal] = loop.create_future()
        self._waiting.append((struct_hash, future))
        self._gathering.join(loop, len(self._waiting))
        return future

    def _sign(self) -> None:
        waiting, self._waiting = self._waiting, []
        for at in range(0, len(waiting), SEAL_MESSAGES_MAX):
            batch = waiting[at : at + SEAL_MESSAGES_MAX]
            seals = seal(self._key, self._domain, [struct_hash for struct_hash, _ in batch])
            for (_, future), made in zip(batch, seals, strict=True):
                if not future.done():
                    future.set_result(made)
