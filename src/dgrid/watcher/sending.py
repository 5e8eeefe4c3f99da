"""Takes challenges to the chain, each once, and notes what came of it. Several watchers may hold the same proof."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from dgrid.chain.contracts import Reverted
from dgrid.chain.sender import Sender, TransactionRefused
from dgrid.core.identity import Address, to_hex
from dgrid.telemetry import WatcherMetrics
from dgrid.watcher.challenges import Challenge
from dgrid.watcher.findings import Finding, FindingOutcome, Findings

logger = logging.getLogger(__name__)

ALREADY = "AlreadyConvicted"  # another watcher was faster


@dataclass
class Accuser:
    """One watcher's way to the contracts."""

    sender: Sender
    findings: Findings
    metrics: WatcherMetrics
    now_ms: Callable[[], int]
    convicted: dict[Address, int] = field(default_factory=dict)  # by us, until the final view shows it

    async def accuse(self, challenge: Challenge) -> bool:
        """Sends a challenge; whether the epoch is void now. Raises ChainUnavailable while nothing is sent."""
        charge = challenge.charge
        try:
            receipt = await self.sender.send(
                challenge.contract, challenge.function, challenge.arguments, label=challenge.label
            )
        except (Reverted, TransactionRefused) as error:
            if isinstance(error, Reverted) and error.name == ALREADY:
                logger.info("epoch %d of %s was taken away before", charge.epoch, to_hex(charge.gateway))
                return True
            logger.warning("%s is not accepted (%s): %s", challenge.function, charge.text, error.message)
            self._note(challenge, FindingOutcome.REFUSED, error.message)
            return False
        who = to_hex(charge.gateway)
        logger.warning(
            "convicted %s for epoch %d in block %d: %s", who, charge.epoch, receipt.block_number, charge.text
        )
        known = self.convicted.get(charge.gateway, charge.epoch)
        self.convicted[charge.gateway] = min(known, charge.epoch)
        self._note(challenge, FindingOutcome.CONVICTED, "")
        return True

    def note_unprovable(self, gateway: Address, epoch: int, *, text: str) -> None:
        """Something is wrong, and no contract can be shown it."""
        label = f"unprovable:{to_hex(gateway)}:{epoch}:{text}"
        logger.warning("epoch %d of %s: %s", epoch, to_hex(gateway), text)
        self.findings.note(Finding(label, gateway, epoch, 0, text, FindingOutcome.UNPROVABLE, "", self.now_ms()))
        self.metrics.findings.add(1, FindingOutcome.UNPROVABLE)

    def is_convicted(self, gateway: Address, epoch: int) -> bool:
        """Whether a conviction of ours took the epoch away, which the final view may not show yet."""
        return gateway in self.convicted and epoch >= self.convicted[gateway]

    def _note(self, challenge: Challenge, outcome: FindingOutcome, reason: str) -> None:
        charge = challenge.charge
        where = charge.gateway, charge.epoch, int(charge.number), charge.text
        self.findings.note(Finding(challenge.label, *where, outcome, reason, self.now_ms()))
        self.metrics.findings.add(1, outcome)
