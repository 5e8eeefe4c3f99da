"""The chain as a command reaches it: endpoints to ask, and a sender for one key. Whatever a command sends goes here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.funding import fund_dev
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Sender
from dgrid.cli.signers import Signer, user_of
from dgrid.cli.wallet_config import chain_config
from dgrid.config import ChainConfig
from dgrid.settlement.reading import NetworkReader, reading
from dgrid.wire.http import HttpClient


@asynccontextmanager
async def opened_rpc(chain: ChainConfig) -> AsyncIterator[Rpc]:
    """A chain's endpoints, for as long as a command takes."""
    http = HttpClient()
    try:
        yield Rpc.of(chain, http)
    finally:
        await http.close()


@asynccontextmanager
async def opened_sender(rpc: Rpc, signer: Signer, *, chain_id: int) -> AsyncIterator[Sender]:
    """A sender for a key, over the journal that its role keeps: the two never take one nonce twice."""
    sender = Sender(rpc, signer.key, folder=signer.folder, chain_id=chain_id)
    try:
        yield sender
    finally:
        await sender.close()


@asynccontextmanager
async def sending(home: Path) -> AsyncIterator[tuple[NetworkReader, Sender]]:
    """The chain as it is now, and a sender for the home's user; on the dev chain it gets its gas money."""
    chain = chain_config(home)
    async with (
        reading(chain) as network,
        opened_sender(network.rpc, user_of(home), chain_id=chain.chain_id) as sender,
    ):
        if chain.chain_id == DEV_CHAIN_ID:
            await fund_dev(network.rpc, network.contracts, address=sender.address)
        yield network, sender
