"""The chain as a gateway sees it: `ChainFacts` over the watcher's finalized view, indexed as requests need it."""

from collections.abc import Sequence

from dgrid.chain.events import Role
from dgrid.chain.parameters import Parameters
from dgrid.chain.view import ChainView
from dgrid.chain.view import Channel as ViewChannel
from dgrid.chain.watcher import ChainWatcher
from dgrid.core.identity import NO_LISTING, Address, ChannelId, ModelId
from dgrid.core.money import FREE
from dgrid.gateway.facts import ChainState, Channel, Member
from dgrid.gateway.orders import Listing
from dgrid.settlement.finality import is_checked
from dgrid.wire.messages import EpochRoot

UNLISTED = Listing(NO_LISTING, 0, FREE)


class WatchedChain:
    """Reads one watcher; money counts only once it is final."""

    def __init__(self, watcher: ChainWatcher, *, gateway: bytes, token: bytes, settlement: bytes) -> None:
        self._watcher, self._gateway, self._token, self._settlement = watcher, Address(gateway), token, settlement
        self._seen: ChainView | None = None
        self._version = 0
        self._by_salt: dict[bytes, ViewChannel] = {}
        self._lines_of: dict[bytes, int] = {}

    @property
    def version(self) -> int:
        self._view()
        return self._version

    @property
    def state(self) -> ChainState:
        watcher = self._watcher
        return ChainState(watcher.unreachable_since_ms is not None or watcher.is_stale, watcher.block)

    def parameters(self, epoch: int) -> Parameters:
        return self._watcher.finalized.parameters.at(epoch)

    def nodes(self) -> Sequence[Member]:
        return [
            Member(member.address, member.endpoint, member.stake_wei, member.active, member.delegated_wei)
            for (role, _), member in self._view().members.items()
            if role is Role.NODE
        ]

    def channel(self, channel_id: bytes) -> Channel | None:
        found = self._view().channels.get(ChannelId(channel_id))
        return None if found is None or not self._is_ours(found) else channel_of(found)

    def channel_of_salt(self, salt: bytes) -> Channel | None:
        self._view()
        found = self._by_salt.get(salt)
        return None if found is None else channel_of(found)

    def listing(self, model_id: bytes) -> Listing:
        found = self._view().listings.get(ModelId(model_id))
        return UNLISTED if found is None else Listing(found.id, found.version, found.price)

    def credit_line_wei(self, node: bytes) -> int:
        return self._view().lines.get((self._gateway, Address(node)), 0)

    def credit_lines_wei(self, node: bytes) -> int:
        self._view()
        return self._lines_of.get(node, 0)

    def is_checked(self, epoch: int, *, now_ms: int) -> bool:
        return is_checked(self._view(), (self._gateway, epoch), now_s=now_ms // 1000)

    def anchored_root(self, epoch: int) -> EpochRoot | None:
        found = self._view().roots.get((self._gateway, epoch))
        return None if found is None else found.root

    def _view(self) -> ChainView:
        view = self._watcher.finalized
        if view is not self._seen:
            self._seen = view
            self._version += 1
            self._lines_of = lines_by_node(view)
            self._by_salt = self._keyed(view)
        return view

    def _keyed(self, view: ChainView) -> dict[bytes, ViewChannel]:
        """The channels that API keys name, by salt. Salts are public: of several payers' with one salt the first's."""
        found: dict[bytes, ViewChannel] = {}
        for channel in view.channels.values():
            if channel.config.payer_authorizer == self._gateway and self._is_ours(channel):
                known = found.setdefault(channel.config.salt, channel)
                if known.config.payer == channel.config.payer:
                    found[channel.config.salt] = channel
        return found

    def _is_ours(self, channel: ViewChannel) -> bool:
        """Whether what is charged to the channel could be collected."""
        config = channel.config
        return (
            config.gateway == self._gateway
            and config.token == self._token
            and config.receiver == self._settlement
            and config.receiver_authorizer == self._settlement
        )


def lines_by_node(view: ChainView) -> dict[bytes, int]:
    """What all active gateways together back of each node's work."""
    active = {member.address for member in view.active(Role.GATEWAY)}
    found: dict[bytes, int] = {}
    for (gateway, node), line_wei in view.lines.items():
        if gateway in active:
            found[node] = found.get(node, 0) + line_wei
    return found


def channel_of(found: ViewChannel) -> Channel:
    return Channel(found.id, found.config, found.deposited_wei, found.withdraw_requested_ms is not None)
