"""The network's state as the chain has it: a pure fold over its events. No I/O, no clock."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, assert_never

from dgrid.chain.ballots import BallotEvent, BallotView, change_ballots
from dgrid.chain.by_epoch import ByEpoch
from dgrid.chain.case_events import CaseEvent
from dgrid.chain.case_view import CasesView, change_cases
from dgrid.chain.demands import Demand, change_demands
from dgrid.chain.events import (
    Anchored,
    BondChanged,
    ChainEvent,
    Claimed,
    Collected,
    CommissionSet,
    Convicted,
    Demanded,
    Deposited,
    Drawn,
    Jailed,
    Kind,
    LineChanged,
    LineLowering,
    Listed,
    MemberRegistered,
    MemberUpdated,
    ParameterSet,
    PoolChanged,
    RecordShown,
    RecordWithheld,
    Role,
    Slashed,
    StakeChanged,
    StateEvent,
    Unjailed,
    UnprovenChanged,
    Withdrawn,
    WithdrawRequested,
)
from dgrid.chain.facts import Facts
from dgrid.chain.judging import Draw, DrawnEvaluator, Draws, Opening, PostedQuality, change_judging
from dgrid.chain.parameter_history import ParameterHistory
from dgrid.chain.parameters import Parameters
from dgrid.core.epochs import EpochClock
from dgrid.core.identity import Address, ChannelId, Hash, ListingId, ModelId
from dgrid.core.keccak import ZERO_HASH
from dgrid.core.money import BPS, Price
from dgrid.wire.messages import ChannelConfig, EpochRoot

__all__ = [
    "Anchor",
    "ChainView",
    "Channel",
    "Draw",
    "DrawnEvaluator",
    "Draws",
    "Listing",
    "Member",
    "Opening",
    "PostedQuality",
    "apply",
    "fold",
]


@dataclass(frozen=True, slots=True)
class Member:
    """Someone who registered, under one role."""

    role: Role
    address: Address
    endpoint: str
    stake_wei: int
    margin_bps: int
    offer_digest: bytes
    encryption_key: bytes
    active: bool  # stake enough, and not in jail
    jailed_until_s: int = 0  # Unix seconds; zero: free. Stays until the member asks to be let out
    delegated_wei: int = 0  # by others, in service; it answers for the member after its own stake
    undelegating_wei: int = 0  # on its way back to them, and answering still
    commission_bps: int = 0  # what the member keeps of a reward to those others
    out_since_ms: int = 0  # when it ceased to be active; zero while it is, and where it never was


@dataclass(frozen=True, slots=True)
class Listing:
    """A creator's price for a model, at its latest version."""

    id: ListingId
    version: int
    model_id: ModelId
    price: Price
    owner: Address
    payees: tuple[Address, ...]
    bps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Channel:
    """A payer's deposit for one gateway. A requested withdrawal ends serving on it."""

    id: ChannelId
    config: ChannelConfig
    deposited_wei: int = 0
    drawn_wei: int = 0
    withdraw_wei: int = 0
    withdraw_requested_ms: int | None = None
    withdraw_available_ms: int | None = None

    @property
    def balance_wei(self) -> int:
        return self.deposited_wei - self.drawn_wei


@dataclass(frozen=True, slots=True)
class Anchor:
    """A root on chain; `digest` is its struct hash."""

    root: EpochRoot
    digest: Hash
    block: int
    timestamp_ms: int
    transaction: bytes = ZERO_HASH  # that brought it


UNSEEN = Facts(genesis_s=0, epoch_seconds=1, base_share_bps=BPS, withdraw_delay_s=0, treasury=bytes(20))


@dataclass(frozen=True, slots=True)
class ChainView(CasesView):
    """Everything our contracts said up to some block. Treat its collections as read-only.

    Who is active is said as of the last event: a vote on the least stake shows with the first event it counts for.
    """

    facts: Facts = UNSEEN
    parameters: ParameterHistory = field(default_factory=ParameterHistory)
    ballots: BallotView = field(default_factory=BallotView)
    minimum_stake_wei: int = 0  # as of the last event
    members: dict[tuple[Role, Address], Member] = field(default_factory=dict)
    listings: dict[ModelId, Listing] = field(default_factory=dict)  # of several for one model, the first
    listing_versions: dict[tuple[ListingId, int], Listing] = field(default_factory=dict)
    channels: dict[ChannelId, Channel] = field(default_factory=dict)
    drawn_in_lane: dict[tuple[ChannelId, int], int] = field(default_factory=dict)
    lines: dict[tuple[Address, Address], int] = field(default_factory=dict)  # as the contract's lineOf
    line_amounts: dict[tuple[Address, Address], int] = field(default_factory=dict)
    lowerings: dict[tuple[Address, Address], int] = field(default_factory=dict)
    unproven: dict[tuple[Address, Address], int] = field(default_factory=dict)  # paid by default, shown by no root yet
    bonds: dict[Address, int] = field(default_factory=dict)
    roots: ByEpoch[tuple[Address, int], Anchor] = field(default_factory=ByEpoch)
    last_epochs: dict[Address, int] = field(default_factory=dict)
    collected: dict[Address, int] = field(default_factory=dict)
    claimed: dict[tuple[Address, Kind, int, Address], int] = field(default_factory=dict)
    received: dict[tuple[Address, Kind], int] = field(default_factory=dict)  # by payee, from all gateways
    convicted: dict[Address, int] = field(default_factory=dict)  # the first epoch whose roots are void
    slashed: dict[tuple[Role, Address], int] = field(default_factory=dict)  # in all
    demands: dict[bytes, Demand] = field(default_factory=dict)

    @property
    def clock(self) -> EpochClock:
        return self.facts.clock

    def parameters_at(self, time_ms: int) -> Parameters:
        """What counts in the epoch of a moment. Raises NotYet before anything was seen of the contract."""
        return self.parameters.at(self.clock.epoch_at(time_ms))

    def undrawn(self) -> Iterator[tuple[Address, int]]:
        """The anchored epochs without a seed."""
        return self.roots.without(self.draws)

    def active(self, role: Role) -> list[Member]:
        """The members of a role with enough stake that are not in jail."""
        return [member for (of, _), member in self.members.items() if of is role and member.active]

    def drawable(self) -> list[Member]:
        """The evaluators that can be drawn now: active ones that have said which models they run."""
        return [member for member in self.active(Role.EVALUATOR) if self.declared.get((member.role, member.address))]

    def is_active(self, role: Role, address: Address) -> bool:
        """Whether an address is a member under a role, with enough stake and not in jail."""
        member = self.members.get((role, address))
        return member is not None and member.active

    def is_void(self, gateway: Address, epoch: int) -> bool:
        """Whether a conviction took the epoch's root away."""
        return gateway in self.convicted and epoch >= self.convicted[gateway]


def apply(view: ChainView, event: ChainEvent) -> ChainView:
    """The view after one event."""
    return fold(view, (event,))


def fold(view: ChainView, events: Iterable[ChainEvent]) -> ChainView:
    """The view after all the events, in order; the given view stays as it is."""
    draft = _copied(view)
    for event in events:
        draft = _at_the_time_of(event, draft)
        if isinstance(event, ParameterSet):
            draft = replace(draft, parameters=draft.parameters.changed(event))
        elif isinstance(event, BallotEvent):
            change_ballots(draft.ballots, event)
        elif isinstance(event, CaseEvent):
            change_cases(draft, event)
        else:
            _change(draft, event)
    return draft


def _copied(view: ChainView) -> ChainView:
    held = [(one.name, getattr(view, one.name)) for one in fields(view)]
    copied = dict, set, BallotView, ByEpoch
    copies: dict[str, Any] = {name: value.copy() for name, value in held if isinstance(value, copied)}
    return replace(view, **copies)


def _at_the_time_of(event: ChainEvent, draft: ChainView) -> ChainView:
    """Before an event counts: who has the least stake of its epoch."""
    if draft.parameters.is_empty:
        return draft
    minimum_wei = draft.parameters_at(event.at.timestamp_ms).minimum_stake_wei
    if minimum_wei == draft.minimum_stake_wei:
        return draft
    moved = replace(draft, minimum_stake_wei=minimum_wei)
    for member in list(moved.members.values()):
        _put(moved, member, at_ms=event.at.timestamp_ms)
    return moved


def _change(draft: ChainView, event: StateEvent) -> None:
    match event:
        case MemberRegistered() | MemberUpdated() | StakeChanged():
            _change_member(draft, event)
        case PoolChanged() | CommissionSet():
            _change_pool(draft, event)
        case Jailed() | Unjailed() | Slashed():
            _change_freedom(draft, event)
        case Listed():
            _change_listing(draft, event)
        case Deposited() | WithdrawRequested() | Withdrawn() | Drawn():
            _change_channel(draft, event)
        case LineChanged() | LineLowering() | UnprovenChanged():
            _change_line(draft, event)
        case Anchored() | Collected() | Claimed() | BondChanged() | Convicted():
            _change_settlement(draft, event)
        case Demanded() | RecordShown() | RecordWithheld():
            change_demands(draft.demands, event)
        case _:
            change_judging(draft, event, ready=_ready_to_judge(draft))


def _ready_to_judge(draft: ChainView) -> Iterable[DrawnEvaluator]:
    for member in draft.active(Role.EVALUATOR):
        models = draft.declared.get((Role.EVALUATOR, member.address), ())
        yield DrawnEvaluator(member.address, member.stake_wei, member.encryption_key, models)


def _change_member(draft: ChainView, event: MemberRegistered | MemberUpdated | StakeChanged) -> None:
    key = event.role, event.operator
    known = draft.members.get(key)
    if known is None:
        if isinstance(event, StakeChanged):
            return
        known = Member(*key, "", 0, 0, b"", b"", active=False)
    if not isinstance(event, StakeChanged):
        known = replace(known, endpoint=event.endpoint, margin_bps=event.margin_bps)
        known = replace(known, offer_digest=event.offer_digest, encryption_key=event.encryption_key)
    if not isinstance(event, MemberUpdated):
        known = replace(known, stake_wei=event.stake_wei)
    _put(draft, known, at_ms=event.at.timestamp_ms)


def _change_pool(draft: ChainView, event: PoolChanged | CommissionSet) -> None:
    key = event.role, event.operator
    if (known := draft.members.get(key)) is None:
        return
    if isinstance(event, PoolChanged):
        delegated_wei, undelegating_wei = event.delegated_wei, event.undelegating_wei
        draft.members[key] = replace(known, delegated_wei=delegated_wei, undelegating_wei=undelegating_wei)
    else:
        draft.members[key] = replace(known, commission_bps=event.commission_bps)


def _put(draft: ChainView, member: Member, *, at_ms: int) -> None:
    """Keeps a member as it is now: in service, or out of it since some moment."""
    active = not member.jailed_until_s and member.stake_wei > 0 and member.stake_wei >= draft.minimum_stake_wei
    out_since_ms = 0 if active else at_ms if member.active else member.out_since_ms
    draft.members[member.role, member.address] = replace(member, active=active, out_since_ms=out_since_ms)


def _change_freedom(draft: ChainView, event: Jailed | Unjailed | Slashed) -> None:
    key = event.role, event.operator
    if isinstance(event, Slashed):
        draft.slashed[key] = draft.slashed.get(key, 0) + event.amount_wei
    elif (known := draft.members.get(key)) is not None:
        until_s = event.until_s if isinstance(event, Jailed) else 0
        _put(draft, replace(known, jailed_until_s=until_s), at_ms=event.at.timestamp_ms)


def _change_listing(draft: ChainView, event: Listed) -> None:
    names = event.listing_id, event.version, event.model_id
    listing = Listing(*names, event.price, event.owner, event.payees, event.bps)
    draft.listing_versions[(listing.id, listing.version)] = listing
    known = draft.listings.get(listing.model_id)
    if known is None or known.id == listing.id:  # whoever lists a model second does not take it over
        draft.listings[listing.model_id] = listing


def _change_channel(draft: ChainView, event: Deposited | WithdrawRequested | Withdrawn | Drawn) -> None:
    known = draft.channels.get(event.channel_id)
    if isinstance(event, Deposited):
        channel = known or Channel(event.channel_id, event.config)
        draft.channels[channel.id] = replace(channel, deposited_wei=event.deposited_wei)
        return
    if known is None:  # nothing happens to a channel before its first deposit
        return
    if isinstance(event, Drawn):
        changed = replace(known, drawn_wei=event.drawn_wei)
        key = event.channel_id, event.lane
        draft.drawn_in_lane[key] = draft.drawn_in_lane.get(key, 0) + event.amount_wei
    elif isinstance(event, Withdrawn):
        changed = _without_request(replace(known, deposited_wei=known.deposited_wei - event.amount_wei))
    elif event.amount_wei == 0:
        changed = _without_request(known)
    else:
        requested, available = event.at.timestamp_ms, event.available_ms
        changed = replace(known, withdraw_wei=event.amount_wei, withdraw_requested_ms=requested)
        changed = replace(changed, withdraw_available_ms=available)
    draft.channels[known.id] = changed


def _without_request(channel: Channel) -> Channel:
    return replace(channel, withdraw_wei=0, withdraw_requested_ms=None, withdraw_available_ms=None)


def _change_line(draft: ChainView, event: LineChanged | LineLowering | UnprovenChanged) -> None:
    """A lowering counts once announced, and what no root has shown yet counts as used."""
    key = event.gateway, event.node
    if isinstance(event, UnprovenChanged):
        draft.unproven[key] = event.unproven_wei
    elif isinstance(event, LineLowering):
        draft.lowerings[key] = event.line_wei
    else:
        if event.line_wei >= draft.line_amounts.get(key, 0):  # raised or confirmed, which calls a lowering off
            draft.lowerings.pop(key, None)
        draft.line_amounts[key] = event.line_wei
    amount = draft.line_amounts.get(key, 0)
    promised = min(amount, draft.lowerings.get(key, amount))
    draft.lines[key] = max(0, promised - draft.unproven.get(key, 0))


def _change_settlement(draft: ChainView, event: Anchored | Collected | Claimed | BondChanged | Convicted) -> None:
    match event:
        case Anchored(at, root, digest):
            gateway = Address(root.gateway)
            draft.roots[(gateway, root.epoch)] = Anchor(root, digest, at.block, at.timestamp_ms, at.transaction)
            draft.last_epochs[gateway] = root.epoch
        case Collected():
            draft.collected[event.gateway] = draft.collected.get(event.gateway, 0) + event.amount_wei
        case Claimed():
            draft.claimed[(event.gateway, event.kind, event.lane, event.payee)] = event.claimed_wei
            key = event.payee, event.kind
            draft.received[key] = draft.received.get(key, 0) + event.amount_wei
        case BondChanged():
            draft.bonds[event.gateway] = event.bond_wei
        case Convicted():
            first = draft.convicted.get(event.gateway, event.epoch)
            draft.convicted[event.gateway] = min(first, event.epoch)
        case _:
            assert_never(event)
