"""The archives as a gateway, a settler or an auditor meets them: blobs put and fetched over HTTP, nothing believed.

A fetched blob must hash to its name; a promise to store one must be signed by the archive that is registered there.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from dgrid.chain.events import Role
from dgrid.chain.view import ChainView
from dgrid.core.errors import CheckFailed, DGridError, NetworkUnreachable, StorageUnavailable
from dgrid.core.identity import ZERO_ADDRESS, Address, address_from_hex, to_hex
from dgrid.settlement.signed_roots import SignedRoot
from dgrid.wire.blob import blob_id as id_of
from dgrid.wire.http import ClientLimits, HttpClient
from dgrid.wire.messages import Stored
from dgrid.wire.signatures import SigningKey, recover
from dgrid.wire.typed import Domain

logger = logging.getLogger(__name__)

SIGNATURE_HEADER = "x-dgrid-signature"
ROOT_HEADER = "x-dgrid-root"
ANSWER_S = 10
SLOW_S = 2  # after which the next archive is asked as well; and what the last of many get at least
TAKE_S = 120  # an archive looks at every record before it promises to keep them
LIMITS = ClientLimits(first_byte_s=ANSWER_S, reply_bytes=128 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class ArchiveDoor:
    """Where an archive answers; the address is unknown for one that was only configured."""

    url: str
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Promise:
    """An archive's signature under `Stored`."""

    archive: Address
    signature: bytes

    def to_json(self) -> dict[str, str]:
        return {"archive": to_hex(self.archive), "signature": to_hex(self.signature)}


class PromiseJson(msgspec.Struct, forbid_unknown_fields=True):
    """A promise on the wire; archives also name the blob."""

    archive: str
    signature: str
    blob_id: str = msgspec.field(name="blobId", default="")


def upload_digest(domain: Domain, blob_id: bytes) -> bytes:
    """What a gateway signs to have a blob stored: `Stored` with no archive named yet."""
    return stored_digest(domain, ZERO_ADDRESS, blob_id=blob_id)


def stored_digest(domain: Domain, archive: Address, *, blob_id: bytes) -> bytes:
    """What an archive signs once a blob is on its disk."""
    return domain.digest(Stored(archive, blob_id).struct_hash())


def doors_of(view: ChainView, *, urls: Sequence[str] = ()) -> list[ArchiveDoor]:
    """The registered archives, and those that are configured besides."""
    registered = [ArchiveDoor(member.endpoint, member.address) for member in view.active(Role.ARCHIVE)]
    known = {door.url for door in registered}
    return registered + [ArchiveDoor(url) for url in urls if url not in known]


@dataclass(frozen=True, slots=True)
class _Asked:
    """How many archives were asked for a blob, and how many answered."""

    doors: int
    answered: int


class Archives:
    """All archives of a network; `doors` is asked at every use, since archives come and go."""

    def __init__(self, http: HttpClient, doors: Callable[[], Sequence[ArchiveDoor]], *, domain: Domain) -> None:
        self._http, self._doors, self._domain = http, doors, domain

    async def fetch(self, blob_id: bytes) -> bytes:
        """A blob from whichever archive has it. Raises NetworkUnreachable (none answers), CheckFailed (none has it)."""
        found, asked = await self._look(blob_id)
        if found is not None:
            return found
        if not asked.answered:
            raise NetworkUnreachable("no archive answers")
        away = f": {asked.answered} of {asked.doors} answer" if asked.answered < asked.doors else ""
        raise CheckFailed(f"no archive holds the blob {to_hex(blob_id)}{away}")

    async def find(self, blob_id: bytes) -> bytes | None:
        """A blob; None when more than half of all archives say that they do not have it. Raises NetworkUnreachable.

        For what counts only if it was published: so many archives away are no proof that it was not.
        """
        found, asked = await self._look(blob_id)
        if found is None and 2 * asked.answered <= asked.doors:
            raise NetworkUnreachable(
                f"{asked.answered} of {asked.doors} archives answer, and none of them holds {to_hex(blob_id)}"
            )
        return found

    async def _look(self, blob_id: bytes) -> tuple[bytes | None, "_Asked"]:
        """Asks one archive after the other, and the next one too where one lets wait; all, before there is none."""
        doors, answered = list(self._doors()), 0
        left, waiting = iter(doors), set[asyncio.Task[tuple[bool, bytes | None]]]()
        try:
            while (door := next(left, None)) is not None or waiting:
                if door is not None:
                    waiting.add(asyncio.create_task(self._get(door, blob_id)))
                patience_s = None if door is None else SLOW_S
                done, waiting = await asyncio.wait(waiting, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
                said = [one.result() for one in done]
                answered += sum(answers for answers, _ in said)
                if (found := next((blob for _, blob in said if blob is not None), None)) is not None:
                    return found, _Asked(len(doors), answered)
            return None, _Asked(len(doors), answered)
        finally:
            await _call_off(waiting)

    async def _get(self, door: ArchiveDoor, blob_id: bytes) -> tuple[bool, bytes | None]:
        """Whether an archive answers, and the blob if it is there."""
        try:
            status, blob = await self._exchange("GET", door, blob_id)
        except DGridError as error:
            logger.info("archive %s: %s", door.url, error.message)
            return False, None
        if status == 200 and id_of(blob) == blob_id:
            return True, blob
        if status == 200:
            logger.warning("archive %s sent bytes that are not the blob %s", door.url, to_hex(blob_id))
        return True, None

    async def put(
        self,
        blob: bytes,
        *,
        key: SigningKey,
        root: SignedRoot | None = None,
        enough: int = 1,
        within_s: int | None = None,
    ) -> list[Promise]:
        """Stores a blob at all archives; the promises of those that took it, in ascending order of addresses.

        Once most have taken it, and `enough`, the others get as much time again: a silent one holds nobody up for long.
        Nor do many, where it must be done `within_s`.
        An epoch's blob goes with the root that its gateway signed; without it no archive promises anything.
        """
        name = id_of(blob) if root is None else root.root.blob_id  # archives take it under its own name only
        header = {SIGNATURE_HEADER: to_hex(key.sign(upload_digest(self._domain, name)))}
        if root is not None:
            header[ROOT_HEADER] = root.to_header()
        doors = list(self._doors())
        asked = [asyncio.create_task(self._put_one(door, name, blob, header)) for door in doors]
        found = await _most(asked, enough=max(enough, len(doors) // 2 + 1), within_s=within_s)
        promises = {promise.archive: promise for promise in found}
        return [promises[archive] for archive in sorted(promises)]

    async def lay(self, blob: bytes, *, key: SigningKey, what: str, within_s: int | None = None) -> None:
        """Stores a blob that counts only where it lies somewhere. Raises StorageUnavailable if no archive takes it in
        time.
        """
        if not await self.put(blob, key=key, within_s=within_s):
            raise StorageUnavailable(f"no archive takes the {what}")

    async def _put_one(self, door: ArchiveDoor, name: bytes, blob: bytes, header: dict[str, str]) -> Promise | None:
        try:
            status, body = await self._exchange("PUT", door, name, body=blob, headers=header)
            if status not in (200, 201):
                raise CheckFailed(f"refused with HTTP {status}")
            return self._checked(door, name, body)
        except DGridError as error:
            logger.warning("archive %s did not store the blob %s: %s", door.url, to_hex(name), error.message)
            return None

    def _checked(self, door: ArchiveDoor, name: bytes, body: bytes) -> Promise:
        try:
            said = msgspec.json.decode(body, type=PromiseJson)
            promise = Promise(address_from_hex(said.archive), bytes.fromhex(said.signature.removeprefix("0x")))
        except ValueError as error:
            raise CheckFailed(f"malformed promise: {error}") from None
        signer = recover(stored_digest(self._domain, promise.archive, blob_id=name), promise.signature)
        if signer != promise.archive or door.address not in (None, signer):
            raise CheckFailed("the promise is not signed by the archive that is registered there")
        return promise

    async def _exchange(
        self, method: str, door: ArchiveDoor, name: bytes, *, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        url, wait_s = f"{door.url.rstrip('/')}/v1/blobs/{to_hex(name)}", TAKE_S if method == "PUT" else ANSWER_S
        reply = await self._http.request(method, url, body=body, headers=headers, first_byte_s=wait_s)
        return reply.status, await reply.read()


async def _most(asked: Sequence["asyncio.Task[Promise | None]"], *, enough: int, within_s: int | None) -> list[Promise]:
    """The promises of all; once there are enough, the others get as much time again as these took."""
    loop, waiting, found = asyncio.get_running_loop(), set(asked), list[Promise]()
    began_s = loop.time()
    until_s, is_enough = math.inf if within_s is None else began_s + within_s, False
    try:
        while waiting and loop.time() < until_s:
            patience_s = None if until_s == math.inf else until_s - loop.time()
            done, waiting = await asyncio.wait(waiting, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
            found += [promise for one in done if (promise := one.result()) is not None]
            if not is_enough and len(found) >= enough:
                until_s, is_enough = min(until_s, loop.time() + max(SLOW_S, loop.time() - began_s)), True
    finally:
        await _call_off(waiting)
    return found


async def _call_off(waiting: Iterable["asyncio.Task[Any]"]) -> None:
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
