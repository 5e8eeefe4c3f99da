"""A judged epoch in miniature: real receipts, a draw, signed reports, opened canaries, a table; blobs over HTTP."""

import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace

import msgspec
from tests.wire.making import GATEWAY, NODE, TOKEN, Story, make_record

from dgrid.chain.facts import Facts
from dgrid.chain.parameter_history import ParameterHistory
from dgrid.chain.parameters import Parameters
from dgrid.chain.view import Anchor, ChainView, Draw, DrawnEvaluator, Opening, PostedQuality, fold
from dgrid.core.errors import RouteNotFound
from dgrid.core.identity import Address, Hash, from_hex, model_id
from dgrid.core.keccak import ZERO_HASH, keccak, salted_hash
from dgrid.core.money import WEI
from dgrid.poq.draw import Duty, duties
from dgrid.settlement.archives import ArchiveDoor, Archives
from dgrid.settlement.closing import Closing, ClosingRow, close_epoch
from dgrid.settlement.evidence import documents_of
from dgrid.settlement.quality import QualityReader, drawn_epoch
from dgrid.settlement.records import Records, open_records
from dgrid.settlement.rounds import draw_rules, root_of
from dgrid.wire.blob import blob_id, encode_record
from dgrid.wire.documents import Record
from dgrid.wire.grounds import Grounds
from dgrid.wire.http import HttpClient
from dgrid.wire.messages import EvaluatorReports, InferenceReceipt, Privacy, QualityRoot
from dgrid.wire.quality import (
    Canaries,
    Canary,
    Content,
    CredibilityRow,
    DisclosedLeaf,
    Disclosure,
    LeafKey,
    PayoutKind,
    PayoutRow,
    QualityBlob,
    QualityTable,
    Report,
    Reports,
    TaskType,
    amount_of,
    canary_item,
    encode_content,
    encode_quality,
    reports_root,
    tree_of_items,
)
from dgrid.wire.server import Reply, Request, Server
from dgrid.wire.signatures import SigningKey
from dgrid.wire.typed import court_domain, dgrid_domain

SETTLEMENT, COURT_ADDRESS = keccak(b"settlement")[:20], keccak(b"court")[:20]
DOMAIN, COURT = dgrid_domain(31337, SETTLEMENT), court_domain(31337, COURT_ADDRESS)
EPOCH, ROUND = 5, 6
DIGEST = keccak(b"weights")
QUESTION = b'{"model":"auto","messages":[{"role":"user","content":"Ada lives in Oslo now. Where does Ada live?"}]}'
FACTS = Facts(1_700_000_000, 20, 8_000, 120, COURT_ADDRESS)
PARAMETERS = Parameters()
BLANK = ChainView(facts=FACTS, parameters=ParameterHistory.of(PARAMETERS))
AUTHOR = SigningKey(keccak(b"author"))


def evaluators(count: int = 4) -> list[SigningKey]:
    keys = [SigningKey(keccak(b"evaluator" + bytes((at,)))) for at in range(count)]
    return sorted(keys, key=lambda key: key.address)


def story(sequence: int) -> Story:
    """The stories of even leaves are canaries'."""
    salt = keccak(b"salt" + bytes((sequence,)))
    answers = "Oslo", "Rome"
    return Story(
        evidence=b"",
        answer=answers[sequence % 4 // 2],
        sequence=sequence,
        request_id=keccak(b"request" + bytes((sequence,))),
        sent=QUESTION,
        salt=salt,
    )


@dataclass
class Judged:
    """The chain's view and the archives' blobs, to be changed by tests."""

    blobs: dict[bytes, bytes] = field(default_factory=dict)
    view: ChainView = field(default_factory=lambda: fold(BLANK, ()))
    leaves: int = 12
    judges: int = 4
    spoiled: frozenset[int] = frozenset()  # leaves whose record names another model than the receipt
    public: frozenset[int] = frozenset()

    def rule(self, parameters: Parameters) -> None:
        """Lets other parameters count, from the first epoch on."""
        self.view = replace(self.view, parameters=ParameterHistory.of(parameters))

    def keep(self, blob: QualityBlob | bytes) -> bytes:
        data = blob if isinstance(blob, bytes) else encode_quality(blob)
        self.blobs[blob_id(data)] = data
        return blob_id(data)

    # --- the epoch ---

    def anchor(self, epoch: int = EPOCH) -> Anchor:
        """An epoch of leaves, anchored."""
        rows = [self._row(sequence, epoch) for sequence in range(self.leaves)]
        closed = close_epoch(Closing(DOMAIN, GATEWAY.address, epoch, TOKEN), rows)
        assert closed is not None
        self.keep(closed.blob)
        anchor = Anchor(closed.root, Hash(closed.root.struct_hash()), 10, 1_700_000_120_000)
        self.view.roots[GATEWAY.address, epoch] = anchor
        return anchor

    def story(self, sequence: int) -> Story:
        privacy = Privacy.PUBLIC if sequence in self.public else Privacy.COMMITTEE
        return replace(story(sequence), privacy=int(privacy))

    def record(self, sequence: int, epoch: int) -> Record:
        record = make_record(replace(self.story(sequence), epoch=epoch))
        return msgspec.structs.replace(record, model="another") if sequence in self.spoiled else record

    def _row(self, sequence: int, epoch: int) -> ClosingRow:
        record = self.record(sequence, epoch)
        receipt = InferenceReceipt.unpacked(record.receipt)
        return ClosingRow(0, sequence, encode_record(record), receipt.struct_hash(), receipt.shares.fee)

    def draw(self, judged_round: int = ROUND, *, expired: bool = False) -> Draw:
        ready = [DrawnEvaluator(key.address, 1000 * WEI, bytes(32), (DIGEST,)) for key in evaluators(self.judges)]
        draw = Draw(GATEWAY.address, EPOCH, judged_round, keccak(b"seed"), expired, 14, 1_700_000_130_000, tuple(ready))
        self.view.draws[GATEWAY.address, EPOCH] = draw
        return draw

    def duties(self, epoch: int = EPOCH) -> tuple[Duty, ...]:
        """All duties of a draw that is the only one of its round."""
        anchor, draw = self.view.roots[GATEWAY.address, epoch], self.view.draws[GATEWAY.address, epoch]
        records = open_records(anchor, self.blobs[anchor.root.blob_id])
        rules = draw_rules(self.view.parameters.at(draw.round))
        return duties([drawn_epoch(draw, documents_of(records, DOMAIN))], rules)

    def disclose(self, *, at_s: int = 1_700_000_131) -> None:
        """The content of all public leaves, in the open."""
        draw = self.view.draws[GATEWAY.address, EPOCH]
        leaves = tuple(DisclosedLeaf(0, at, encode_content(content_of(at))) for at in sorted(self.public))
        blob = Disclosure(31337, COURT_ADDRESS, GATEWAY.address, EPOCH, draw.seed, leaves)
        self.view.disclosures[GATEWAY.address, EPOCH] = self.keep(blob)
        self.view.disclosed_ms[GATEWAY.address, EPOCH] = at_s * 1000

    # --- reports ---

    def reports_of(self, key: SigningKey, judged_round: int = ROUND, *, epoch: int = EPOCH) -> Reports:
        """An evaluator's honest reports of its duties."""
        own = [duty for duty in self.duties(epoch) if duty.evaluator == key.address]
        found = tuple(Report(one.leaf.key, one.leaf.receipt, 0, TaskType.EXTRACT, 10_000, 9_000) for one in own)
        return signed(key, judged_round, found)

    def open(self, key: SigningKey, reports: Reports, *, root: bytes | None = None) -> None:
        """The chain's word that an evaluator committed and opened."""
        place = reports.round, key.address
        self.view.commitments[place] = keccak(key.address)
        shown = reports_root(reports.reports) if root is None else root
        self.view.openings[place] = Opening(shown, self.keep(reports))

    # --- canaries ---

    def canaries(self, sequences: Iterable[int] = range(0, 12, 2), *, epoch: int = EPOCH) -> Canaries:
        """What the author knew of every second leaf."""
        known = [(at, keccak(b"nonce" + bytes((at,)))) for at in sequences]
        tree = tree_of_items([canary_item(nonce, QUESTION, "Oslo") for _, nonce in known])
        self.view.canary_roots[AUTHOR.address, epoch] = tree.root.hash
        opened = [
            Canary(
                *(0, at, story(at).salt, QUESTION, "Oslo", TaskType.EXTRACT, story(at).answer, nonce, index),
                tuple(step.hash for step in tree.path(index)),
            )
            for index, (at, nonce) in enumerate(known)
        ]
        place = 31337, COURT_ADDRESS, AUTHOR.address, GATEWAY.address, epoch
        return Canaries(*place, tree.count, tuple(opened))

    def open_canaries(self, canaries: Canaries) -> None:
        self.view.canary_openings[AUTHOR.address, GATEWAY.address, canaries.epoch] = self.keep(canaries)

    # --- the table ---

    def post(self, table: QualityTable) -> QualityRoot:
        """The chain's word that a table's root was posted."""
        previous = max(self.view.quality_roots.values(), key=lambda one: one.root.round, default=None)
        root = root_of(table, token=TOKEN, previous=previous)
        self.keep(table)
        self.view.quality_roots[table.round] = PostedQuality(root, Hash(root.struct_hash()), 30, 1_700_000_180_000)
        return root


def signed(key: SigningKey, judged_round: int, found: tuple[Report, ...], grounds: tuple[Grounds, ...] = ()) -> Reports:
    said = EvaluatorReports(key.address, judged_round, reports_root(found))
    signature = key.sign(COURT.digest(said.struct_hash()))
    return Reports(31337, COURT_ADDRESS, key.address, judged_round, found, signature, grounds)


def content_of(sequence: int) -> Content:
    """What the hashes of a leaf cover."""
    known = story(sequence)
    return Content(known.salt, known.sent, known.answer, b"")


def a_table(judged_round: int = ROUND, **changes: object) -> QualityTable:
    """Some table: three rows of the node, a pay-out to it and one to a payer."""
    rows = tuple(
        CredibilityRow(
            NODE.address, model_id("dgrid-mini"), task, 8_000_000, 2_000_000, 8_000, 6_000, 9_500, 10, judged_round
        )
        for task in ("", "extract", "json")
    )
    payouts = (
        PayoutRow(PayoutKind.NODE, GATEWAY.address, NODE.address, amount_of(700)),
        PayoutRow(PayoutKind.PAYER, GATEWAY.address, keccak(b"payer")[:20], amount_of(50)),
    )
    table = QualityTable(
        chain_id=31337,
        court=COURT_ADDRESS,
        round=judged_round,
        previous=ZERO_HASH,
        judged=((GATEWAY.address, EPOCH),),
        releases=((GATEWAY.address, amount_of(750)),),
        credibility=rows,
        calibration=(),
        balances=(),
        suspicions=(),
        payouts=payouts,
        changes=(),
    )
    return msgspec.structs.replace(table, **changes)


def a_judged_epoch(*, judges: int = 4, parameters: Parameters = PARAMETERS) -> Judged:
    """Anchored, drawn, reported by all, canaries opened, a table posted."""
    judged = Judged(judges=judges)
    judged.rule(parameters)
    judged.anchor()
    judged.draw()
    for key in evaluators(judges):
        judged.open(key, judged.reports_of(key))
    judged.open_canaries(judged.canaries())
    judged.post(a_table())
    return judged


@dataclass(frozen=True)
class Reading:
    """A reader of a judged epoch, and what it reads from."""

    quality: QualityReader
    records: Records


@contextlib.asynccontextmanager
async def reading(judged: Judged, *, silent: int = 0, empty: int = 0) -> AsyncIterator[Reading]:
    """One archive that holds the blobs, `empty` ones that hold none, and `silent` ones that do not answer."""

    async def shelf(request: Request) -> Reply:
        found = judged.blobs.get(from_hex(request.path.removeprefix("/v1/blobs/"), size=32))
        if found is None:
            raise RouteNotFound("no such blob")
        return Reply(200, found)

    async def bare(_: Request) -> Reply:
        raise RouteNotFound("no such blob")

    servers = [Server(handler, host="127.0.0.1", port=0) for handler in (shelf, *(bare,) * empty)]
    async with contextlib.AsyncExitStack() as stack:
        for server in servers:
            await server.start()
            stack.push_async_callback(server.stop)
        http = HttpClient()
        stack.push_async_callback(http.close)
        doors = [ArchiveDoor(f"http://127.0.0.1:{server.port}") for server in servers]
        doors += [ArchiveDoor("http://127.0.0.1:1")] * silent
        archives = Archives(http, lambda: doors, domain=DOMAIN)
        records = Records(lambda: judged.view, archives)
        yield Reading(QualityReader(records, archives, domain=DOMAIN, court=COURT), records)


def key_of(sequence: int) -> LeafKey:
    return LeafKey(GATEWAY.address, EPOCH, 0, sequence)


def with_canary(canaries: Canaries, at: int, **changes: object) -> Canaries:
    """The same with one canary changed."""
    changed = [
        msgspec.structs.replace(one, **changes) if index == at else one for index, one in enumerate(canaries.canaries)
    ]
    return msgspec.structs.replace(canaries, canaries=tuple(changed))


def other_salt() -> bytes:
    return salted_hash(b"", b"another")


def address(name: bytes) -> Address:
    return Address(keccak(name)[:20])


def reissued(draw: Draw, **changes: object) -> Draw:
    return replace(draw, **changes)  # type: ignore[arg-type]
