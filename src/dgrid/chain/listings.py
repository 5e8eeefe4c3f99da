"""A creator's side of the listings: what a model costs above what its nodes ask, and who shares that."""

from collections.abc import Mapping

from dgrid.chain.contracts import Contracts
from dgrid.chain.sender import Sender
from dgrid.core.identity import Address, model_id
from dgrid.core.money import Price


async def list_model(
    sender: Sender, contracts: Contracts, *, model: str, price: Price, shares_bps: Mapping[Address, int]
) -> None:
    """Lists a model under the sender's name; `shares_bps` sums to 10,000. Once a model, also across a restart.

    Raises Reverted, ChainUnavailable.
    """
    arguments = [model_id(model), price.in_wei, price.out_wei, list(shares_bps), list(shares_bps.values())]
    await sender.send(contracts.listings, "list", arguments, label=f"list:{model}")
