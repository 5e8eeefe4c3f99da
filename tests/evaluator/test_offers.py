"""Who is asked to compare with: real doors, real offers, and who is left out."""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack

import msgspec
from tests.wire.making import NODE, PAYER

from dgrid.chain.events import Role
from dgrid.chain.view import ChainView, Member
from dgrid.core.identity import Address, to_hex
from dgrid.core.keccak import keccak
from dgrid.evaluator.offers import Offers
from dgrid.wire.http import HttpClient
from dgrid.wire.offers import ModelOffer, Offer, SignedOffer, offer_digest
from dgrid.wire.server import Handler, Reply, Request, Server
from dgrid.wire.signatures import SigningKey

CHAIN_ID = 31337
DIGEST = keccak(b"weights")
NODES = {"honest": NODE, "cheat": PAYER, "jailed": SigningKey(keccak(b"jailed"))}


def door(key: SigningKey) -> Handler:
    model = ModelOffer("dgrid-mini", to_hex(DIGEST), "q8_0", "chatml", "t", 512, "1", "2")
    offer = Offer(to_hex(key.address), 1, CHAIN_ID, "llama.cpp", "local", 4, (model,))
    document = msgspec.json.encode(SignedOffer(offer, to_hex(key.sign(offer_digest(offer)))))

    async def handle(request: Request) -> Reply:
        return Reply(200, document)

    return handle


def member(key: SigningKey, port: int, *, active: bool = True) -> Member:
    endpoint = f"http://127.0.0.1:{port}"
    return Member(Role.NODE, key.address, endpoint, 10**18, 0, bytes(32), bytes(32), active)


def asked(flagged: Iterable[SigningKey] = ()) -> set[Address]:
    """The nodes that an evaluator compares with."""

    async def found_out() -> frozenset[bytes]:
        return frozenset(key.address for key in flagged)

    async def main() -> set[Address]:
        async with AsyncExitStack() as life:
            members = {}
            for name, key in NODES.items():
                server = Server(door(key), host="127.0.0.1", port=0)
                await server.start()
                life.push_async_callback(server.stop)
                members[Role.NODE, key.address] = member(key, server.port, active=name != "jailed")
            http = HttpClient()
            life.push_async_callback(http.close)
            offers = Offers(http, lambda: ChainView(members=members), chain_id=CHAIN_ID, flagged=found_out)
            return {peer.node for peer in await offers.peers()}

    return asyncio.run(main())


def test_nodes_without_enough_stake_or_in_jail_are_not_compared_with() -> None:
    assert asked() == {NODES["honest"].address, NODES["cheat"].address}


def test_a_node_that_was_found_out_is_not_compared_with() -> None:
    assert asked(flagged=[NODES["cheat"]]) == {NODES["honest"].address}
