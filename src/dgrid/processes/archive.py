"""An archive's whole life: the roles' blobs in, a signed promise out; blobs to anyone who asks.

Gateways bring epochs and disclosures, evaluators reports and tables, authors canaries. Refuses blobs of strangers,
blobs that are not what their name says, epochs of which it could not show every record, and more than its capacity.
A gateway that went out of service may still bring the epochs that it had begun.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from functools import partial

from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import Role
from dgrid.chain.watcher import ChainWatcher
from dgrid.config import ArchiveConfig
from dgrid.core.errors import (
    CheckFailed,
    DGridError,
    InvalidRequest,
    InvalidSignature,
    RouteNotFound,
    WrongChain,
)
from dgrid.core.identity import Address, from_hex, to_hex
from dgrid.processes.chain_side import ChainSide, background, chain_side, until_done
from dgrid.processes.life import now_ms, run_until_signal
from dgrid.settlement.archives import ROOT_HEADER, SIGNATURE_HEADER, Promise, stored_digest, upload_digest
from dgrid.settlement.demands import SPREAD_MS, Answerer
from dgrid.settlement.finishing import may_finish
from dgrid.settlement.promising import Excuser, PromisedRoots, require_showable
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.store.blobs import BlobStore
from dgrid.wire.blob import EpochBlob
from dgrid.wire.quality import Canaries, Disclosure, QualityBlob, QualityTable, decode_quality, is_quality
from dgrid.wire.server import Reply, Request, Server, ServerLimits, json_reply
from dgrid.wire.signatures import SigningKey, recover
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)

BLOBS = "/v1/blobs/"
ANSWER_LOOK_S = 1.0
FINISHING_BYTES_MAX = 1024**3  # new to this archive, of each gateway that is out of service
LIMITS = ServerLimits(body_bytes=128 * 1024 * 1024, body_deadline_s=120.0, connections=256)


def run(config: ArchiveConfig) -> None:
    """Serves until SIGTERM or SIGINT. Raises DGridError when it cannot start."""
    run_until_signal(_live(config))


async def _live(config: ArchiveConfig) -> None:
    store = BlobStore(config.folder / "blobs", capacity_bytes=config.capacity_bytes)
    async with chain_side(config) as side:
        court = side.contracts.quality_court.address
        roots = PromisedRoots(config.folder / "roots.sqlite")
        service = ArchiveService(store, config.key(), side.watcher, side.domain, court, roots)
        server = Server(service.handle, host=config.host, port=config.port, limits=LIMITS)
        await server.start()
        logger.info("archive at %s, %d bytes kept", config.url, store.used_bytes)
        try:
            enrolling = [partial(_enroll, config, side)] if config.dev else []
            async with background(partial(_answer, service, side), *enrolling):
                await asyncio.Event().wait()
        finally:
            await server.stop()
            roots.close()


async def _answer(service: "ArchiveService", side: ChainSide) -> None:
    """Shows what is demanded of the blobs that are here: what it promised to keep, it can be made to show."""

    async def fetch(blob_id: bytes) -> bytes | None:
        return await asyncio.to_thread(service.store.get, blob_id)

    excuser = Excuser(service.roots, side.sender, side.contracts)
    answerer = Answerer(fetch, side.sender, side.contracts, side.domain, now_ms, spread_ms=SPREAD_MS)
    while True:
        try:
            await answerer.step(side.watcher.finalized)
            await excuser.step(side.watcher.finalized)
        except DGridError as error:
            logger.warning("a demand waits for its answer: %s", error.message)
        await asyncio.sleep(ANSWER_LOOK_S)


async def _enroll(config: ArchiveConfig, side: ChainSide) -> None:
    enroller = Enroller(side.rpc, side.contracts, side.sender, dev=config.dev)
    enrolment = Enrolment(Role.ARCHIVE, config.url, int(config.stake_wei))
    await until_done(lambda: enroller.enroll(enrolment, side.watcher.latest), what="registration")


@dataclass(frozen=True, slots=True)
class ArchiveService:
    """What an archive answers."""

    store: BlobStore
    key: SigningKey
    watcher: ChainWatcher
    domain: Domain
    court: Address
    roots: PromisedRoots = field(default_factory=lambda: PromisedRoots(None))
    finishing: dict[Address, int] = field(default_factory=dict)  # what gateways out of service may still bring, bytes

    async def handle(self, request: Request) -> Reply:
        """One request. Raises DGridError, which becomes an error reply."""
        if request.path == "/healthz":
            return self._health()
        if not request.path.startswith(BLOBS):
            raise RouteNotFound(f"an archive has no {request.path}")
        try:
            blob_id = from_hex(request.path.removeprefix(BLOBS), size=32)
        except ValueError as error:
            raise InvalidRequest(f"not a blob's name: {error}") from None
        if request.method == "PUT":
            return await self._put(blob_id, request)
        if request.method == "GET":
            return await self._get(blob_id)
        raise RouteNotFound(f"{request.method} is not for blobs")

    async def _put(self, blob_id: bytes, request: Request) -> Reply:
        signer = self._signer(blob_id, request)
        is_new = not self.store.has(blob_id)
        size = len(request.body) if is_new else 0
        if is_quality(request.body):
            self._check_quality(decode_quality(request.body), signer, size=size)
        else:
            await self._check_epoch(request, signer, size=size)
        await asyncio.to_thread(self.store.put, blob_id, request.body)
        signature = self.key.sign(stored_digest(self.domain, self.key.address, blob_id=blob_id))
        if is_new:
            logger.info("stored %s, %d bytes", to_hex(blob_id), len(request.body))
        promise = Promise(self.key.address, signature)
        return json_reply({**promise.to_json(), "blobId": to_hex(blob_id)}, 201 if is_new else 200)

    async def _get(self, blob_id: bytes) -> Reply:
        try:
            blob = await asyncio.to_thread(self.store.get, blob_id)
        except CheckFailed:
            logger.exception("the blob %s was altered on disk and is set aside", to_hex(blob_id))
            blob = None
        if blob is None:
            raise BlobNotFound(f"no blob {to_hex(blob_id)} is here", hint="ask another archive")
        return Reply(200, blob, content_type=b"application/octet-stream")

    def _signer(self, blob_id: bytes, request: Request) -> Address:
        """Who brings the blob. Raises InvalidSignature."""
        try:
            signature = bytes.fromhex(request.header(SIGNATURE_HEADER.encode()).removeprefix("0x"))
        except ValueError:
            raise InvalidSignature("the signature is not hex") from None
        return recover(upload_digest(self.domain, blob_id), signature)

    async def _check_epoch(self, request: Request, signer: Address, *, size: int) -> None:
        """The blob is a gateway's own, of this network, and can be shown under the root that came with it.

        Raises InvalidRequest, InvalidSignature, CheckFailed, WrongChain.
        """
        header = EpochBlob.decode(request.body).header
        self._require_here(header.chain_id, header.settlement, of=self.domain.verifying_contract)
        if header.gateway != signer:
            raise InvalidSignature("the blob is of another gateway")
        self._require_gateway(signer, epoch=header.epoch, size=size)
        signed = SignedRoot.from_header(request.header(ROOT_HEADER.encode()), domain=self.domain)
        if (signed.gateway, signed.root.epoch, signed.root.token) != (signer, header.epoch, header.token):
            raise CheckFailed("the root that came with the blob is of another epoch")
        await asyncio.to_thread(require_showable, request.body, signed, domain=self.domain)
        self.roots.keep(signed)

    def _check_quality(self, blob: QualityBlob, signer: Address, *, size: int) -> None:
        self._require_here(blob.chain_id, blob.court, of=self.court)
        if not isinstance(blob, QualityTable) and blob.author != signer:
            raise InvalidSignature("the blob names another author than who signed for it")
        if isinstance(blob, Disclosure):
            self._require_gateway(signer, epoch=blob.epoch, size=size)
        elif not isinstance(blob, Canaries):
            self._require_active(Role.EVALUATOR, signer)
        elif signer not in self.watcher.latest.authors:
            raise InvalidSignature(f"{to_hex(signer)} is no appointed author")

    def _require_gateway(self, signer: Address, *, epoch: int, size: int) -> None:
        """Raises InvalidSignature unless the gateway is in service, or finishes an epoch and stays within its bytes."""
        view, left = self.watcher.latest, self.finishing.get(signer, FINISHING_BYTES_MAX)
        if not may_finish(view, signer, epoch=epoch, now_s=self.watcher.latest_s) or size > left:
            raise InvalidSignature(f"{to_hex(signer)} is not a registered gateway, or is out of service")
        if not view.is_active(Role.GATEWAY, signer):
            self.finishing[signer] = left - size

    def _require_active(self, role: Role, signer: Address) -> None:
        if not self.watcher.latest.is_active(role, signer):
            raise InvalidSignature(f"{to_hex(signer)} is not a registered {role.name.lower()}")

    def _require_here(self, chain_id: int, contract: bytes, *, of: bytes) -> None:
        if (chain_id, contract) != (self.domain.chain_id, of):
            raise WrongChain("the blob is of another network")

    def _health(self) -> Reply:
        return json_reply(
            {
                "role": "archive",
                "address": to_hex(self.key.address),
                "used_bytes": self.store.used_bytes,
                "chain_block": self.watcher.block,
                "chain_is_stale": self.watcher.is_stale,
            }
        )


class BlobNotFound(RouteNotFound):
    """This archive does not hold the blob."""

    code = "blob_not_found"
