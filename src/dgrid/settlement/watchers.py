"""Where two signatures for one thing are brought: to every watcher that is known. What they make of it is theirs."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from dgrid.core.errors import DGridError
from dgrid.core.identity import to_hex
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.wire.http import HttpClient

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WatcherDoors:
    """The watchers that somebody knows."""

    http: HttpClient
    urls: Sequence[str]

    async def hand_over(self, roots: Sequence[SignedRoot]) -> None:
        """Brings signed roots to every watcher; who cannot be reached is left."""
        for url in self.urls:
            for signed in roots:
                await self._post(url, signed)

    async def _post(self, url: str, signed: SignedRoot) -> None:
        body = msgspec.json.encode({"root": signed.root.to_json(), "signature": to_hex(signed.signature)})
        try:
            reply = await self.http.request("POST", url.rstrip("/") + "/v1/roots", body=body)
            said = await reply.read()
        except DGridError as error:
            logger.warning("watcher %s: %s", url, error.message)
            return
        if reply.status != 202:
            logger.warning("watcher %s: status %d: %s", url, reply.status, said[:200].decode(errors="replace"))
