"""Does what a round demands on chain: seeds, the commitment, its opening, penalties. One step at a time, each once.

A commitment is on disk before it is sent, and what is on disk is what is opened. Reports lie at an archive before they
are opened, for an opening without reports is worth nothing; but not before the court takes openings, for until then
others may commit to what they read. Where no archive takes them, they are opened all the same before it is too late:
archives that are silent cost a round's work, and no stake.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import time_ns

import msgspec

from dgrid.chain import court
from dgrid.chain.contracts import Contracts
from dgrid.chain.judging import Opening
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Sender
from dgrid.core.errors import NotYet
from dgrid.core.identity import Address, to_hex
from dgrid.evaluator.journal import Commitment, Journal
from dgrid.evaluator.planning import Commit, FixSeed, Penalize, Pull, Reveal
from dgrid.settlement.archives import Archives
from dgrid.wire.blob import blob_id
from dgrid.wire.grounds import GROUNDS_BYTES_MAX, Grounds
from dgrid.wire.messages import EvaluatorReports
from dgrid.wire.quality import NOT_SCORED, Report, Reports, encode_quality, reports_root
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Clerk:
    """One evaluator's dealings with the court. `secret` draws 32 random bytes, whose hash is a commitment's salt."""

    key: SigningKey
    domain: Domain  # the court's
    journal: Journal
    archives: Archives
    rpc: Rpc
    sender: Sender
    contracts: Contracts
    secret: Callable[[], bytes]

    async def fix_seed(self, step: FixSeed) -> None:
        """Raises Reverted (too early, or somebody was faster), ChainUnavailable."""
        await court.fix_seed(self.sender, self.contracts, gateway=step.gateway, epoch=step.epoch)
        logger.info("fixed the seed of epoch %d of %s", step.epoch, to_hex(step.gateway))

    async def commit(self, step: Commit) -> None:
        """Fixes the round's commitment, unless it is fixed, and sends it. Raises Reverted, ChainUnavailable."""
        fixed = self.journal.commitment(step.round) or self._fixed(step.round)
        word = court.commitment_of(self.key.address, step.round, reports_root=fixed.reports_root, salt=fixed.salt)
        await court.commit(self.sender, self.contracts, round_=step.round, commitment=word)
        logger.info("committed to the reports of round %d", step.round)

    async def reveal(self, step: Reveal, *, within_s: int) -> None:
        """Publishes the reports `within_s`, and opens the commitment. Raises StorageUnavailable, Reverted,
        ChainUnavailable.
        """
        fixed = self.journal.commitment(step.round)
        assert fixed is not None, "only what was fixed is revealed"
        opening = Opening(fixed.reports_root, fixed.blob_id)
        lay = partial(self.archives.lay, fixed.blob, key=self.key, what="reports", within_s=within_s)
        publish = None if step.is_late else lay
        await court.reveal(
            self.sender, self.contracts, round_=step.round, opening=opening, salt=fixed.salt, publish=publish
        )
        logger.info("opened the reports of round %d", step.round)
        if step.is_late:
            await lay()

    async def penalize(self, step: Penalize) -> None:
        """Raises Reverted (nothing is withheld, or somebody was faster), ChainUnavailable."""
        await court.penalize(self.sender, self.contracts, evaluator=step.evaluator, round_=step.round)
        logger.info("reported %s, which withheld its reports of round %d", to_hex(step.evaluator), step.round)

    async def pull(self, step: Pull) -> None:
        """Fetches a gateway's releases. Raises NotYet (it would move no money now), ChainUnavailable, Reverted."""
        contract = self.contracts.quality_court
        if not await contract.agreed(self.rpc, "pull", [step.gateway]):
            raise NotYet("there is nothing to fetch")
        await self.sender.send(contract, "pull", [step.gateway], label=f"pull:{to_hex(step.gateway)}:{time_ns()}")
        logger.info("fetched releases of %s", to_hex(step.gateway))

    def _fixed(self, number: int) -> Commitment:
        """The commitment to what was found for the round's draws as they stand now, fixed for good."""
        reports, grounds = bounded(self.journal.reports(number), self.journal.grounds(number))
        blob = encode_quality(self._signed(number, reports, grounds))
        return self.journal.fix(Commitment(number, self.secret(), reports_root(reports), blob_id(blob), blob))

    def _signed(self, number: int, reports: tuple[Report, ...], grounds: tuple[Grounds, ...]) -> Reports:
        said = EvaluatorReports(self.key.address, number, reports_root(reports))
        signature = self.key.sign(self.domain.digest(said.struct_hash()))
        network = self.domain.chain_id, self.domain.verifying_contract
        return Reports(*network, Address(self.key.address), number, reports, signature, grounds)


def bounded(
    reports: Sequence[Report], grounds: Mapping[bytes, Grounds], *, bytes_max: int = GROUNDS_BYTES_MAX
) -> tuple[tuple[Report, ...], tuple[Grounds, ...]]:
    """Reports with their grounds, as many as one blob may hold; a score whose grounds it may not is not given."""
    said: list[Report] = []
    shown: list[Grounds] = []
    left = bytes_max
    for report in reports:
        found = grounds.get(report.grounds)
        left -= 0 if found is None else len(found.encode())
        if not report.grounds:
            said.append(report)
        elif found is None or left < 0:
            said.append(unscored(report))
        else:
            said.append(report)
            shown.append(found)
    return tuple(said), tuple(shown)


def unscored(report: Report) -> Report:
    """The report without what follows from others' answers."""
    return msgspec.structs.replace(report, accuracy_bps=NOT_SCORED, consistency_bps=NOT_SCORED, peers=(), grounds=b"")
