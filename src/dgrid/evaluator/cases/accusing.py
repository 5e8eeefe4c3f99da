"""Finds what can be proven against whom: each posted table is read once, and only what holds becomes an accusation.

Before anybody is accused of running another model, evaluators ask the flagged node itself, one after the other in an
order that the root decides, and a case is opened only on replies that convict. So a false flag costs nobody a bond, and
a node that turns honest once it is accused has already signed the proof. An evaluator asks under the secret that it
committed to in the root's round, or not at all: no juror counts anything else.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from dgrid.chain.case_view import Case, Charge
from dgrid.chain.cases import Accusation
from dgrid.chain.events import Role
from dgrid.chain.parameters import Parameters
from dgrid.chain.view import ChainView, PostedQuality
from dgrid.core.errors import DGridError, NetworkUnreachable
from dgrid.core.identity import Address, to_hex
from dgrid.evaluator.cases.jury import Bar, Jury
from dgrid.evaluator.rerun import Peer
from dgrid.evaluator.taking_turns import APART_S, place_in_turn
from dgrid.machine.traces import trace_of
from dgrid.settlement.binding import SEED_MS_MAX, is_bound, seed_of
from dgrid.settlement.cases import (
    ChargeReader,
    Flag,
    Hidden,
    case_about,
    cases_about,
    due_refunds,
    root_charge,
    roots_to_read,
)
from dgrid.settlement.disputes import is_wrong
from dgrid.settlement.hearings import terms_of
from dgrid.settlement.rounds import rules_of
from dgrid.wire.messages import QualityRoot
from dgrid.wire.quality import SAMPLES_MAX, Samples

logger = logging.getLogger(__name__)

SAMPLING_S: Final = 20.0  # for one set of replies; the next evaluator's turn comes after it
AGAIN_S: Final = 3.0  # after archives did not answer
FAULT_AGAIN_S: Final = 30.0  # after a fault of ours
BRINGING_MS: Final = SEED_MS_MAX // 2  # to ask and to open the case, while the root still counts
SETS_MAX: Final = 4  # more would find a seldom cheat sooner, but jurors must measure all of them in time


@dataclass(slots=True)
class Accuser:
    """One evaluator's accusations. `agrees` says whether it signed a posted root itself, `signers` who did, `secret`
    what it had committed to in a round.

    `signers` raises DGridError where the chain cannot tell.
    """

    me: Address
    bar: Bar
    jury: Jury
    agrees: Callable[[QualityRoot], bool]
    signers: Callable[[PostedQuality], Awaitable[frozenset[Address]]]
    secret: Callable[[int], bytes | None]
    accusations: dict[Charge, Accusation] = field(default_factory=dict)
    _heard: dict[Charge, Case | None] = field(default_factory=dict)  # what was known of each when it was made
    _read: dict[str, bytes] = field(default_factory=dict)  # the last root that each kind of work has read
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _now_s: int = 0

    def advance(self, view: ChainView, now_s: int) -> None:
        """Starts to read the last root, if it is new, and returns at once.

        A root can be disputed for a short while only: so that waits neither for nodes that are being asked nor for a
        turn to accuse a gateway.
        """
        self._now_s = now_s
        self._drop_settled(view)
        if (posted := view.quality_roots.get(view.last_quality_round)) is not None:
            self._begin("root", posted, self._dispute)
            self._begin("hidden", posted, self._accuse_hidden)
            self._begin("models", posted, self._ask_doubted)

    def _begin(self, kind: str, posted: PostedQuality, work: Callable[[PostedQuality], Awaitable[None]]) -> None:
        running = self._tasks.get(kind)
        if self._read.get(kind) != posted.digest and (running is None or running.done()):
            self._read[kind] = posted.digest
            self._tasks[kind] = asyncio.ensure_future(self._guarded(kind, posted, work))

    async def close(self) -> None:
        """Calls off what is under way."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _drop_settled(self, view: ChainView) -> None:
        """What came before a jury after the accusation was made is settled there."""
        for charge, heard in list(self._heard.items()):
            known = case_about(view, charge)
            if (known and known.id) != (heard and heard.id):
                self.withdraw(charge)

    def withdraw(self, charge: Charge) -> None:
        """Forgets what the contract did not take: somebody was faster, or it is too late."""
        self.accusations.pop(charge, None)
        self._heard.pop(charge, None)

    def _accuse(self, accusation: Accusation) -> None:
        charge = accusation.subject, accusation.accused, accusation.matter
        self.accusations[charge], self._heard[charge] = accusation, case_about(self.view, charge)

    async def _guarded(
        self, kind: str, posted: PostedQuality, work: Callable[[PostedQuality], Awaitable[None]]
    ) -> None:
        """Works once, and again while the archives do not answer: who silences them for a moment gains no more. Again
        also after a fault of ours, for a full disk passes.
        """
        try:
            await work(posted)
        except DGridError as error:
            logger.info("the table of round %d cannot be read for accusations: %s", posted.root.round, error.message)
            if isinstance(error, NetworkUnreachable):
                await asyncio.sleep(AGAIN_S)
                self._read.pop(kind, None)
        except Exception as error:  # noqa: BLE001 (its words may be somebody's content)
            logger.error("reading round %d for accusations failed: %s", posted.root.round, trace_of(error))
            await asyncio.sleep(FAULT_AGAIN_S)
            self._read.pop(kind, None)

    async def _accuse_hidden(self, posted: PostedQuality) -> None:
        """Accuses each gateway of one hidden leaf: juries are dear."""
        for one in roots_to_read(self.view, posted):
            found = await self.jury.hidden(one)
            for hidden in {leaf.leaf.key.gateway: leaf for leaf in reversed(found)}.values():
                await self._accuse_hiding(hidden)

    async def _ask_doubted(self, posted: PostedQuality) -> None:
        """Asks until one is accused: that shows the secret from which the requests to the others would follow."""
        for flag in await ChargeReader(self.bar.quality).flags(posted):
            if self._is_worth_asking(flag):
                evaluators = [one for one in self._evaluators(flag.digest) if self._has_opened(posted, one)]
                await self._wait_turn(flag.charge, evaluators, apart_s=SAMPLING_S, lot=posted.digest)
                if await self._ask(flag, posted):
                    return

    async def _wait_turn(self, charge: Charge, evaluators: list[Address], *, apart_s: float, lot: bytes = b"") -> None:
        """Lets those go first whose turn is earlier, until one of them has opened the case."""
        if self.me in evaluators:
            place = place_in_turn(evaluators, self.me, lot=charge[2] + lot)
            for _ in range(place):
                if all(case.charge != charge for case in self.view.open_cases()):
                    await asyncio.sleep(apart_s)

    # --- a wrong root -------------------------------------------------------------------------------------------------

    async def _dispute(self, posted: PostedQuality) -> None:
        number = posted.root.round
        if self.agrees(posted.root):
            return
        token = self.bar.token
        if await is_wrong(self.bar.quality, number, rules=rules_of(self.view, number), token=token):
            logger.warning("the root of round %d is not what follows", number)
            others = await self._others(posted)
            await self._wait_turn(root_charge(number), others, apart_s=APART_S)
            self._accuse(Accusation(*root_charge(number), posted.root.blob_id))

    async def _others(self, posted: PostedQuality) -> list[Address]:
        """Who may be expected to dispute a root. Those who signed it would let the time for it pass in their turns."""
        try:
            signers = await self.signers(posted)
        except DGridError as error:
            logger.info("who signed the root of round %d cannot be told: %s", posted.root.round, error.message)
            signers = frozenset()
        return [one for one in self._evaluators(b"") if one not in signers]

    # --- a leaf that was not shown ------------------------------------------------------------------------------------

    async def _accuse_hiding(self, hidden: Hidden) -> None:
        """Unless it was accused of it in earnest before: whether a leaf was shown does not change."""
        if not self._is_answered(hidden):
            await self._wait_turn(hidden.charge, self._evaluators(b""), apart_s=APART_S)
        if not self._is_answered(hidden):
            refunds = hidden.refunds(most_wei=self.terms.request_value_max_wei)
            self._accuse(Accusation(*hidden.charge, hidden.evidence, refunds))

    def _is_answered(self, hidden: Hidden) -> bool:
        found = [(case, terms_of(self.view, case)) for case in cases_about(self.view, hidden.charge)]
        return any(hidden.is_answered(case, most_wei=terms.request_value_max_wei) for case, terms in found)

    # --- another model ------------------------------------------------------------------------------------------------

    def _is_worth_asking(self, flag: Flag) -> bool:
        """The node serves, this evaluator runs its model, and no case about it is open."""
        serves, known = self.view.is_active(Role.NODE, flag.node), case_about(self.view, flag.charge)
        return serves and self.me in self._evaluators(flag.digest) and (known is None or not known.is_open)

    def _has_opened(self, posted: PostedQuality, evaluator: Address) -> bool:
        return (posted.root.round, evaluator) in self.view.openings

    def _seeds(self, posted: PostedQuality) -> tuple[bytes, bytes] | None:
        """What its requests on a root follow from, the seed and its secret; None where no juror would count them."""
        if (secret := self.secret(posted.root.round)) is None:
            return None
        seeds, brought_ms = (seed_of(posted), secret), 1000 * self._now_s + BRINGING_MS
        return seeds if is_bound(self.view, self.me, seeds=seeds, at_ms=brought_ms) else None

    async def _ask(self, flag: Flag, posted: PostedQuality) -> bool:
        """Whether its replies convict a node, so that it is accused."""
        seeds = self._seeds(posted)
        if seeds is None or not self._is_worth_asking(flag):
            return False
        samples = await self._asked(Peer(flag.node, flag.model, flag.digest), seeds)
        if samples is None or not self.jury.would_convict(samples):
            logger.info("%s is flagged; its replies do not convict it", to_hex(flag.node))
            return False
        refunds = due_refunds(self.view, flag.charge, paid_wei=flag.paid_wei, most_wei=self.terms.request_value_max_wei)
        self._accuse(Accusation(*flag.charge, await self.jury.publish(samples), refunds))
        return True

    async def _asked(self, peer: Peer, seeds: tuple[bytes, bytes]) -> Samples | None:
        """A node's replies to one set of requests, and to more while they speak against it and do not convict it yet.

        So one that cheats seldom is not asked in vain, and an honest one is asked once. Whole sets only: no juror
        counts a part of one, and a node that keeps back one reply must not cost its accuser the bond.
        """
        count = self.terms.case_samples
        found: Samples | None = None
        for number in range(min(SETS_MAX, SAMPLES_MAX // count)):
            numbers = range(number * count, (number + 1) * count)
            more = await self.bar.sampler.take(peer, seeds=seeds, numbers=numbers, within_s=SAMPLING_S)
            if len(more.samples) < count:
                break
            found = more if found is None else replace(found, samples=(*found.samples, *more.samples))
            if not self.jury.is_worth_more(found):
                break
        return found

    def _evaluators(self, digest: bytes) -> list[Address]:
        """The active evaluators; with a digest, those that declared that model."""
        active = [member.address for member in self.view.active(Role.EVALUATOR)]
        declared = self.view.declared
        return [one for one in active if not digest or digest in declared.get((Role.EVALUATOR, one), ())]

    @property
    def terms(self) -> Parameters:
        """Those that count for a case that is opened now."""
        return self.view.parameters_at(1000 * self._now_s)

    @property
    def view(self) -> ChainView:
        return self.bar.quality.view
