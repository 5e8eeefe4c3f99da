"""What an evaluator answers: its signature under a round's root, for the others to gather, and how it is."""

from dataclasses import dataclass

from dgrid.chain.watcher import ChainWatcher
from dgrid.core.errors import InvalidRequest, NotYet, RouteNotFound
from dgrid.core.identity import Address, to_hex
from dgrid.evaluator.concluding import QUALITY
from dgrid.evaluator.journal import Journal
from dgrid.evaluator.tally import Tally
from dgrid.wire.server import Reply, Request, json_reply

ROUND_DIGITS_MAX = 12


@dataclass(frozen=True, slots=True)
class EvaluatorService:
    """What an evaluator answers."""

    evaluator: Address
    journal: Journal
    watcher: ChainWatcher
    tally: Tally

    async def handle(self, request: Request) -> Reply:
        """One request. Raises DGridError, which becomes an error reply."""
        if request.method != "GET":
            raise RouteNotFound(f"an evaluator has no {request.method} {request.path[:80]}")
        if request.path == "/healthz":
            return self._health()
        if request.path == "/metrics":
            return Reply(200, self.tally.text(), content_type=b"text/plain; version=0.0.4")
        if request.path.startswith(QUALITY):
            return self._signature(request.path.removeprefix(QUALITY))
        raise RouteNotFound(f"an evaluator has no {request.path[:80]}")

    def _signature(self, text: str) -> Reply:
        if not text.isascii() or not text.isdecimal() or len(text) > ROUND_DIGITS_MAX:
            raise InvalidRequest("a round is a whole number")
        signed = self.journal.signature(int(text))
        if signed is None:
            raise NotYet(f"nothing was signed for round {text}", retry_after_ms=1000)
        said = {
            "root": signed.root.to_json(),
            "signature": to_hex(signed.signature),
            "blob_id": to_hex(signed.root.blob_id),
        }
        return json_reply(said)

    def _health(self) -> Reply:
        return json_reply(
            {
                "role": "evaluator",
                "address": to_hex(self.evaluator),
                "chain_block": self.watcher.block,
                "chain_is_stale": self.watcher.is_stale,
                "last_posted_round": self.watcher.finalized.last_quality_round,
            }
        )
