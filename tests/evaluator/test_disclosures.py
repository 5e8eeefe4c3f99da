import asyncio
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest
from tests.evaluator.stage import said
from tests.settlement.judged import COURT, COURT_ADDRESS, DOMAIN
from tests.wire.making import GATEWAY, Story, make_document

from dgrid.chain.view import Draw
from dgrid.core.errors import CheckFailed, NetworkUnreachable, RouteNotFound
from dgrid.core.identity import from_hex
from dgrid.core.keccak import keccak, salted_hash
from dgrid.evaluator.disclosures import DisclosureReader, Shown, place_of
from dgrid.evaluator.keys import EncryptionKey
from dgrid.settlement.archives import ArchiveDoor, Archives
from dgrid.settlement.evidence import is_signed
from dgrid.wire.http import HttpClient
from dgrid.wire.quality import (
    Content,
    DisclosedLeaf,
    Disclosure,
    LeafKey,
    QualityBlob,
    Reports,
    SealedKey,
    Verdict,
    encode_content,
    encode_quality,
)
from dgrid.wire.server import Reply, Request, Server

ME = b"\x01" * 20
KEY = EncryptionKey(b"\x05" * 32)
DRAW = Draw(GATEWAY.address, 5, 6, keccak(b"seed"), False, 14, 1_000, ())
SAID = said(3)
STORY = make_document(Story(answer=SAID.answer, sent=SAID.request, salt=SAID.salt))
EVIDENCE = salted_hash(SAID.salt, SAID.evidence)
DOCUMENT = replace(STORY, node_receipt=msgspec.structs.replace(STORY.node_receipt, evidence_hash=EVIDENCE))
LEAF = DisclosedLeaf(0, 3, encode_content(SAID))
DISCLOSURE = Disclosure(31337, COURT_ADDRESS, GATEWAY.address, 5, DRAW.seed, (LEAF,))


def reader(archives: Archives) -> DisclosureReader:
    return DisclosureReader(archives, COURT, KEY, ME)


def shown(leaf: DisclosedLeaf | None) -> Shown:
    nowhere: Archives = Archives(HttpClient(), list, domain=DOMAIN)  # showing fetches nothing
    return reader(nowhere).show(leaf, DOCUMENT)


def test_content_that_was_signed_is_shown() -> None:
    assert shown(LEAF) == Shown(Verdict.JUDGED, SAID)
    assert place_of(LeafKey(GATEWAY.address, 5, 0, 3)) == (LEAF.lane, LEAF.sequence)


@pytest.mark.parametrize(
    "leaf", [None, DisclosedLeaf(0, 3, b"noise"), DisclosedLeaf(0, 3, b"", (SealedKey(ME, b"x"),))]
)
def test_what_cannot_be_opened_is_undisclosed(leaf: DisclosedLeaf | None) -> None:
    assert shown(leaf) == Shown(Verdict.UNDISCLOSED)


@pytest.mark.parametrize("field", ["salt", "request", "answer", "evidence"])
def test_content_that_differs_anywhere_from_what_was_signed_is_altered(field: str) -> None:
    other: str | bytes = "Rome" if field == "answer" else b"\x07" * 32
    content: Content = msgspec.structs.replace(SAID, **{field: other})
    assert not is_signed(content, DOCUMENT)
    assert shown(DisclosedLeaf(0, 3, encode_content(content))) == Shown(Verdict.ALTERED)


def fetched(blobs: Sequence[bytes], blob_id: bytes) -> object:
    async def handle(request: Request) -> Reply:
        wanted = from_hex(request.path.rsplit("/", 1)[1], size=32)
        for blob in blobs:
            if keccak(blob) == wanted:
                return Reply(200, blob)
        raise RouteNotFound("not here")

    async def main() -> object:
        server, http = Server(handle, host="127.0.0.1", port=0), HttpClient()
        await server.start()
        try:
            doors = [ArchiveDoor(f"http://127.0.0.1:{server.port}")]
            return await reader(Archives(http, lambda: doors, domain=DOMAIN)).disclosure(DRAW, blob_id)
        finally:
            await http.close()
            await server.stop()

    return asyncio.run(main())


def test_a_disclosure_gives_its_leaves_by_place() -> None:
    blob = encode_quality(DISCLOSURE)
    assert fetched([blob], keccak(blob)) == {(0, 3): LEAF}


@pytest.mark.parametrize(
    "blob",
    [
        msgspec.structs.replace(DISCLOSURE, chain_id=1),
        msgspec.structs.replace(DISCLOSURE, court=ME),
        msgspec.structs.replace(DISCLOSURE, author=ME),
        msgspec.structs.replace(DISCLOSURE, epoch=4),
        msgspec.structs.replace(DISCLOSURE, seed=bytes(32)),
        Reports(31337, COURT_ADDRESS, GATEWAY.address, 6, (), bytes(65)),
    ],
    ids=["chain", "court", "author", "epoch", "seed", "kind"],
)
def test_a_blob_that_is_not_this_draws_disclosure_is_refused(blob: QualityBlob) -> None:
    data = encode_quality(blob)
    with pytest.raises(CheckFailed):
        fetched([data], keccak(data))


def test_a_disclosure_that_no_archive_holds_is_not_made_up() -> None:
    with pytest.raises((CheckFailed, NetworkUnreachable)):
        fetched([], keccak(b"somewhere"))
