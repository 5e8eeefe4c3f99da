"""A watcher's door: signed receipts and roots are handed in here, what was found is read here. Everything is bounded.

Takes only what a registered gateway signed, of an epoch that has begun and counts. Whoever hands something in need not
say who they are: the signature under it says all.
"""

from collections.abc import Callable
from dataclasses import dataclass

from dgrid.chain.events import Role
from dgrid.chain.watcher import ChainWatcher
from dgrid.core.errors import InvalidRequest, InvalidSignature, RouteNotFound
from dgrid.core.identity import Address, ChannelId, to_hex
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.telemetry import WatcherMetrics
from dgrid.watcher.evidence import DOCUMENT_BYTES_MAX, Evidence, HeldReceipt
from dgrid.watcher.findings import Finding, Findings
from dgrid.watcher.overcharges import Overcharge
from dgrid.watcher.watching import EpochWatch
from dgrid.wire.server import Reply, Request, ServerLimits, json_reply
from dgrid.wire.typed import Domain

LIMITS = ServerLimits(body_bytes=DOCUMENT_BYTES_MAX, connections=256)
SHOWN_MAX = 1000


@dataclass(frozen=True, slots=True)
class WatcherService:
    """What a watcher answers."""

    evidence: Evidence
    findings: Findings
    epochs: EpochWatch
    watcher: ChainWatcher
    domain: Domain
    metrics: WatcherMetrics
    now_ms: Callable[[], int]
    wake: Callable[[], None]

    async def handle(self, request: Request) -> Reply:
        """One request. Raises DGridError, which becomes an error reply."""
        match (request.method, request.path):
            case ("GET", "/healthz"):
                return self._health()
            case ("GET", "/metrics"):
                return Reply(200, self.metrics.text(), content_type=b"text/plain; version=0.0.4")
            case ("GET", "/v1/findings"):
                found = [_finding_json(one) for one in self.findings.latest(SHOWN_MAX)]
                return json_reply({"findings": found})
            case ("POST", "/v1/receipts"):
                return self._take_receipt(request.body)
            case ("POST", "/v1/overcharges"):
                return self._take_overcharge(request.body)
            case ("POST", "/v1/roots"):
                return self._take_root(request.body)
            case _:
                raise RouteNotFound(f"a watcher has no {request.method} {request.path}")

    def take_receipt(self, data: bytes) -> HeldReceipt:
        """Keeps a receipt until its epoch can be compared. Raises InvalidRequest, AuthenticationError, Unavailable."""
        held = HeldReceipt.from_json(data, domain=self.domain)
        self._hold(held)
        self.wake()
        return held

    def _hold(self, held: HeldReceipt) -> None:
        self._require_counting(held.gateway, held.place.epoch)
        channel = held.receipt.parties.channel_id
        is_known = ChannelId(channel) in self.watcher.latest.channels
        self.evidence.hold_receipt(held, payer=channel if is_known else b"")

    def _take_overcharge(self, body: bytes) -> Reply:
        """Its receipts are held too: one that is never anchored convicts by itself."""
        found = Overcharge.from_json(body, domain=self.domain)
        self._require_counting(found.gateway, found.epoch)
        self.evidence.hold_overcharge(found.gateway, found.epoch, document=found.to_json())
        for held in found.receipts:
            self._hold(held)
        self.wake()
        return json_reply({"state": "held", "epoch": found.epoch}, 202)

    def _take_receipt(self, body: bytes) -> Reply:
        held = self.take_receipt(body)
        return json_reply({"state": "held", "epoch": held.place.epoch}, 202)

    def _take_root(self, body: bytes) -> Reply:
        held = SignedRoot.from_json(body, domain=self.domain)
        self._require_counting(held.gateway, held.root.epoch)
        self.evidence.hold_root(held)
        self.wake()
        return json_reply({"state": "held", "epoch": held.root.epoch}, 202)

    def _require_counting(self, gateway: Address, epoch: int) -> None:
        view = self.watcher.latest
        if (Role.GATEWAY, gateway) not in view.members:
            raise InvalidSignature(f"{to_hex(gateway)} is not a registered gateway")
        if epoch > self.watcher.clock.epoch_at(self.now_ms()) + 1:
            raise InvalidRequest(f"epoch {epoch} has not begun")
        if view.is_void(gateway, epoch):
            raise InvalidRequest(f"epoch {epoch} of this gateway does not count any more: it was convicted")

    def _health(self) -> Reply:
        return json_reply(
            {
                "role": "watcher",
                "address": to_hex(self.epochs.accuser.sender.address),
                "receipts_waiting": self.evidence.count(),
                "epochs_away": len(self.epochs.away),
                "chain_block": self.watcher.block,
                "chain_is_stale": self.watcher.is_stale,
            }
        )


def _finding_json(finding: Finding) -> dict[str, object]:
    return {
        "gateway": to_hex(finding.gateway),
        "epoch": finding.epoch,
        "challenge": finding.challenge,
        "text": finding.text,
        "outcome": finding.outcome.value,
        "reason": finding.reason,
        "found_at_ms": finding.found_at_ms,
    }
