"""What an evaluator pays its re-runs from: a channel at every gateway, with an API key of its own for each.

A key is shown to one gateway only, which could spend what lies in its channel and nothing else: so deposits are small,
and filled up when half is used, as long as no more was drawn than what was asked may cost. So a gateway that draws for
what was never asked gets one deposit in all, however often the evaluator begins anew. Refuses to deposit what the
evaluator does not hold. A gateway without a channel is not asked.
"""

import logging
from dataclasses import dataclass

from dgrid.chain.channels import ChannelState, ChannelTerms, channel_config, channel_state, deposit, gateways_to_pay
from dgrid.chain.contracts import Contracts
from dgrid.chain.funding import fund_dev
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Sender
from dgrid.chain.view import ChainView
from dgrid.core.errors import InsufficientBudget
from dgrid.core.identity import Address, api_key_of, api_key_tag, channel_salt, to_hex
from dgrid.core.keccak import keccak
from dgrid.core.money import amount_text
from dgrid.evaluator.journal import Journal
from dgrid.wire.messages import ChannelConfig
from dgrid.wire.signatures import SigningKey

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GatewayDoor:
    """A gateway where this evaluator can pay."""

    gateway: Address
    url: str
    api_key: str


@dataclass(frozen=True, slots=True)
class Allowance:
    """What each gateway may have drawn: for each question that it was asked the most that one may cost.

    On disk before the question leaves: killed between the two, a gateway is allowed one fee too many, and none too few.
    What was paid in before the first count (the journal is new, or was lost) may have been asked for, and is allowed.
    """

    journal: Journal
    budget_wei: int

    def note(self, gateway: bytes) -> None:
        """One more question that leaves for a gateway. Raises sqlite3.Error, and then it must not leave."""
        self.journal.add_asked(gateway, self.budget_wei)

    def covers(self, gateway: bytes, state: ChannelState) -> bool:
        """Whether a gateway has drawn no more than it may. Ask before anything is paid in."""
        return state.drawn_wei <= self.journal.may_draw_wei(gateway, paid_in_wei=state.deposited_wei)


@dataclass(frozen=True, slots=True)
class Purse:
    """One evaluator's channels. `is_dev` takes the money from the dev chain's first account."""

    rpc: Rpc
    contracts: Contracts
    sender: Sender
    key: SigningKey
    deposit_wei: int
    is_dev: bool
    allowance: Allowance

    async def fill(self, view: ChainView) -> None:
        """Opens what is missing and fills up what runs low. Raises InsufficientBudget, Reverted, ChainUnavailable."""
        for member in gateways_to_pay(view):
            config = await self._config(member.address)
            # The latest state, not the final one, so that nothing is paid in twice.
            state = await channel_state(self.rpc, self.contracts, config=config)
            missing_wei = self.deposit_wei - (state.deposited_wei - state.drawn_wei)
            if not self.allowance.covers(member.address, state):
                logger.warning("%s draws more than it was asked for: it gets no more", to_hex(member.address))
            elif 2 * missing_wei > self.deposit_wei:
                await self._pay_in(config, missing_wei)
                logger.info("paid %s DGAI into the channel at %s", amount_text(missing_wei), to_hex(member.address))

    def doors(self, view: ChainView) -> list[GatewayDoor]:
        """The gateways whose channel the final chain knows and where something is left."""
        payer = self.key.address
        salts = {bytes(one.config.salt): one for one in view.channels.values() if one.config.payer == payer}
        gateways = gateways_to_pay(view)
        doors = [GatewayDoor(member.address, member.endpoint, self.api_key(member.address)) for member in gateways]
        funded = [(door, salts.get(channel_salt(door.gateway, api_key_tag(door.api_key)))) for door in doors]
        return [door for door, channel in funded if channel is not None and channel.balance_wei > 0]

    def api_key(self, gateway: Address) -> str:
        """The key for one gateway; follows from the signing key, so that nothing else must be kept."""
        return api_key_of(keccak(self.key.secret + b"DGrid evaluator's API key" + gateway))

    async def _config(self, gateway: Address) -> ChannelConfig:
        terms = ChannelTerms(gateway, authorizer=gateway, tag=api_key_tag(self.api_key(gateway)))
        return await channel_config(self.rpc, self.contracts, payer=self.key.address, terms=terms)

    async def _pay_in(self, config: ChannelConfig, amount_wei: int) -> None:
        if self.is_dev:
            await fund_dev(self.rpc, self.contracts, address=self.key.address, dgai_wei=amount_wei)
        held: int = await self.contracts.dgai.agreed(self.rpc, "balanceOf", [self.key.address])
        if held < amount_wei:
            raise InsufficientBudget(
                f"{amount_wei} wei for re-runs are more than it holds", hint="send DGAI to the evaluator's address"
            )
        await deposit(self.sender, self.contracts, config=config, amount_wei=amount_wei)
