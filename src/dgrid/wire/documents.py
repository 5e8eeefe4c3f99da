"""receipt.json: everything a stranger needs to check one answer, in RFC 8785 bytes.

It embeds the gateway's receipt, the dispatch and the node's receipt with their seals, and the label. The owner's copy
also holds the salt, which ties the hashes to the content, and the hash of the salt: no signature covers it, so a
damaged salt would otherwise be noticed only beside the answer. Unknown fields are refused.
"""

from dataclasses import dataclass
from typing import Any, Self

import msgspec

from dgrid.core.errors import CheckFailed
from dgrid.core.identity import to_hex
from dgrid.core.keccak import keccak
from dgrid.wire.canonical import canonical
from dgrid.wire.messages import Dispatch, InferenceReceipt, NodeReceipt
from dgrid.wire.seals import Seal
from dgrid.wire.typed import SAFE_INTEGER_MAX, Domain, dgrid_domain

SCHEMA = "dgrid.receipt/1"
DOCUMENT_BYTES_MAX = 64 * 1024
_FIELDS = {
    *("schema", "chainId", "settlement", "model", "label"),
    *("receipt", "seal", "dispatch", "dispatchSeal", "nodeReceipt", "nodeSeal"),
}
_OWNERS_FIELDS = {"salt", "saltHash"}


class Label(msgspec.Struct, frozen=True, array_like=True):
    """The quality facts every receipt carries; its canonical bytes are what `hashes.label` covers."""

    validity: tuple[str, ...] = ()  # names of the checks the answer passed
    cost_position_bps: int = 10_000  # the fee against the reference price of the model, 10,000 = equal
    credibility_low_bps: int = 0  # the node's credibility interval when it was chosen; 0 and 10,000: nothing known yet
    credibility_high_bps: int = 10_000

    def to_json(self) -> dict[str, Any]:
        return {
            "validity": list(self.validity),
            "costPositionBps": self.cost_position_bps,
            "credibilityLowBps": self.credibility_low_bps,
            "credibilityHighBps": self.credibility_high_bps,
        }

    def digest(self) -> bytes:
        return keccak(canonical(self.to_json()))


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One receipt with all that proves it: what the ledger keeps and an epoch's blob publishes (msgpack)."""

    receipt: bytes  # packed InferenceReceipt
    seal: Seal  # the gateway's
    dispatch: bytes  # packed Dispatch
    dispatch_seal: Seal
    node_receipt: bytes  # packed NodeReceipt
    node_seal: Seal
    model: str
    label: Label


@dataclass(frozen=True, slots=True)
class ReceiptDocument:
    """A record opened, for one chain."""

    chain_id: int
    settlement: bytes
    receipt: InferenceReceipt
    seal: Seal
    dispatch: Dispatch
    dispatch_seal: Seal
    node_receipt: NodeReceipt
    node_seal: Seal
    model: str
    label: Label
    salt: bytes | None = None

    @property
    def domain(self) -> Domain:
        return dgrid_domain(self.chain_id, self.settlement)

    @classmethod
    def of(cls, record: Record, *, domain: Domain, salt: bytes | None = None) -> Self:
        """Opens a record. Raises ValueError."""
        return cls(
            domain.chain_id,
            domain.verifying_contract,
            InferenceReceipt.unpacked(record.receipt),
            record.seal,
            Dispatch.unpacked(record.dispatch),
            record.dispatch_seal,
            NodeReceipt.unpacked(record.node_receipt),
            record.node_seal,
            record.model,
            record.label,
            salt,
        )

    def encode(self) -> bytes:
        """The document's bytes."""
        return canonical(self.to_json())

    def to_json(self) -> dict[str, Any]:
        document = {
            "schema": SCHEMA,
            "chainId": self.chain_id,
            "settlement": to_hex(self.settlement),
            "model": self.model,
            "receipt": self.receipt.to_json(),
            "seal": seal_to_json(self.seal),
            "dispatch": self.dispatch.to_json(),
            "dispatchSeal": seal_to_json(self.dispatch_seal),
            "nodeReceipt": self.node_receipt.to_json(),
            "nodeSeal": seal_to_json(self.node_seal),
            "label": self.label.to_json(),
        }
        if self.salt is None:
            return document
        return {**document, "salt": to_hex(self.salt), "saltHash": to_hex(keccak(self.salt))}

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The document in `data`. Raises CheckFailed on anything that is not exactly one canonical document."""
        if len(data) > DOCUMENT_BYTES_MAX:
            raise CheckFailed(f"a receipt has at most {DOCUMENT_BYTES_MAX} bytes")
        try:
            value = msgspec.json.decode(data)
            document = cls._from_json(value)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CheckFailed(f"malformed receipt: {error}") from None
        if document.encode() != data.rstrip(b"\n"):
            raise CheckFailed("the receipt is not in canonical form (RFC 8785)")
        return document

    @classmethod
    def _from_json(cls, value: dict[str, Any]) -> Self:
        if value.keys() not in (_FIELDS, _FIELDS | _OWNERS_FIELDS):
            raise ValueError(f"a receipt takes exactly the fields {_FIELDS}, its owner's copy {_OWNERS_FIELDS} too")
        if value["schema"] != SCHEMA or not _is_chain_id(value["chainId"]) or not isinstance(value["model"], str):
            raise ValueError(f"not a document of schema {SCHEMA}")
        return cls(
            value["chainId"],
            _bytes(value["settlement"], 20),
            InferenceReceipt.from_json(value["receipt"]),
            seal_from_json(value["seal"]),
            Dispatch.from_json(value["dispatch"]),
            seal_from_json(value["dispatchSeal"]),
            NodeReceipt.from_json(value["nodeReceipt"]),
            seal_from_json(value["nodeSeal"]),
            value["model"],
            _label_from_json(value["label"]),
            _salt_from_json(value) if "salt" in value else None,
        )


def _is_chain_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= SAFE_INTEGER_MAX


def _salt_from_json(value: dict[str, Any]) -> bytes:
    salt = _bytes(value["salt"], 32)
    if keccak(salt) != _bytes(value["saltHash"], 32):
        raise ValueError("salt and saltHash do not belong together: one of them was altered")
    return salt


def _bytes(text: str, size: int) -> bytes:
    if len(text) != 2 + 2 * size or text[:2] != "0x" or text != text.lower():
        raise ValueError(f"expected {size} bytes of lower-case 0x hex")
    return bytes.fromhex(text[2:])


def seal_to_json(seal: Seal) -> dict[str, Any]:
    path = [to_hex(sibling) for sibling in seal.path]
    return {"signature": to_hex(seal.signature), "index": seal.index, "count": seal.count, "path": path}


def seal_from_json(value: dict[str, Any]) -> Seal:
    if value.keys() != {"signature", "index", "count", "path"}:
        raise ValueError("a seal takes signature, index, count and path")
    if not all(isinstance(value[name], int) and not isinstance(value[name], bool) for name in ("index", "count")):
        raise ValueError("a seal's index and count are whole numbers")
    return Seal(
        _bytes(value["signature"], 65), value["index"], value["count"], tuple(_bytes(s, 32) for s in value["path"])
    )


def _label_from_json(value: dict[str, Any]) -> Label:
    if value.keys() != {"validity", "costPositionBps", "credibilityLowBps", "credibilityHighBps"}:
        raise ValueError("unexpected fields in the label")
    numbers = value["costPositionBps"], value["credibilityLowBps"], value["credibilityHighBps"]
    if not all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in numbers):
        raise ValueError("the label's figures are whole numbers")
    if not all(isinstance(name, str) for name in value["validity"]):
        raise ValueError("the label's checks are names")
    return Label(tuple(value["validity"]), *numbers)
