"""What an asker gets, and the checks that tie it to its receipt: the SDK's half of `wire/verification`."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dgrid.client.transcript import Transcript
from dgrid.core.errors import CheckFailed
from dgrid.core.identity import to_hex
from dgrid.core.keccak import salted_hash
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.verification import Check, verify_receipt


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, the bill, and what was checked. `text` is the first choice's; `raw` is the body as it came."""

    text: str
    model: str
    receipt_id: str
    fee_wei: int
    node: str
    tokens_in: int
    tokens_out: int
    attempts: int
    gateway_url: str
    raw: bytes = field(repr=False)
    document: ReceiptDocument | None = field(default=None, repr=False)
    checks: tuple[Check, ...] = field(default=(), repr=False)

    @property
    def verified(self) -> bool:
        """Whether a receipt was fetched and every check of it held."""
        return bool(self.checks) and all(check.ok for check in self.checks)


def check_exchange(
    document: ReceiptDocument, transcript: Transcript, *, sent: bytes, receipt_id: str
) -> tuple[Check, ...]:
    """All checks of a receipt against what was sent and what came back."""
    salt = document.salt
    if salt is None:
        return (Check("salt", ok=False, reason="the gateway withheld the salt, so nothing ties it to the content"),)
    hashes, receipt = document.receipt.hashes, document.receipt
    own: dict[str, tuple[object, object]] = {
        "receipt id": (to_hex(receipt.request_id), receipt_id),
        "request": (hashes.request, salted_hash(salt, sent)),
        "reply": (hashes.wire, salted_hash(salt, transcript.covered)),
        "tokens": (
            (receipt.usage.tokens_in, receipt.usage.tokens_out),
            (transcript.usage.prompt_tokens, transcript.usage.completion_tokens),
        ),
    }
    checks = verify_receipt(document, answer=transcript.answer.text())
    return (*checks, *_compare(own, has_usage=transcript.usage.dgrid is not None))


def _compare(pairs: dict[str, tuple[object, object]], *, has_usage: bool) -> Iterator[Check]:
    for name, (signed, seen) in pairs.items():
        if name == "tokens" and not has_usage:
            continue  # a stream without usage says no counts
        ok = signed == seen
        yield Check(name, ok, "ok" if ok else f"the receipt's {name} is not what this client sent or got")


def require(checks: tuple[Check, ...], *, receipt_id: str) -> None:
    """Raises CheckFailed, naming what is wrong, unless every check held."""
    if failed := [f"{check.name}: {check.reason}" for check in checks if not check.ok]:
        raise CheckFailed(f"the receipt {receipt_id} does not hold: {'; '.join(failed)}")
