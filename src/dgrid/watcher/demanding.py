"""Asks on chain for records that nobody gives, and has who withholds them convicted when the time is up: challenge 6.

A demand costs a deposit, which goes to whoever answers; so a record is asked for only after the archives were asked in
vain for a while, or when what they give is none that could be shown. What was demanded is the chain's to remember.
"""

import contextlib
import logging
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field

from dgrid.chain.anchor_signatures import anchor_signatures
from dgrid.chain.channels import approve
from dgrid.chain.contracts import Contracts, Reverted
from dgrid.chain.demands import Demand, DemandState, demand_id
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import TransactionRefused
from dgrid.chain.view import Anchor, ChainView
from dgrid.core.errors import CheckFailed
from dgrid.core.identity import Address, to_hex
from dgrid.core.places import Place
from dgrid.settlement.proofs import LaneWay, LeafProof
from dgrid.settlement.records import EpochRecords
from dgrid.telemetry import WatcherMetrics
from dgrid.watcher.answers import shown_way
from dgrid.watcher.backing_off import Backoff
from dgrid.watcher.challenges import Challenge, Charge, Number
from dgrid.watcher.sending import Accuser
from dgrid.wire.messages import EpochRoot

logger = logging.getLogger(__name__)

ENDING = "proveWithheld"
OPEN_MAX = 16  # demands of ours at a time
OF_AN_EPOCH_MAX = 3  # whose records stay away though what was asked for was shown: each answer is paid for
UNSEEN_BITS = 21  # of places in a lane that nobody saw, one more than those of the last that a blob can hold
SEARCH_MAX = 64  # of an epoch whose sums are wrong: each answer leads a level further down
OTHERS_MS = 30_000  # after which somebody else's overdue demand is brought to its end


@dataclass
class Demander:
    """One watcher's demands."""

    rpc: Rpc
    contracts: Contracts
    accuser: Accuser
    metrics: WatcherMetrics
    view: Callable[[], ChainView]
    backoff: Backoff
    below: Callable[[int], int]  # a secret number below another
    _chosen: dict[bytes, Place] = field(default_factory=dict)  # by the root's digest

    @property
    def address(self) -> Address:
        return self.accuser.sender.address

    async def want(self, anchor: Anchor, place: Place, *, reason: str) -> bool:
        """Demands the record at a place, unless it was demanded before; whether it is demanded now.

        Raises ChainUnavailable.
        """
        gateway, view = Address(anchor.root.gateway), self.view()
        name = demand_id(gateway, place)
        label = f"demand:{to_hex(name)}"
        if name in view.demands or self.accuser.sender.is_sent(label):
            return True
        if not self._may_demand(view):
            return False
        try:
            await self._demand(anchor, place, label=label)
        except (Reverted, TransactionRefused) as error:
            logger.warning("cannot demand %s of %s: %s", place, to_hex(gateway), error.message)
            self.metrics.demands.add(1, "refused")
            return False
        logger.warning("demanded %s of %s: %s", place, to_hex(gateway), reason)
        self.metrics.demands.add(1, "made")
        return True

    def answered(self, anchor: Anchor) -> list[Demand]:
        """What was shown of an epoch so far."""
        return [one for one in self._asked(anchor) if one.state is DemandState.ANSWERED]

    async def shown(self, demand: Demand, records: EpochRecords) -> LeafProof | LaneWay | None:
        """What an answer showed of these records. Raises ChainUnavailable, RpcError."""
        return await shown_way(self.rpc, self.contracts, demand=demand, records=records)

    def _asked(self, anchor: Anchor) -> list[Demand]:
        where = anchor.root.gateway, anchor.root.epoch
        return [one for one in self.view().demands.values() if (one.gateway, one.place.epoch) == where]

    async def want_below(self, anchor: Anchor, places: Iterable[Place], *, reason: str) -> bool:
        """Demands the first of these that was not, one at a time; whether there is one. Raises ChainUnavailable."""
        asked = self._asked(anchor)
        known = {one.place for one in asked}
        place = next((one for one in places if one not in known), None)
        if place is None or len(asked) >= SEARCH_MAX:
            return False
        if all(one.state is DemandState.ANSWERED for one in asked):
            await self.want(anchor, place, reason=reason)
        return True

    async def want_any(self, anchor: Anchor, counts: dict[int, int], *, reason: str) -> None:
        """Demands one record of an epoch of which none can be proven, or another when the last was shown.

        The first is of the last lane, which has one or the root is of nobody's making; the others nobody can foresee
        and keep ready while the rest is withheld.
        """
        epoch, asked = anchor.root.epoch, self._asked(anchor)
        mine = sum(one.demander == self.address for one in asked)
        if any(one.state is not DemandState.ANSWERED for one in asked) or mine >= OF_AN_EPOCH_MAX:
            return
        known, chosen = {one.place for one in asked}, self._chosen.get(anchor.digest)
        if chosen is None or chosen in known:  # else what was asked for is not final yet, or was refused
            first = Place(epoch, max(0, anchor.root.lane_count - 1), 0)
            chosen = first if first not in known else self._another(anchor, counts, known)
            self._chosen[anchor.digest] = chosen
        await self.want(anchor, chosen, reason=reason)

    def _another(self, anchor: Anchor, counts: dict[int, int], known: set[Place]) -> Place:
        """Any leaf that the blob claims to have; of one that nobody saw, any place, the low ones more often."""
        epoch = anchor.root.epoch
        leaves = [Place(epoch, lane, at) for lane, count in counts.items() for at in range(count)]
        left = [one for one in leaves if one not in known]
        if left:
            return left[self.below(len(left))]
        lane = self.below(max(1, anchor.root.lane_count))
        return Place(epoch, lane, self.below(1 << self.below(UNSEEN_BITS)))

    def forget(self, digests: Set[bytes]) -> None:
        """Keeps the choice of a place only for these roots."""
        self._chosen = {digest: place for digest, place in self._chosen.items() if digest in digests}

    async def step(self, view: ChainView, *, now_ms: int) -> None:
        """Brings overdue demands to their end. Raises ChainUnavailable."""
        due = [one for one in view.demands.values() if self._is_to_end(one)]
        if not due:
            return
        now_ms = max(now_ms, await self.rpc.now_s() * 1000)
        for demand in due:
            if self.backoff.is_due(demand.id):
                with self.backoff.trying(demand.id, f"the demand for {demand.place} is not at its end"):
                    await self._end(demand, view, now_ms=now_ms)

    def _is_to_end(self, demand: Demand) -> bool:
        """Also one of ours that somebody else has ended, who may have named no archive, as friends of those would."""
        if demand.state is not DemandState.WITHHELD:
            return demand.state is DemandState.OPEN
        return demand.demander == self.address and not self.accuser.sender.is_sent(_charged(demand).label(ENDING))

    async def _end(self, demand: Demand, view: ChainView, *, now_ms: int) -> None:
        if demand.state is DemandState.WITHHELD:
            await self._convict(demand, view.roots[(demand.gateway, demand.place.epoch)])
            return
        is_void = view.is_void(demand.gateway, demand.place.epoch)
        grace_ms = 0 if demand.demander == self.address else OTHERS_MS
        if now_ms < demand.until_ms + grace_ms or (is_void and grace_ms):
            return
        anchor = view.roots[(demand.gateway, demand.place.epoch)]
        if is_void:
            await self._take_back(demand, anchor)
        else:
            await self._convict(demand, anchor)

    def _may_demand(self, view: ChainView) -> bool:
        mine = [one for one in view.demands.values() if one.demander == self.address]
        return sum(one.state is DemandState.OPEN for one in mine) < OPEN_MAX

    async def _demand(self, anchor: Anchor, place: Place, *, label: str) -> None:
        deposit = deposit_wei(self.view(), now_s=await self.rpc.now_s())
        held: int = await self.contracts.dgai.agreed(self.rpc, "balanceOf", [self.address])
        if held < deposit:
            raise TransactionRefused(f"a demand takes a deposit of {deposit} wei of DGAI; this key has {held}")
        await approve(self.accuser.sender, self.contracts, spender=self.contracts.demands.address, amount_wei=deposit)
        arguments = anchor.root, place.lane, place.sequence
        await self.accuser.sender.send(self.contracts.demands, "demand", arguments, label=label)

    async def _convict(self, demand: Demand, anchor: Anchor) -> None:
        """Nobody showed the record: the gateway pays, and the archives that promised to keep it, if they are known."""
        try:
            archives = (await anchor_signatures(self.rpc, self.contracts, anchor=anchor)).archives
        except CheckFailed as error:
            logger.warning("the archives of %s cannot be named: %s", demand.place, error.message)
            archives = ()
        call = Challenge(_charged(demand), self.contracts.demands, ENDING, (*_at(demand, anchor), archives))
        if await self.accuser.accuse(call):
            self.metrics.demands.add(1, "withheld")

    async def _take_back(self, demand: Demand, anchor: Anchor) -> None:
        """The root was voided meanwhile: the deposit comes back, and nobody pays."""
        with contextlib.suppress(Reverted, TransactionRefused):
            label = f"take-back:{to_hex(demand.id)}"
            await self.accuser.sender.send(
                self.contracts.demands, "proveWithheld", (*_at(demand, anchor), ()), label=label
            )


def deposit_wei(view: ChainView, *, now_s: int) -> int:
    """What a demand that is made now takes."""
    return view.parameters_at(1000 * now_s).demand_deposit_wei


def _charged(demand: Demand) -> Charge:
    return Charge(Number.WITHHELD, demand.gateway, demand.place.epoch, f"nobody shows {demand.place}")


def _at(demand: Demand, anchor: Anchor) -> tuple[EpochRoot, int, int]:
    return anchor.root, demand.place.lane, demand.place.sequence
