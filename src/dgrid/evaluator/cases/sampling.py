"""Asks a node what it is asked every day, and holds what it committed to against the model that it claims.

The requests go through gateways like any client's, for the evaluator's own money. Who pays may see what the receipt's
hashes cover, so the node's committed tokens and log-probabilities come without asking the node for anything special.
What fails or comes too late is absent. Refuses to say guilty: it measures.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from dgrid.core.errors import CheckFailed, DGridError
from dgrid.core.identity import Address, to_hex
from dgrid.evaluator.judging import Measuring
from dgrid.evaluator.rerun import Peer
from dgrid.machine.traces import trace_of
from dgrid.settlement.evidence import is_signed
from dgrid.settlement.samples import Question, SampleTerms, record_of, sample_questions
from dgrid.wire.documents import ReceiptDocument
from dgrid.wire.messages import NOT_WHOLE
from dgrid.wire.quality import Content, Sample, Samples

logger = logging.getLogger(__name__)

AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Reply:
    """A node's answer as its payer can prove it."""

    document: ReceiptDocument
    content: Content


AskNode = Callable[[Peer, bytes], Awaitable[Reply]]  # raises DGridError


@dataclass(frozen=True, slots=True)
class Sampler:
    """One evaluator's way to a node's fresh replies."""

    me: Address
    ask: AskNode
    measuring: Measuring
    terms: SampleTerms
    budget_wei: int

    async def take(self, peer: Peer, *, seeds: tuple[bytes, bytes], numbers: range, within_s: float) -> Samples:
        """The replies, measured, to the requests of these numbers under (seed, salt), as far as they came in time."""
        questions = sample_questions(seeds, model=peer.model, numbers=numbers, write=self.terms.write)
        slots = asyncio.Semaphore(AT_ONCE)
        tasks = [asyncio.ensure_future(self._one(peer, question, slots)) for question in questions]
        try:
            done, _ = await asyncio.wait(tasks, timeout=max(0.0, within_s)) if tasks else (set(), set())
            found = [reply for task in tasks if task in done and (reply := task.result()) is not None]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        court = self.terms.court.chain_id, self.terms.court.verifying_contract
        return Samples(*court, self.me, peer.node, peer.model, peer.digest, *seeds, tuple(found))

    async def gaps(self, digest: bytes, contents: list[Content]) -> list[int]:
        """The mean gap of each reply that can be measured. Raises DGridError."""
        found = [await self.measuring.measure(digest, content) for content in contents]
        return [one.gap_micros for one in found if one is not None and one.tokens > 0]

    async def _one(self, peer: Peer, question: Question, slots: asyncio.Semaphore) -> Sample | None:
        async with slots:
            try:
                body = as_asked(question, peer, budget_wei=self.budget_wei)
                reply = checked(await self.ask(peer, body), peer, seed=question.seed)
                identity = await self.measuring.measure(peer.digest, reply.content)
            except DGridError as error:
                logger.info("no sample of %s: %s", to_hex(peer.node), error.message)
                return None
            except Exception as error:  # noqa: BLE001 (a fault of ours; its words may be the node's)
                logger.error("sampling %s failed: %s", to_hex(peer.node), trace_of(error))
                return None
        return Sample(record_of(reply.document), reply.content, identity)


def as_asked(question: Question, peer: Peer, *, budget_wei: int) -> bytes:
    """A request for one node only; the gateway does not pass on what concerns its way."""
    fields = msgspec.json.decode(question.body, type=dict[str, Any])
    wishes = {"budget": str(budget_wei), "seed": question.seed}
    way = {"provider": {"only": [to_hex(peer.node)]}, "dgrid": wishes}
    return msgspec.json.encode({**fields, **way})


def checked(reply: Reply, peer: Peer, *, seed: int) -> Reply:
    """The reply, if that node signed it as that model, under that seed, whole. Raises CheckFailed."""
    dispatch = reply.document.dispatch
    if (dispatch.node, dispatch.model_digest) != (peer.node, peer.digest):
        raise CheckFailed("another node or other weights answered than those asked for")
    if dispatch.seed != seed:
        raise CheckFailed("the gateway gave the node another seed than was asked for")
    if reply.document.receipt.usage.flags & NOT_WHOLE:
        raise CheckFailed("the reply is not the node's own, or not whole")
    if not is_signed(reply.content, reply.document):
        raise CheckFailed("what the gateway shows is not what was signed")
    return reply


def gaps_in(samples: Samples) -> list[int]:
    """The mean gap of each reply in a set that could be measured."""
    found = [sample.identity for sample in samples.samples]
    return [one.gap_micros for one in found if one is not None and one.tokens > 0]
