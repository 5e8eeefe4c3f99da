"""certificate.json: a receipt and all that judging made of it, in RFC 8785 bytes that anybody can check offline.

It holds the receipt with its way to the anchored root, the draw's inputs, each drawn member's signed report with its
way to the root that was opened, and the node's credibility under the quality root. `certificate_checks` shows that all
of this belongs together, and names what only a chain can confirm. No signature covers those facts, so the document
carries its own hash: damage is noticed; forgery is the chain's to expose.
"""

from dataclasses import dataclass
from typing import Any, Self

import msgspec

from dgrid.core.errors import CheckFailed
from dgrid.core.identity import to_hex
from dgrid.core.keccak import keccak
from dgrid.core.merkle import SumTree
from dgrid.poq.evidence import EvaluatorFacts
from dgrid.poq.rules import DrawRules
from dgrid.settlement.plain import (
    LEFT,
    RIGHT,
    Steps,
    from_plain,
    octets,
    path_from_plain,
    path_to_plain,
    to_plain,
)
from dgrid.settlement.proofs import LeafProof
from dgrid.wire.canonical import canonical
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import EpochRoot, QualityRoot
from dgrid.wire.quality import CredibilityRow, Report
from dgrid.wire.typed import Domain, court_domain

SCHEMA = "dgrid.certificate/1"
CERTIFICATE_BYTES_MAX = 4 * 1024 * 1024
_FIELDS = {"schema", "court", "receipt", "inclusion", "draw", "members", "quality", "hash"}


@dataclass(frozen=True, slots=True)
class DrawInputs:
    """What decided that the receipt was drawn, and for whom."""

    seed: bytes
    round: int
    expired: bool
    rules: DrawRules
    evaluators: tuple[EvaluatorFacts, ...]  # active when the seed was fixed, ascending


@dataclass(frozen=True, slots=True)
class OpenedReport:
    """A report, its way to the root that its evaluator opened, and the evaluator's word for it."""

    report: Report
    path: Steps
    reports_root: bytes
    blob_id: bytes
    commitment: bytes
    signature: bytes  # over EvaluatorReports


@dataclass(frozen=True, slots=True)
class Member:
    """One of the drawn committee. Without a report, `absence` says why."""

    evaluator: bytes
    opened: OpenedReport | None
    absence: str = ""


@dataclass(frozen=True, slots=True)
class ProvenRow:
    """What was believed of the node after the round, and its way to the credibility root."""

    row: CredibilityRow
    path: Steps


@dataclass(frozen=True, slots=True)
class Certificate:
    """The document opened."""

    court_address: bytes
    document: ReceiptDocument  # anybody's copy: no salt
    proof: LeafProof
    draw: DrawInputs
    members: tuple[Member, ...]  # in the order of their ranks
    root: QualityRoot  # the first that took the round in
    rows: tuple[ProvenRow, ...]

    @property
    def court(self) -> Domain:
        return court_domain(self.document.chain_id, self.court_address)

    @property
    def epoch_root(self) -> EpochRoot:
        return self.proof.opened()[0]

    def encode(self) -> bytes:
        """The document's bytes."""
        content = self._content()
        return canonical({**content, "hash": to_hex(keccak(canonical(content)))})

    def _content(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "court": to_hex(self.court_address),
            "receipt": self.document.to_json(),
            "inclusion": _inclusion_to_json(self.proof),
            "draw": _draw_to_json(self.draw),
            "members": [_member_to_json(member) for member in self.members],
            "quality": {
                "root": self.root.to_json(),
                "rows": [{"row": to_plain(one.row), "path": path_to_plain(one.path)} for one in self.rows],
            },
        }

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The certificate in `data`. Raises CheckFailed on anything that is not exactly one canonical document."""
        if len(data) > CERTIFICATE_BYTES_MAX:
            raise CheckFailed(f"a certificate has at most {CERTIFICATE_BYTES_MAX} bytes")
        try:
            certificate = cls._from_json(msgspec.json.decode(data))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
            raise CheckFailed(f"malformed certificate: {error}") from None
        if certificate.encode() != data.rstrip(b"\n"):
            raise CheckFailed("the certificate is damaged (its hash does not fit), or not in canonical form (RFC 8785)")
        return certificate

    @classmethod
    def _from_json(cls, value: dict[str, Any]) -> Self:
        if value.keys() != _FIELDS or value["schema"] != SCHEMA:
            raise ValueError(f"not a document of schema {SCHEMA}")
        document = ReceiptDocument.decode(canonical(value["receipt"]))
        if document.salt is not None:
            raise ValueError("a certificate is anybody's: it holds no salt")
        return cls(
            octets(value["court"], size=20),
            document,
            _inclusion_from_json(value["inclusion"], document),
            _draw_from_json(value["draw"]),
            tuple(map(_member_from_json, value["members"])),
            QualityRoot.from_json(value["quality"]["root"]),
            tuple(map(_row_from_json, value["quality"]["rows"])),
        )


def is_certificate(data: bytes) -> bool:
    """Whether the bytes say that they are a certificate."""
    return f'"schema":"{SCHEMA}"'.encode() in data


def path_of(tree: SumTree, index: int) -> Steps:
    """A leaf's way up in a tree that sums nothing, each step with its side: it needs no index and no count."""
    sides, at, width = [], index, tree.count
    while width > 1:
        if at % 2 or at != width - 1:
            sides.append(LEFT if at % 2 else RIGHT)
        at, width = at >> 1, (width + 1) >> 1
    return tuple((side, node.hash) for side, node in zip(sides, tree.path(index), strict=True))


# --- the parts as JSON --------------------------------------------------------------------------------------------


def _inclusion_to_json(proof: LeafProof) -> dict[str, Any]:
    root, _ = proof.opened()
    return {
        "epochRoot": root.to_json(),
        "laneCount": proof.count,
        "leafPath": [[to_hex(name), str(total)] for name, total in proof.record_path],
        "lanePath": [[to_hex(name), str(total)] for name, total in proof.lane_path],
    }


def _inclusion_from_json(value: dict[str, Any], document: ReceiptDocument) -> LeafProof:
    return LeafProof(
        EpochRoot.from_json(value["epochRoot"]).packed(),
        document.receipt.packed(),
        _whole(value["laneCount"]),
        tuple(map(_step_from_json, value["leafPath"])),
        tuple(map(_step_from_json, value["lanePath"])),
    )


def _step_from_json(step: list[str]) -> tuple[bytes, int]:
    name, total = step
    return octets(name, size=32), int(total)


def _draw_to_json(draw: DrawInputs) -> dict[str, Any]:
    rules = draw.rules
    return {
        "seed": to_hex(draw.seed),
        "round": draw.round,
        "expired": draw.expired,
        "qualityBps": rules.quality_bps,
        "identityBps": rules.identity_bps,
        "committeeSize": rules.committee_size,
        "dutyCap": rules.duty_cap,
        "evaluators": [_evaluator_to_json(one) for one in draw.evaluators],
    }


def _evaluator_to_json(one: EvaluatorFacts) -> dict[str, Any]:
    models = [to_hex(digest) for digest in sorted(one.models)]
    return {"address": to_hex(one.address), "stakeWei": str(one.stake_wei), "models": models}


def _draw_from_json(value: dict[str, Any]) -> DrawInputs:
    rules = DrawRules(
        quality_bps=_whole(value["qualityBps"]),
        identity_bps=_whole(value["identityBps"]),
        committee_size=_whole(value["committeeSize"]),
        duty_cap=_whole(value["dutyCap"]),
    )
    if not isinstance(value["expired"], bool):
        raise ValueError("expired is true or false")
    evaluators = tuple(map(_evaluator_from_json, value["evaluators"]))
    return DrawInputs(octets(value["seed"], size=32), _whole(value["round"]), value["expired"], rules, evaluators)


def _evaluator_from_json(value: dict[str, Any]) -> EvaluatorFacts:
    models = frozenset(octets(digest, size=32) for digest in value["models"])
    return EvaluatorFacts(octets(value["address"], size=20), int(value["stakeWei"]), models)


def _member_to_json(member: Member) -> dict[str, Any]:
    shown: dict[str, Any] = {"evaluator": to_hex(member.evaluator), "absence": member.absence, "opened": None}
    if (opened := member.opened) is not None:
        shown["opened"] = {
            "report": to_plain(opened.report),
            "path": path_to_plain(opened.path),
            "reportsRoot": to_hex(opened.reports_root),
            "blobId": to_hex(opened.blob_id),
            "commitment": to_hex(opened.commitment),
            "signature": to_hex(opened.signature),
        }
    return shown


def _member_from_json(value: dict[str, Any]) -> Member:
    evaluator, absence, opened = octets(value["evaluator"], size=20), value["absence"], value["opened"]
    if not isinstance(absence, str):
        raise ValueError("an absence is a text")
    return Member(evaluator, None if opened is None else _opened_from_json(opened), absence)


def _opened_from_json(value: dict[str, Any]) -> OpenedReport:
    report, path = from_plain(Report, value["report"]), path_from_plain(value["path"])
    root, blob_id, commitment = (octets(value[name], size=32) for name in ("reportsRoot", "blobId", "commitment"))
    return OpenedReport(report, path, root, blob_id, commitment, octets(value["signature"], size=65))


def _row_from_json(value: dict[str, Any]) -> ProvenRow:
    return ProvenRow(from_plain(CredibilityRow, value["row"]), path_from_plain(value["path"]))


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("expected a whole number")
    return value
