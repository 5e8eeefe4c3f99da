"""Hands signed roots to settlers, who carry them to the chain. Any one of them is enough."""

from collections.abc import Sequence

import msgspec

from dgrid.core.errors import DGridError, NetworkUnreachable
from dgrid.core.identity import to_hex
from dgrid.store.ledger_rows import Promise
from dgrid.wire.http import HttpClient
from dgrid.wire.messages import EpochRoot

ACCEPTED = (200, 202)


class SettlerDoors:
    """The settlers that this gateway knows."""

    def __init__(self, http: HttpClient, urls: Sequence[str]) -> None:
        self._http, self._urls = http, tuple(urls)

    async def hand_over(self, root: EpochRoot, signature: bytes, *, promises: Sequence[Promise]) -> None:
        """Returns once a settler has journaled the root. Raises NetworkUnreachable."""
        body = msgspec.json.encode(
            {
                "root": root.to_json(),
                "signature": to_hex(signature),
                "stored": [
                    {"archive": to_hex(promise.archive), "signature": to_hex(promise.signature)} for promise in promises
                ],
            }
        )
        reasons = []
        for url in self._urls:
            try:
                reply = await self._http.request("POST", url.rstrip("/") + "/v1/anchors", body=body)
                said = await reply.read()
            except DGridError as error:
                reasons.append(f"{url}: {error.message}")
                continue
            if reply.status in ACCEPTED:
                return
            reasons.append(f"{url}: status {reply.status}: {said[:200].decode(errors='replace')}")
        raise NetworkUnreachable("no settler takes the root: " + ("; ".join(reasons) or "none is configured"))
