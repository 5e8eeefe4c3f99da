"""Does what a round demands on chain: seeds, the commitment, its opening, penalties. One step at a time, each once.

A commitment is on disk before it is sent, and what is on disk is what is opened. Reports lie at an archive before they
are opened, for an opening without reports is worth nothing.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from dgrid.chain.contracts import Contracts
from dgrid.chain.sender import Sender
from dgrid.core.errors import StorageUnavailable
from dgrid.core.identity import Address, to_hex
from dgrid.evaluator.journal import Commitment, Journal
from dgrid.evaluator.rounds import Commit, FixSeed, Penalize, Reveal
from dgrid.settlement.archives import Archives
from dgrid.wire.blob import blob_id
from dgrid.wire.messages import EvaluatorReports
from dgrid.wire.quality import LeafKey, Report, Reports, encode_quality, reports_root
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Clerk:
    """One evaluator's dealings with the court. `salt` draws 32 random bytes."""

    key: SigningKey
    court: Domain
    journal: Journal
    archives: Archives
    sender: Sender
    contracts: Contracts
    salt: Callable[[], bytes]

    async def fix_seed(self, step: FixSeed) -> None:
        """Raises Reverted (too early, or somebody was faster), ChainUnavailable."""
        await self._send("fixSeed", [step.gateway, step.epoch], label=f"seed:{to_hex(step.gateway)}:{step.epoch}")
        logger.info("fixed the seed of epoch %d of %s", step.epoch, to_hex(step.gateway))

    async def commit(self, step: Commit, *, duties: frozenset[LeafKey]) -> None:
        """Fixes the round's commitment, if that was not done before, and sends it. Raises Reverted, ChainUnavailable."""
        commitment = self.journal.commitment(step.round) or self._fixed(step.round, duties)
        await self._send("commit", [step.round, commitment.digest(self.key.address)], label=f"commit:{step.round}")
        logger.info("committed to the reports of round %d", step.round)

    async def reveal(self, step: Reveal) -> None:
        """Publishes the reports and opens the commitment. Raises StorageUnavailable, Reverted, ChainUnavailable."""
        commitment = self.journal.commitment(step.round)
        assert commitment is not None, "only what was fixed is revealed"
        if not await self.archives.put(commitment.blob, key=self.key):
            raise StorageUnavailable("no archive takes the reports")
        opening = [step.round, commitment.reports_root, commitment.blob_id, commitment.salt]
        await self._send("reveal", opening, label=f"reveal:{step.round}")
        logger.info("opened the reports of round %d", step.round)

    async def penalize(self, step: Penalize) -> None:
        """Raises Reverted (nothing is withheld, or somebody was faster), ChainUnavailable."""
        label = f"penalize:{to_hex(step.evaluator)}:{step.round}"
        await self._send("penalize", [step.evaluator, step.round], label=label)
        logger.info("reported %s, which withheld its reports of round %d", to_hex(step.evaluator), step.round)

    def _fixed(self, number: int, duties: frozenset[LeafKey]) -> Commitment:
        """What was found for the round's draws as they stand now, for good."""
        reports = tuple(report for report in self.journal.reports(number) if report.key in duties)
        blob = encode_quality(self._signed(number, reports))
        return self.journal.fix(Commitment(number, self.salt(), reports_root(reports), blob_id(blob), blob))

    def _signed(self, number: int, reports: tuple[Report, ...]) -> Reports:
        said = EvaluatorReports(self.key.address, number, reports_root(reports))
        signature = self.key.sign(self.court.digest(said.struct_hash()))
        network = self.court.chain_id, self.court.verifying_contract
        return Reports(*network, Address(self.key.address), number, reports, signature)

    async def _send(self, function: str, arguments: list[object], *, label: str) -> None:
        await self.sender.send(self.contracts.quality_court, function, arguments, label=label)
