"""Behind `dgrid verify`: what was checked of a file, for people and for programs."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dgrid.core.errors import CheckFailed
from dgrid.core.keccak import salted_hash
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.verification import Check, verify_receipt

CLAIMS = {
    "gateway signature": "the gateway it names signed the receipt",
    "dispatch signature": "the same gateway signed the order to the node",
    "node signature": "the node it names signed what it got, what it wrote and its counts",
    "links": "order, node receipt and receipt belong together",
    "usage": "no more tokens are billed than the node counted",
    "shares": "the parts are the price of the tokens and sum to the fee",
    "totals": "the running totals hold this receipt's shares",
    "label": "the quality label is the one that was signed",
    "answer": "the text is the one that was signed",
    "inclusion": "the receipt lies under the epoch's root",
    "draw": "the seed chose the receipt",
    "committee": "the seed chose these evaluators, in this order",
    "reports": "each evaluator signed its report, under the root that it opened",
    "credibility": "the node's rows lie under the quality root",
    "anchored root": "the chain has this root of the epoch",
    "seed": "the chain has this seed of the epoch",
    "evaluators": "these evaluators stood ready, with these stakes",
    "rules": "these shares and sizes counted in that round",
    "words given and kept": "each evaluator committed to its reports, then opened them",
    "quality root": "the chain has this quality root",
}  # what it means that a check is ok


@dataclass(frozen=True, slots=True)
class Checked:
    """All checks of one file. `to_compare` is what only a chain can confirm and was not compared with one."""

    checks: Sequence[Check]
    to_compare: Sequence[tuple[str, str]] = ()

    @property
    def is_valid(self) -> bool:
        return all(check.ok for check in self.checks)

    @property
    def data(self) -> dict[str, Any]:
        listed = [{"where": where, "value": value} for where, value in self.to_compare]
        return {"valid": self.is_valid, "checks": [asdict(check) for check in self.checks], "to_compare": listed}

    @property
    def text(self) -> str:
        width = max(len(check.name) for check in self.checks)
        lines = [_line(check, width) for check in self.checks]
        if not self.is_valid:
            return "\n".join([*lines, "NOT VALID"])
        if not self.to_compare:
            return "\n".join([*lines, "valid"])
        facts = [f"  {where}\n    {value}" for where, value in self.to_compare]
        head = "valid; final once a chain says the same, which only a look at it can tell (--rpc):"
        return "\n".join([*lines, head, *facts])


def _line(check: Check, width: int) -> str:
    """A check with what it shows, or why it fails."""
    claim = CLAIMS.get(check.name.rpartition(": ")[2], check.reason)
    return f"{'ok    ' if check.ok else 'FAILED'}  {check.name:<{width}}  {claim if check.ok else check.reason}"


def checked_receipt(data: bytes, answer: bytes | None) -> Checked:
    """A receipt, and the answer that it is said to be of."""
    try:
        document = ReceiptDocument.decode(data)
    except CheckFailed as error:
        return Checked([Check("document", ok=False, reason=error.message)])
    return Checked(verify_receipt(document, answer=_answer_text(document, answer)))


def _answer_text(document: ReceiptDocument, data: bytes | None) -> str | None:
    """The text to check: as it is, or without the line break that a terminal put at its end."""
    if data is None:
        return None
    trimmed = data.removesuffix(b"\n")
    fits = document.salt is not None and salted_hash(document.salt, trimmed) == document.node_receipt.output_hash
    return (trimmed if fits else data).decode("utf-8", "replace")


def checked_certificate(data: bytes, *, home: Path, rpc: str) -> Checked:
    """A certificate by itself, or against the home's chain. With `rpc` it raises ConfigError, ChainUnavailable."""
    from dgrid.settlement.certificate import Certificate
    from dgrid.settlement.certificate_checks import facts_on_chain, verify_certificate

    try:
        certificate = Certificate.decode(data)
    except CheckFailed as error:
        return Checked([Check("document", ok=False, reason=error.message)])
    checks = verify_certificate(certificate)
    if not rpc:
        return Checked(checks, [(fact.where, fact.value) for fact in facts_on_chain(certificate)])
    return Checked([*checks, *asyncio.run(_compared(certificate, home, rpc))])


async def _compared(certificate: Any, home: Path, rpc: str) -> list[Check]:
    from dgrid.cli.wallet_config import chain_config
    from dgrid.settlement.certificate_checks import compare_with_chain
    from dgrid.settlement.reading import reading

    chain = replace(chain_config(home), rpc_urls=(rpc,))
    document = certificate.document
    named = document.chain_id, document.settlement, certificate.court_address
    known = chain.chain_id, chain.address("settlement"), chain.address("quality_court")
    if named != known:
        return [Check("chain: network", ok=False, reason="the certificate is of another network than the home's")]
    async with reading(chain) as network:
        return compare_with_chain(certificate, network.view)
