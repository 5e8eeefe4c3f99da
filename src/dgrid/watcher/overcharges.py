"""A signed request with its receipts, which together charge more than its payer allowed: half of challenge 5.

Only the payer has both, so both are handed in together. Takes nothing but what convicts once the receipts are anchored:
each is sealed by the gateway, is for this request, and stands at a place of its own. The request's digest is their id,
so its signature need not be shown.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import msgspec

from dgrid.core.errors import InvalidRequest, InvalidSignature
from dgrid.core.identity import Address
from dgrid.watcher.evidence import DOCUMENT_BYTES_MAX, HeldReceipt
from dgrid.wire.documents import seal_from_json, seal_to_json
from dgrid.wire.messages import InferenceReceipt, InferenceRequest
from dgrid.wire.typed import Domain

RECEIPTS_MAX = 16  # of one request: more proofs may not fit one transaction


@dataclass(frozen=True, slots=True)
class Overcharge:
    """A request and what was charged for it, in order of places."""

    request: InferenceRequest
    receipts: tuple[HeldReceipt, ...]

    @property
    def gateway(self) -> Address:
        return Address(self.request.gateway)

    @property
    def epoch(self) -> int:
        """The last one: when its root is there, all are, or were passed over."""
        return self.receipts[-1].place.epoch

    @property
    def charged_wei(self) -> int:
        return sum(held.receipt.shares.fee for held in self.receipts)

    @classmethod
    def from_json(cls, data: bytes, *, domain: Domain) -> Self:
        """The document `{"request": …, "receipts": [{"receipt": …, "seal": …}, …]}`.

        Raises InvalidRequest when it does not show that too much was charged, InvalidSignature.
        """
        if len(data) > DOCUMENT_BYTES_MAX:
            raise InvalidRequest(f"a request with its receipts has at most {DOCUMENT_BYTES_MAX} bytes")
        try:
            said = msgspec.json.decode(data, type=_OverchargeJson)
            request = InferenceRequest.from_json(said.request)
            receipts = [
                HeldReceipt(InferenceReceipt.from_json(one.receipt), seal_from_json(one.seal)) for one in said.receipts
            ]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InvalidRequest(f"malformed request or receipt: {error}") from None
        found = cls(request, tuple(sorted(receipts, key=lambda held: held.place)))
        found.check(domain)
        return found

    def to_json(self) -> bytes:
        """As `from_json` takes it."""
        receipts = [{"receipt": held.receipt.to_json(), "seal": seal_to_json(held.seal)} for held in self.receipts]
        return msgspec.json.encode({"request": self.request.to_json(), "receipts": receipts})

    def check(self, domain: Domain) -> None:
        """Raises InvalidRequest, InvalidSignature."""
        if not 1 <= len(self.receipts) <= RECEIPTS_MAX:
            raise InvalidRequest(f"a request comes with 1 to {RECEIPTS_MAX} receipts")
        if any(one.place == other.place for one, other in pairwise(self.receipts)):
            raise InvalidRequest("two of the receipts are for one place: hand them in as they are")
        if self.charged_wei <= self.request.max_fee:
            raise InvalidRequest(f"the receipts charge {self.charged_wei} wei, and {self.request.max_fee} were allowed")
        name = domain.digest(self.request.struct_hash())
        for held in self.receipts:
            if held.receipt.request_id != name:
                raise InvalidRequest("a receipt is for another request")
            if held.gateway != self.gateway:
                raise InvalidSignature("a receipt is of another gateway than the request")
            held.check(domain)


class _SealedJson(msgspec.Struct):
    receipt: Any
    seal: Any


class _OverchargeJson(msgspec.Struct):
    request: Any
    receipts: list[_SealedJson]
