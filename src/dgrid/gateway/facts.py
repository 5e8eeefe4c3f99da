"""What a gateway asks the chain: a small, read-only view of finalized facts. The composition root puts the real chain
here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from dgrid.chain.parameters import Parameters
from dgrid.gateway.orders import Listing
from dgrid.wire.messages import ChannelConfig, EpochRoot


@dataclass(frozen=True, slots=True)
class Member:
    """A registered node or archive with its stake."""

    address: bytes
    endpoint: str
    stake_wei: int
    active: bool
    delegated_wei: int = 0  # by others; it answers for the member, too


@dataclass(frozen=True, slots=True)
class Channel:
    """A payer's channel to this gateway, as finalized."""

    channel_id: bytes
    config: ChannelConfig
    deposited_wei: int
    is_leaving: bool  # a withdrawal was requested: no new work


class ChainState(msgspec.Struct, frozen=True, gc=False):
    """How fresh the facts are."""

    is_degraded: bool
    finalized_block: int | None


class ChainFacts(Protocol):
    """Answers come from a local copy and never wait."""

    @property
    def version(self) -> int:
        """Grows with every change: what was derived from older facts is stale."""
        ...

    @property
    def state(self) -> ChainState: ...

    def parameters(self, epoch: int) -> Parameters:
        """What counts in an epoch. Raises NotYet before the chain was seen."""
        ...

    def nodes(self) -> Sequence[Member]: ...

    def channel(self, channel_id: bytes) -> Channel | None: ...

    def channel_of_salt(self, salt: bytes) -> Channel | None:
        """The channel with this salt whose payer leaves the signing to this gateway."""
        ...

    def listing(self, model_id: bytes) -> Listing: ...

    def credit_line_wei(self, node: bytes) -> int: ...

    def credit_lines_wei(self, node: bytes) -> int:
        """A node's lines at all active gateways together."""
        ...

    def is_checked(self, epoch: int, *, now_ms: int) -> bool:
        """Whether this gateway's epoch can no longer be found to hold fraud: judged for good, or long over."""
        ...

    def anchored_root(self, epoch: int) -> EpochRoot | None:
        """This gateway's root of an epoch as the chain knows it, once final."""
        ...
