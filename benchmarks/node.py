"""A registered node that answers every dispatch at once with the canned completion and signs for it.

`python -m benchmarks.node CONFIG PARENT_PID` stands where a real node would: it enrols itself on the dev chain,
publishes a signed offer, counts its tokens truly and signs true receipts, all that are ready in one turn of the event
loop under one seal. It runs no model, checks no dispatch and keeps no books: it is not what is measured, and must not
be the limit.
"""

import asyncio
import json
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.exchange import ID_DIGITS, MODEL, Reply, request_body
from benchmarks.mock import LeanServer
from dgrid.chain.contracts import Contracts
from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import Role
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Sender
from dgrid.chain.view import ChainView
from dgrid.config import NodeConfig, load_role
from dgrid.core.keccak import salted_hash
from dgrid.core.money import Price
from dgrid.engines.catalog import BuiltInModel, Catalog
from dgrid.engines.tokenizers import Tokenizer, load_tokenizer
from dgrid.machine.parent import end_with_parent
from dgrid.node.offer import ModelTerms, Place, PublishedOffer
from dgrid.wire.evidence import ChoiceEvidence, encode_evidence
from dgrid.wire.frames import CONTENT_TYPE, FrameKind, NodeDone, decode_dispatch, encode, frame
from dgrid.wire.http import HttpClient
from dgrid.wire.messages import NodeReceipt
from dgrid.wire.seals import SEAL_MESSAGES_MAX, seal
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import Domain, dgrid_domain

CAPACITY = 1024
HEAD = f"HTTP/1.1 200 OK\r\ncontent-type: {CONTENT_TYPE}\r\ncontent-length: %d\r\n\r\n".encode()
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


@dataclass(slots=True)
class Waiting:
    """An answer without its signature."""

    door: "Door"
    data: bytes
    receipt: NodeReceipt
    struct_hash: bytes


class Signer:
    """Answers dispatches in batches, one seal for each turn of the event loop."""

    def __init__(self, key: SigningKey, domain: Domain, reply: Reply) -> None:
        self._key, self._domain, self._reply = key, domain, reply
        self._evidence = encode_evidence([ChoiceEvidence([-1] * reply.tokens_out, [-0.5] * reply.tokens_out)])
        self._waiting: list[Waiting] = []
        self._number = 0

    def take(self, door: "Door", body: bytes) -> None:
        envelope, dispatch = decode_dispatch(body)
        self._number += 1
        reply, salt = self._reply, envelope.salt
        receipt = NodeReceipt(
            dispatch.struct_hash(),
            salted_hash(salt, reply.text(self._number)),
            salted_hash(salt, self._evidence),
            reply.tokens_in,
            reply.tokens_out,
        )
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._sign)
        data = frame(FrameKind.DATA, reply.body(self._number, dispatch.request_id.hex()[:ID_DIGITS].encode()))
        self._waiting.append(Waiting(door, data, receipt, receipt.struct_hash()))

    def _sign(self) -> None:
        batch, self._waiting = self._waiting[:SEAL_MESSAGES_MAX], self._waiting[SEAL_MESSAGES_MAX:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._sign)
        seals = seal(self._key, self._domain, [item.struct_hash for item in batch])
        for item, sealed in zip(batch, seals, strict=True):
            done = encode(NodeDone(item.receipt.packed(), sealed, self._evidence))
            body = item.data + frame(FrameKind.DONE, done)
            item.door.transport.write(HEAD % len(body) + body)


class Door(LeanServer):
    """One connection of a gateway."""

    def __init__(self, signer: Signer, offer: bytes) -> None:
        self._signer, self._offer = signer, offer

    def answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"POST /v1/dispatch"):
            self._signer.take(self, body)
        elif head.startswith(b"GET /v1/offer"):
            self._say(self._offer)
        else:
            self._say(json.dumps({"state": "serving", "capacity": CAPACITY, "in_flight": 0, "served": 0}).encode())

    def _say(self, body: bytes) -> None:
        self.transport.write(JSON_HEAD % len(body) + body)


def tokenizer_of(model: BuiltInModel) -> Tokenizer:
    tokenizer = load_tokenizer(model.path)
    assert tokenizer is not None, "a built-in model has a tokenizer that is known"
    return tokenizer


def true_reply(tokenizer: Tokenizer) -> Reply:
    """The completion with the counts that the model's own tokenizer gives for it."""
    messages = [(said["role"], said["content"]) for said in json.loads(request_body(1))["messages"]]
    tokens_in = tokenizer.count_prompt(messages)
    assert tokens_in is not None
    return Reply(tokens_in, tokenizer.count_reply(Reply(tokens_in, 100).text(1).decode()))


def signed_offer(config: NodeConfig, key: SigningKey, model: BuiltInModel) -> PublishedOffer:
    entry = model.entry
    price = Price(model.in_price_wei, model.out_price_wei)
    name = tokenizer_of(model).name
    terms = ModelTerms(MODEL, model.digest, price, entry.context, entry.quantization, entry.template, name)
    place = Place(config.chain.chain_id, "benchmark", config.region, CAPACITY)
    return PublishedOffer.sign(key, place, models=(terms,), now_ms=int(time.time() * 1000))


async def serve(config: NodeConfig) -> None:
    """Enrols and serves until SIGTERM."""
    key, model = config.key(), Catalog.built_in().model(MODEL)
    domain = dgrid_domain(config.chain.chain_id, config.chain.address("settlement"))
    signer, offer = Signer(key, domain, true_reply(tokenizer_of(model))), signed_offer(config, key, model)
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(lambda: Door(signer, offer.document), config.host, config.port, backlog=512)
    await enrol(config, offer)
    await stop.wait()
    server.close()


async def enrol(config: NodeConfig, offer: PublishedOffer) -> None:
    """Registers the node where the offer's digest can be compared with what it serves."""
    contracts, http = Contracts(config.chain), HttpClient()
    rpc = Rpc(config.chain.rpc_urls, http, chain_id=config.chain.chain_id)
    sender = Sender(rpc, config.key(), folder=config.folder, chain_id=config.chain.chain_id)
    enrolment = Enrolment(Role.NODE, config.url, int(config.stake_wei), offer.digest)
    await Enroller(rpc, contracts, sender, dev=True).enroll(enrolment, ChainView())
    await sender.close()
    await http.close()


if __name__ == "__main__":
    end_with_parent(int(sys.argv[2]))
    uvloop.run(serve(load_role(NodeConfig, Path(sys.argv[1]), dev=True)))
