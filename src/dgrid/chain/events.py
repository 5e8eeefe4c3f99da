"""What happened on chain, as a closed union of records: the facts that `view` folds. Decodes, decides nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from dgrid.chain.contracts import LogEvent
from dgrid.core.identity import Address, ChannelId, Hash, ListingId, ModelId
from dgrid.core.money import Price
from dgrid.wire.messages import ChannelConfig, EpochRoot


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


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """Where in the chain something happened."""

    block: int
    index: int
    timestamp_ms: int
    transaction: bytes


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


ChainEvent = (
    MemberRegistered
    | MemberUpdated
    | StakeChanged
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
    | BondChanged
    | Convicted
)

_Arguments = dict[str, Any]


def event_of(decoded: LogEvent, *, timestamp_s: int) -> ChainEvent | None:
    """The fact behind a decoded log; None for those nobody folds (permits, refused rows, …)."""
    read = _READERS.get((decoded.contract, decoded.name))
    if read is None:
        return None
    log = decoded.log
    at = Moment(log.block_number, log.index, timestamp_s * 1000, log.transaction_hash)
    return read(at, decoded.arguments)


def _registered(at: Moment, a: _Arguments) -> MemberRegistered:
    stake, key = a["stake"], a["encryptionKey"]
    member = Role(a["role"]), Address(a["operator"])
    return MemberRegistered(at, *member, stake, a["endpoint"], a["offerDigest"], key, a["marginBps"])


def _updated(at: Moment, a: _Arguments) -> MemberUpdated:
    member = Role(a["role"]), Address(a["operator"])
    return MemberUpdated(at, *member, a["endpoint"], a["offerDigest"], a["encryptionKey"], a["marginBps"])


def _listed(at: Moment, a: _Arguments) -> Listed:
    names = ListingId(a["listingId"]), a["version"], Address(a["owner"]), ModelId(a["modelId"])
    payees = tuple(Address(payee) for payee in a["payees"])
    return Listed(at, *names, Price(a["inPrice"], a["outPrice"]), payees, tuple(a["bps"]))


def _deposited(at: Moment, a: _Arguments) -> Deposited:
    return Deposited(at, ChannelId(a["channelId"]), a["amount"], a["deposited"], ChannelConfig(*a["config"]))


def _withdraw_requested(at: Moment, a: _Arguments) -> WithdrawRequested:
    return WithdrawRequested(at, ChannelId(a["channelId"]), a["amount"], a["availableAt"] * 1000)


def _collected(at: Moment, a: _Arguments) -> Collected:
    names = Address(a["gateway"]), ChannelId(a["channelId"])
    return Collected(at, *names, a["epoch"], a["lane"], a["amount"], a["payerTotal"])


def _claimed(at: Moment, a: _Arguments) -> Claimed:
    names = Address(a["gateway"]), Address(a["payee"]), Kind(a["kind"])
    return Claimed(at, *names, a["lane"], a["amount"], a["claimedTotal"])


def _line_lowering(at: Moment, a: _Arguments) -> LineLowering:
    return LineLowering(at, Address(a["gateway"]), Address(a["node"]), a["line"], a["availableAt"] * 1000)


def _convicted(at: Moment, a: _Arguments) -> Convicted:
    return Convicted(at, Address(a["gateway"]), a["epoch"], a["challenge"], Address(a["reporter"]), a["slashed"])


_READERS: dict[tuple[str, str], Callable[[Moment, _Arguments], ChainEvent]] = {
    ("registry", "Registered"): _registered,
    ("registry", "Updated"): _updated,
    ("registry", "StakeChanged"): lambda at, a: StakeChanged(at, Role(a["role"]), Address(a["operator"]), a["stake"]),
    ("listings", "Listed"): _listed,
    ("channel_escrow", "Deposited"): _deposited,
    ("channel_escrow", "WithdrawRequested"): _withdraw_requested,
    ("channel_escrow", "Withdrawn"): lambda at, a: Withdrawn(at, ChannelId(a["channelId"]), a["amount"]),
    ("channel_escrow", "Drawn"): lambda at, a: Drawn(
        at, ChannelId(a["channelId"]), a["lane"], a["amount"], a["drawnTotal"]
    ),
    ("settlement", "Anchored"): lambda at, a: Anchored(at, EpochRoot(*a["root"]), Hash(a["digest"])),
    ("settlement", "Collected"): _collected,
    ("settlement", "Claimed"): _claimed,
    ("settlement", "LineChanged"): lambda at, a: LineChanged(at, Address(a["gateway"]), Address(a["node"]), a["line"]),
    ("settlement", "LineLowering"): _line_lowering,
    ("settlement", "BondChanged"): lambda at, a: BondChanged(at, Address(a["gateway"]), a["bond"]),
    ("settlement", "Convicted"): _convicted,
}
