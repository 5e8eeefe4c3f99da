"""From decoded logs to the facts in `events`. Decodes, decides nothing."""

from collections.abc import Callable
from typing import Any

from dgrid.chain.ballot_reading import BALLOT_READERS
from dgrid.chain.case_reading import CASE_READERS
from dgrid.chain.contracts import LogEvent
from dgrid.chain.events import (
    Anchored,
    AuthorSet,
    BondChanged,
    CanariesCommitted,
    CanariesOpened,
    ChainEvent,
    Claimed,
    Collected,
    CommissionSet,
    Committed,
    Convicted,
    Demanded,
    Deposited,
    Disclosed,
    Drawn,
    Jailed,
    Kind,
    LineChanged,
    LineLowering,
    Listed,
    MemberRegistered,
    MemberUpdated,
    ModelsDeclared,
    Moment,
    ParameterSet,
    PayoutClaimed,
    Penalized,
    PoolChanged,
    QualityPosted,
    RecordShown,
    RecordWithheld,
    Revealed,
    Role,
    SeedFixed,
    Slashed,
    StakeChanged,
    Unjailed,
    UnprovenChanged,
    Withdrawn,
    WithdrawRequested,
)
from dgrid.core.identity import Address, ChannelId, Hash, ListingId, ModelId
from dgrid.core.money import Price
from dgrid.wire.messages import ChannelConfig, EpochRoot, QualityRoot
from dgrid.wire.quality import PayoutAccount, PayoutKind

_Arguments = dict[str, Any]


def event_of(decoded: LogEvent, *, timestamp_s: int) -> ChainEvent | None:
    """The fact behind a decoded log; None for those nobody folds (permits, refused rows, …)."""
    read = _READERS.get((decoded.contract, decoded.name))
    if read is None:
        return None
    log = decoded.log
    at = Moment(log.block_number, log.index, timestamp_s * 1000, log.transaction_hash, log.block_hash)
    return read(at, decoded.arguments)


def _registered(at: Moment, a: _Arguments) -> MemberRegistered:
    stake, key = a["stake"], a["encryptionKey"]
    member = Role(a["role"]), Address(a["operator"])
    return MemberRegistered(at, *member, stake, a["endpoint"], a["offerDigest"], key, a["marginBps"])


def _updated(at: Moment, a: _Arguments) -> MemberUpdated:
    member = Role(a["role"]), Address(a["operator"])
    return MemberUpdated(at, *member, a["endpoint"], a["offerDigest"], a["encryptionKey"], a["marginBps"])


def _pool_changed(at: Moment, a: _Arguments) -> PoolChanged:
    return PoolChanged(at, Role(a["role"]), Address(a["operator"]), a["delegated"], a["undelegating"])


def _commission_set(at: Moment, a: _Arguments) -> CommissionSet:
    return CommissionSet(at, Role(a["role"]), Address(a["operator"]), a["commissionBps"])


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


def _demanded(at: Moment, a: _Arguments) -> Demanded:
    names = a["id"], Address(a["demander"]), Address(a["gateway"])
    return Demanded(at, *names, a["epoch"], a["lane"], a["sequence"], a["until"] * 1000)


def _penalized(at: Moment, a: _Arguments) -> Penalized:
    return Penalized(at, Address(a["evaluator"]), a["round"], a["amount"], Address(a["reporter"]))


def _canaries_opened(at: Moment, a: _Arguments) -> CanariesOpened:
    return CanariesOpened(at, Address(a["author"]), Address(a["gateway"]), a["epoch"], a["blobId"])


def _quality_posted(at: Moment, a: _Arguments) -> QualityPosted:
    return QualityPosted(at, QualityRoot(*a["root"]), Hash(a["digest"]), Address(a["poster"]))


def _payout_claimed(at: Moment, a: _Arguments) -> PayoutClaimed:
    account = PayoutAccount(PayoutKind(a["kind"]), Address(a["gateway"]), Address(a["payee"]))
    return PayoutClaimed(at, account, a["amount"], a["claimedTotal"])


def _slashed(at: Moment, a: _Arguments) -> Slashed:
    return Slashed(at, Role(a["role"]), Address(a["operator"]), a["amount"], Address(a["reporter"]))


_READERS: dict[tuple[str, str], Callable[[Moment, _Arguments], ChainEvent]] = {
    **BALLOT_READERS,
    **CASE_READERS,
    ("registry", "Registered"): _registered,
    ("registry", "Updated"): _updated,
    ("registry", "StakeChanged"): lambda at, a: StakeChanged(at, Role(a["role"]), Address(a["operator"]), a["stake"]),
    ("registry", "PoolChanged"): _pool_changed,
    ("registry", "CommissionSet"): _commission_set,
    ("registry", "Jailed"): lambda at, a: Jailed(at, Role(a["role"]), Address(a["operator"]), a["until"]),
    ("registry", "Unjailed"): lambda at, a: Unjailed(at, Role(a["role"]), Address(a["operator"])),
    ("registry", "Slashed"): _slashed,
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
    ("settlement", "UnprovenChanged"): lambda at, a: UnprovenChanged(
        at, Address(a["gateway"]), Address(a["node"]), a["unproven"]
    ),
    ("settlement", "BondChanged"): lambda at, a: BondChanged(at, Address(a["gateway"]), a["bond"]),
    ("settlement", "Convicted"): _convicted,
    ("demands", "Demanded"): _demanded,
    ("demands", "Answered"): lambda at, a: RecordShown(at, a["id"], Address(a["answerer"]), a["absent"]),
    ("demands", "Withheld"): lambda at, a: RecordWithheld(at, a["id"], a["convicted"]),
    ("parameters", "ParameterSet"): lambda at, a: ParameterSet(at, a["parameter"], a["value"], a["fromEpoch"]),
    ("registry", "ModelsDeclared"): lambda at, a: ModelsDeclared(
        at, Role(a["role"]), Address(a["operator"]), tuple(a["digests"])
    ),
    ("quality_court", "SeedFixed"): lambda at, a: SeedFixed(
        at, Address(a["gateway"]), a["epoch"], a["round"], a["seed"], a["expired"]
    ),
    ("quality_court", "Disclosed"): lambda at, a: Disclosed(at, Address(a["gateway"]), a["epoch"], a["blobId"]),
    ("quality_court", "Committed"): lambda at, a: Committed(at, Address(a["evaluator"]), a["round"], a["commitment"]),
    ("quality_court", "Revealed"): lambda at, a: Revealed(
        at, Address(a["evaluator"]), a["round"], a["reportsRoot"], a["blobId"]
    ),
    ("quality_court", "Penalized"): _penalized,
    ("quality_court", "AuthorSet"): lambda at, a: AuthorSet(at, Address(a["author"]), a["allowed"]),
    ("quality_court", "CanariesCommitted"): lambda at, a: CanariesCommitted(
        at, Address(a["author"]), a["epoch"], a["root"]
    ),
    ("quality_court", "CanariesOpened"): _canaries_opened,
    ("quality_court", "QualityPosted"): _quality_posted,
    ("quality_court", "PayoutClaimed"): _payout_claimed,
}
