"""An evaluator's loop in court: look at the final chain, find for the cases it sits in, do the next step.

Runs beside the loop that judges rounds, with the same sender. Finding goes on beside; a vote is on disk before its
commitment is sent, and what is on disk is what is opened. What it rests on lies there too, and is shown to nobody while
votes are taken. Whatever fails rests for a moment and is planned again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, assert_never

from dgrid.chain import cases
from dgrid.chain.case_events import Subject
from dgrid.chain.case_view import Case
from dgrid.chain.contracts import Contracts, Reverted
from dgrid.chain.court import EvaluatorSignature
from dgrid.chain.sender import Before, Sender
from dgrid.chain.view import ChainView, PostedQuality
from dgrid.chain.watcher import ChainWatcher
from dgrid.core.errors import ChainUnavailable, DGridError
from dgrid.core.identity import Address, to_hex
from dgrid.evaluator.cases.accusing import Accuser
from dgrid.evaluator.cases.journal import FixedVote, VoteJournal
from dgrid.evaluator.cases.jury import Finding, Jury
from dgrid.evaluator.cases.planning import (
    AppealRoot,
    CaseSight,
    CaseStep,
    Enrol,
    Execute,
    FixCaseSeed,
    OpenCase,
    Seat,
    Show,
    SlashSigners,
    Unseal,
    Vote,
    enrolling_in,
    finds_until_s,
    plan_cases,
    seats_of,
    shows_until_s,
)
from dgrid.evaluator.rerun import Peer
from dgrid.evaluator.tally import Tally
from dgrid.evaluator.working import ChainTime
from dgrid.settlement.appealing import BondPurse
from dgrid.settlement.cases import disputed_root

logger = logging.getLogger(__name__)

TICK_S: Final = 0.5
REST_S: Final = 2.0
STEPS_AT_ONCE: Final = 16
FINDING_S_MAX: Final = 600.0
SHOWING_S_MAX: Final = 30

PeersOf = Callable[[], Awaitable[tuple[Peer, ...]]]


@dataclass(frozen=True, slots=True)
class CourtDesk:
    """One evaluator's dealings with `Cases`. It `appeals` verdicts against roots that it signed."""

    purse: BondPurse
    journal: VoteJournal
    appeals: bool = True

    @property
    def me(self) -> Address:
        return self.purse.sender.address

    @property
    def sender(self) -> Sender:
        return self.purse.sender

    @property
    def contracts(self) -> Contracts:
        return self.purse.contracts

    async def open(self, accusation: cases.Accusation, *, bond_wei: int) -> None:
        """Raises InsufficientBudget, Reverted, ChainUnavailable."""
        await self.purse.require_wei(bond_wei)
        await cases.open_case(self.sender, self.contracts, accusation=accusation, bond_wei=bond_wei)
        logger.warning("opened a case: %s of %s", accusation.subject.name.lower(), to_hex(accusation.accused))

    async def vote(self, case: bytes, stage: int) -> None:
        """Raises Reverted, ChainUnavailable."""
        fixed = self._fixed(case, stage)
        sealed = cases.vote_of(
            self.me, case, stage=stage, guilty=fixed.guilty, evidence=fixed.evidence, salt=fixed.salt
        )
        await cases.commit_vote(self.sender, self.contracts, case=case, stage=stage, commitment=sealed)
        logger.info("voted in case %s", to_hex(case))

    async def unseal(self, case: bytes, stage: int, *, publish: Before | None) -> FixedVote:
        """Opens what was voted, after `publish`. Raises Reverted, ChainUnavailable, and what `publish` raises."""
        fixed = self._fixed(case, stage)
        opening = fixed.guilty, fixed.evidence, fixed.salt
        await cases.reveal_vote(self.sender, self.contracts, case=case, stage=stage, opening=opening, publish=publish)
        logger.info("opened the vote in case %s: %s", to_hex(case), "guilty" if fixed.guilty else "not guilty")
        return fixed

    async def slash_signers(self, case: Case, view: ChainView) -> None:
        """Raises CheckFailed, ChainUnavailable; a signer that is slashed already is passed over."""
        posted = view.overturned.get(int.from_bytes(case.matter, "big"))
        if posted is None:
            return
        for one in await self._signatures(posted):
            try:
                await cases.slash_signer(
                    self.sender, self.contracts, case=case.id, evaluator=one.evaluator, signature=one.signature
                )
            except ChainUnavailable:
                raise
            except DGridError as error:
                logger.info("%s is not slashed: %s", to_hex(one.evaluator), error.message)

    async def signers(self, posted: PostedQuality) -> frozenset[Address]:
        """Who signed a posted root. Raises ChainUnavailable, CheckFailed."""
        return frozenset(one.evaluator for one in await self._signatures(posted))

    async def _signatures(self, posted: PostedQuality) -> list[EvaluatorSignature]:
        return await cases.signatures_of(self.purse.rpc, self.contracts, posted=posted)

    def _fixed(self, case: bytes, stage: int) -> FixedVote:
        fixed = self.journal.vote(case, stage)
        assert fixed is not None, "only what was fixed is sent"
        return fixed


@dataclass(slots=True)
class CaseLoop:
    """One evaluator in court."""

    watcher: ChainWatcher
    desk: CourtDesk
    jury: Jury
    accuser: Accuser
    peers: PeersOf
    time: ChainTime
    tally: Tally
    salt: Callable[[], bytes]
    _finding: dict[Seat, asyncio.Task[None]] = field(default_factory=dict)
    _resting: dict[CaseStep, float] = field(default_factory=dict)
    _settled: set[bytes] = field(default_factory=set)
    _enrolling: set[Seat] = field(default_factory=set)  # sent; the final chain does not show it yet
    _opened: set[Seat] = field(default_factory=set)
    _showing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await self.step()
            await asyncio.sleep(TICK_S)

    async def step(self) -> None:
        """Finds on, and does all steps that can be done now."""
        now_s = self.time.read()
        self.accuser.advance(self.view, now_s)
        self._attend(now_s)
        for _ in range(STEPS_AT_ONCE):
            step = plan_cases(self._sight(now_s))
            if step is None:
                return
            await self._try(step)
            now_s = self.time.read()

    async def close(self) -> None:
        """Calls everything off; what was found is on disk."""
        await self.accuser.close()
        tasks = [*self._finding.values(), *([] if self._showing is None else [self._showing])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def view(self) -> ChainView:
        return self.watcher.finalized

    # --- finding ------------------------------------------------------------------------------------------------------

    def _attend(self, now_s: int) -> None:
        """Begins finding as soon as it has a seat, and calls it off where it lost it."""
        sits = {(case.id, case.stage): case for case in seats_of(self.view, evaluator=self.desk.me)}
        for seat, task in list(self._finding.items()):
            if seat not in sits:
                task.cancel()
                del self._finding[seat]
        for seat, case in sits.items():
            begun = self._finding.get(seat)
            if self.desk.journal.vote(*seat) is None and (begun is None or begun.done()):
                if begun is not None and (error := begun.exception()) is not None:
                    logger.error("case %s: finding failed", to_hex(case.id), exc_info=error)
                within_s = min(FINDING_S_MAX, max(0.0, finds_until_s(self.view, case) - now_s))
                self._finding[seat] = asyncio.ensure_future(self._find(case, within_s))

    async def _find(self, case: Case, within_s: float) -> None:
        """Fixes this member's vote. What cannot be found in time, or at all, is not guilty.

        Begun again where it failed, until its time is over: a seat whose vote is not opened costs stake.
        """
        salt, found = self.salt(), Finding(guilty=False)
        try:
            if within_s > 0:
                async with asyncio.timeout(within_s):
                    peer = await self._accused_peer(case)
                    found = await self.jury.find(case, peer, salt=salt, within_s=within_s / 2)
        except (DGridError, TimeoutError) as error:
            logger.warning("case %s: nothing could be found: %s", to_hex(case.id), error)
        vote = FixedVote(case.id, case.stage, found.guilty, found.evidence, salt)
        self.desk.journal.fix(vote, blob=found.blob)

    async def _accused_peer(self, case: Case) -> Peer | None:
        if case.subject is not Subject.IDENTITY:
            return None
        offered = await self.peers()
        return next((one for one in offered if (one.node, one.digest) == (case.accused, case.matter)), None)

    # --- steps --------------------------------------------------------------------------------------------------------

    def _sight(self, now_s: int) -> CaseSight:
        loop_s, journal = asyncio.get_running_loop().time(), self.desk.journal
        self._resting = {step: until_s for step, until_s in self._resting.items() if until_s > loop_s}
        stages = [(case.id, case.stage) for case in self.view.open_cases()]
        self._enrolling &= enrolling_in(self.view, evaluator=self.desk.me, now_s=now_s)
        return CaseSight(
            self.desk.me,
            self.view,
            now_s,
            final_s=self.watcher.final_s,
            fixed=frozenset(stage for stage in stages if journal.vote(*stage) is not None),
            unshown=journal.unshown(),
            enrolling=frozenset(self._enrolling),
            signed=frozenset(case.id for case in self.view.open_cases() if self.desk.appeals and self._signed(case)),
            charges=frozenset(self.accuser.accusations),
            settled=frozenset(self._settled),
            resting=frozenset(self._resting),
        )

    def _signed(self, case: Case) -> bool:
        """Whether a case is about a root that this evaluator signed."""
        posted = disputed_root(self.view, case)
        return posted is not None and self.accuser.agrees(posted.root)

    async def _try(self, step: CaseStep) -> None:
        """A step's success shows in the view a little later, so that it rests after that too.

        Once a vote is open, archives are waited for beside: a slow one must make this evaluator miss no window.
        """
        self._resting[step] = asyncio.get_running_loop().time() + REST_S
        if not isinstance(step, Show):
            await self._tried(step)
        elif self._showing is None or self._showing.done():
            self._showing = asyncio.ensure_future(self._tried(step))

    async def _tried(self, step: CaseStep) -> None:
        await self.tally.tried(type(step).__name__, self._do(step))

    async def _open(self, step: OpenCase) -> None:
        """Once: what the contract refuses now it will refuse again, and each try costs gas."""
        accusation = self.accuser.accusations.get(step.charge)
        if accusation is None:
            return
        try:
            await self.desk.open(accusation, bond_wei=self.accuser.terms.case_bond_wei)
        except Reverted:
            self.accuser.withdraw(step.charge)
            raise

    async def _unseal(self, step: Unseal) -> None:
        """The finding is counted once it is no secret any more: anybody may read what an evaluator counts."""
        seat = step.case, step.stage
        left_s = shows_until_s(self.view, self.view.cases[step.case]) - self.time.read()
        publish = partial(self._show, seat, within_s=min(SHOWING_S_MAX, left_s))
        vote = await self.desk.unseal(*seat, publish=None if step.is_late else publish)
        if seat not in self._opened:
            self._opened.add(seat)
            self.tally.votes.add(1, "guilty" if vote.guilty else "not guilty")

    async def _show(self, seat: Seat, *, within_s: int) -> None:
        """Lays what a vote rests on at the archives, unless it lies there. Raises StorageUnavailable."""
        if (blob := self.desk.journal.blob(*seat)) is None:
            return
        await self.jury.lay(blob, within_s=within_s)
        self.desk.journal.shown(*seat)

    async def _do(self, step: CaseStep) -> None:
        sender, contracts = self.desk.sender, self.desk.contracts
        match step:
            case OpenCase():
                await self._open(step)
            case FixCaseSeed():
                await cases.fix_seed(sender, contracts, case=step.case, stage=step.stage)
            case Enrol():
                await cases.enrol(sender, contracts, case=step.case, stage=step.stage)
                self._enrolling.add((step.case, step.stage))
            case AppealRoot():
                await self.desk.purse.appeal(self.view.cases[step.case], self.view)
            case Vote():
                await self.desk.vote(step.case, step.stage)
            case Unseal():
                await self._unseal(step)
            case Show():
                await self._show((step.case, step.stage), within_s=SHOWING_S_MAX)
            case Execute():
                await cases.execute(sender, contracts, case=step.case)
            case SlashSigners():
                await self.desk.slash_signers(self.view.cases[step.case], self.view)
                self._settled.add(step.case)
            case _:
                assert_never(step)
