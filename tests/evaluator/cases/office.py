"""One evaluator's office: it reads a judged round, asks whom a test lets it ask, and an archive takes what it shows."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import msgspec
from tests.evaluator.cases.courtroom import ByEvidence, write_body
from tests.settlement.judged import COURT, DOMAIN, ROUND, Judged, evaluators, reading
from tests.settlement.seeding import SECRET
from tests.wire.making import TOKEN

from dgrid.chain.case_view import Case
from dgrid.chain.cases import Accusation
from dgrid.chain.events import Role
from dgrid.chain.view import Member, PostedQuality
from dgrid.core.errors import NetworkUnreachable
from dgrid.core.identity import Address, from_hex, to_hex
from dgrid.core.keccak import keccak
from dgrid.core.money import WEI
from dgrid.evaluator.cases.accusing import Accuser
from dgrid.evaluator.cases.jury import Bar, Jury
from dgrid.evaluator.cases.sampling import AskNode, Reply, Sampler
from dgrid.evaluator.rerun import Peer
from dgrid.settlement.archives import ArchiveDoor, Archives, stored_digest
from dgrid.settlement.samples import SampleTerms
from dgrid.wire.http import HttpClient
from dgrid.wire.server import Handler, Request, Server
from dgrid.wire.server import Reply as HttpReply
from dgrid.wire.signatures import SigningKey

POSTED_MS = 1_700_000_180_000
SALT = bytes(32)


async def taking(request: Request) -> HttpReply:
    """An archive that keeps whatever it is given."""
    key, name = SigningKey(keccak(b"archive")), from_hex(request.path.removeprefix("/v1/blobs/"), size=32)
    promise = key.sign(stored_digest(DOMAIN, key.address, blob_id=name))
    return HttpReply(201, msgspec.json.encode({"archive": to_hex(key.address), "signature": to_hex(promise)}))


async def unreachable(peer: Peer, body: bytes) -> Reply:
    raise NetworkUnreachable("nobody is asked here")


@dataclass
class Office:
    """One evaluator that reads a judged round, and what others signed of it."""

    judged: Judged
    accuser: Accuser
    jury: Jury
    signers: frozenset[Address] = frozenset()

    @property
    def posted(self) -> PostedQuality:
        return self.judged.view.quality_roots[ROUND]

    async def accusations(self) -> list[Accusation]:
        """What it accuses of when it reads the last root."""
        self.accuser.accusations.clear()
        await self.accuser._accuse_hidden(self.posted)
        return list(self.accuser.accusations.values())

    async def says_guilty(self, case: Case) -> bool:
        return (await self.jury.find(case, None, salt=SALT, within_s=1)).guilty


@contextlib.asynccontextmanager
async def office(
    judged: Judged, *, me: int, agrees: bool, ask: AskNode = unreachable, archive: Handler = taking
) -> AsyncIterator[Office]:
    key = evaluators()[me]
    async with reading(judged) as found, contextlib.AsyncExitStack() as stack:
        http = HttpClient()
        stack.push_async_callback(http.close)
        sampler = Sampler(key.address, ask, ByEvidence(), SampleTerms(DOMAIN, COURT, write_body), WEI)
        server = Server(archive, host="127.0.0.1", port=0)
        await server.start()
        stack.push_async_callback(server.stop)
        door = ArchiveDoor(f"http://127.0.0.1:{server.port}")
        jury = Jury(Bar(key, found.quality, Archives(http, lambda: [door], domain=DOMAIN), sampler, TOKEN))

        async def signers(_: PostedQuality) -> frozenset[Address]:
            return made.signers

        accuser = Accuser(key.address, jury._bar, jury, lambda _: agrees, signers, lambda _: SECRET)
        made = Office(judged, accuser, jury)
        yield made


def run(
    judged: Judged,
    main: Callable[[Office], Awaitable[None]],
    *,
    me: int = 0,
    agrees: bool = True,
    ask: AskNode = unreachable,
    archive: Handler = taking,
) -> None:
    async def whole() -> None:
        async with office(judged, me=me, agrees=agrees, ask=ask, archive=archive) as made:
            await main(made)

    asyncio.run(whole())


def activate(judged: Judged, count: int) -> None:
    for key in evaluators()[:count]:
        member = Member(Role.EVALUATOR, key.address, "http://a", 10**21, 0, bytes(32), bytes(32), True)
        judged.view.members[Role.EVALUATOR, key.address] = member
