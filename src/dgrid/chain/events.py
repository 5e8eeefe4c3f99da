"""What happened on chain, as a closed union of records: the facts that `view` folds. Decides nothing."""

from dataclasses import dataclass
from enum import IntEnum

from dgrid.chain.ballots import BallotEvent
from dgrid.chain.case_events import CaseEvent
from dgrid.chain.moments import Moment as Moment
from dgrid.core.identity import Address, ChannelId, Hash, ListingId, ModelId
from dgrid.core.money import Price
from dgrid.wire.messages import ChannelConfig, EpochRoot, QualityRoot
from dgrid.wire.quality import PayoutAccount


class Role(IntEnum):
    """The registry's roles (`Registry.sol`)."""

    NODE = 0
    EVALUATOR = 1
    GATEWAY = 2
    ARCHIVE = 3


class Kind(IntEnum):
    """Whose running total a claim speaks of (`Types.sol`)."""

    NODE = 0
    LISTING = 1
    GATEWAY = 2
    PROTOCOL = 3


@dataclass(frozen=True, slots=True)
class MemberRegistered:
    at: Moment
    role: Role
    operator: Address
    stake_wei: int
    endpoint: str
    offer_digest: bytes
    encryption_key: bytes
    margin_bps: int


@dataclass(frozen=True, slots=True)
class MemberUpdated:
    at: Moment
    role: Role
    operator: Address
    endpoint: str
    offer_digest: bytes
    encryption_key: bytes
    margin_bps: int


@dataclass(frozen=True, slots=True)
class StakeChanged:
    at: Moment
    role: Role
    operator: Address
    stake_wei: int


@dataclass(frozen=True, slots=True)
class PoolChanged:
    """What others entrusted to a member, as it stands now."""

    at: Moment
    role: Role
    operator: Address
    delegated_wei: int  # in service
    undelegating_wei: int  # on its way out


@dataclass(frozen=True, slots=True)
class CommissionSet:
    at: Moment
    role: Role
    operator: Address
    commission_bps: int


@dataclass(frozen=True, slots=True)
class Jailed:
    at: Moment
    role: Role
    operator: Address
    until_s: int


@dataclass(frozen=True, slots=True)
class Unjailed:
    at: Moment
    role: Role
    operator: Address


@dataclass(frozen=True, slots=True)
class Slashed:
    at: Moment
    role: Role
    operator: Address
    amount_wei: int
    reporter: Address


@dataclass(frozen=True, slots=True)
class Listed:
    at: Moment
    listing_id: ListingId
    version: int
    owner: Address
    model_id: ModelId
    price: Price
    payees: tuple[Address, ...]
    bps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Deposited:
    at: Moment
    channel_id: ChannelId
    amount_wei: int
    deposited_wei: int
    config: ChannelConfig


@dataclass(frozen=True, slots=True)
class WithdrawRequested:
    at: Moment
    channel_id: ChannelId
    amount_wei: int  # zero calls a request off
    available_ms: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    at: Moment
    channel_id: ChannelId
    amount_wei: int


@dataclass(frozen=True, slots=True)
class Drawn:
    at: Moment
    channel_id: ChannelId
    lane: int
    amount_wei: int
    drawn_wei: int


@dataclass(frozen=True, slots=True)
class Anchored:
    at: Moment
    root: EpochRoot
    digest: Hash


@dataclass(frozen=True, slots=True)
class Collected:
    at: Moment
    gateway: Address
    channel_id: ChannelId
    epoch: int
    lane: int
    amount_wei: int
    payer_total_wei: int


@dataclass(frozen=True, slots=True)
class Claimed:
    at: Moment
    gateway: Address
    payee: Address
    kind: Kind
    lane: int
    amount_wei: int
    claimed_wei: int  # in all, of the party's total in that lane


@dataclass(frozen=True, slots=True)
class LineChanged:
    at: Moment
    gateway: Address
    node: Address
    line_wei: int


@dataclass(frozen=True, slots=True)
class LineLowering:
    at: Moment
    gateway: Address
    node: Address
    line_wei: int
    available_ms: int


@dataclass(frozen=True, slots=True)
class UnprovenChanged:
    """What a node got by default and no root has shown yet: it uses its line up."""

    at: Moment
    gateway: Address
    node: Address
    unproven_wei: int


@dataclass(frozen=True, slots=True)
class BondChanged:
    at: Moment
    gateway: Address
    bond_wei: int


@dataclass(frozen=True, slots=True)
class Convicted:
    at: Moment
    gateway: Address
    epoch: int
    challenge: int
    reporter: Address
    slashed_wei: int


@dataclass(frozen=True, slots=True)
class ParameterSet:
    at: Moment
    parameter: int  # its place in the contract's enum
    value: int
    from_epoch: int


@dataclass(frozen=True, slots=True)
class ModelsDeclared:
    at: Moment
    role: Role
    operator: Address
    digests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SeedFixed:
    at: Moment
    gateway: Address
    epoch: int
    round: int
    seed: bytes
    expired: bool  # nobody fixed it in time: every leaf is drawn


@dataclass(frozen=True, slots=True)
class Disclosed:
    at: Moment
    gateway: Address
    epoch: int
    blob_id: bytes


@dataclass(frozen=True, slots=True)
class Committed:
    at: Moment
    evaluator: Address
    round: int
    commitment: bytes


@dataclass(frozen=True, slots=True)
class Revealed:
    at: Moment
    evaluator: Address
    round: int
    reports_root: bytes
    blob_id: bytes


@dataclass(frozen=True, slots=True)
class Penalized:
    at: Moment
    evaluator: Address
    round: int
    amount_wei: int
    reporter: Address


@dataclass(frozen=True, slots=True)
class AuthorSet:
    at: Moment
    author: Address
    allowed: bool


@dataclass(frozen=True, slots=True)
class CanariesCommitted:
    at: Moment
    author: Address
    epoch: int
    root: bytes


@dataclass(frozen=True, slots=True)
class CanariesOpened:
    at: Moment
    author: Address
    gateway: Address
    epoch: int
    blob_id: bytes


@dataclass(frozen=True, slots=True)
class QualityPosted:
    at: Moment
    root: QualityRoot
    digest: Hash
    poster: Address


@dataclass(frozen=True, slots=True)
class PayoutClaimed:
    at: Moment
    account: PayoutAccount
    amount_wei: int
    claimed_wei: int  # in all, on this account


@dataclass(frozen=True, slots=True)
class Demanded:
    at: Moment
    id: bytes
    demander: Address
    gateway: Address
    epoch: int
    lane: int
    sequence: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class RecordShown:
    at: Moment
    id: bytes
    answerer: Address
    absent: bool  # the place lies beyond its lane's end


@dataclass(frozen=True, slots=True)
class RecordWithheld:
    at: Moment
    id: bytes
    convicted: bool  # not where the root was void by then


DemandEvent = Demanded | RecordShown | RecordWithheld

CourtEvent = (
    ModelsDeclared
    | SeedFixed
    | Disclosed
    | Committed
    | Revealed
    | Penalized
    | AuthorSet
    | CanariesCommitted
    | CanariesOpened
    | QualityPosted
    | PayoutClaimed
)

StateEvent = (
    MemberRegistered
    | MemberUpdated
    | StakeChanged
    | PoolChanged
    | CommissionSet
    | Jailed
    | Unjailed
    | Slashed
    | Listed
    | Deposited
    | WithdrawRequested
    | Withdrawn
    | Drawn
    | Anchored
    | Collected
    | Claimed
    | LineChanged
    | LineLowering
    | UnprovenChanged
    | BondChanged
    | Convicted
    | DemandEvent
    | CourtEvent
)

ChainEvent = StateEvent | ParameterSet | BallotEvent | CaseEvent
