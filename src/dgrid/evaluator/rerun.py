"""The same request asked of other nodes, to compare with: as any paying client asks, through gateways, for the judge's
own money.

Who runs what is read from the nodes' own signed offers. One node of each other model shows what else may be answered;
other nodes of the same model show what this one answers elsewhere. One other model is asked first; where it says the
same, more answers would change little, and they cost what a user's answer costs. What fails or comes too late is
absent, and nothing stands in for it. Asked with privacy `none`, so that no re-run is ever drawn itself.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from dgrid.core.errors import DGridError
from dgrid.core.identity import Address, to_hex
from dgrid.core.keccak import keccak
from dgrid.machine.traces import trace_of
from dgrid.settlement.grounds import fields_asked_again
from dgrid.wire.grounds import Compared

logger = logging.getLogger(__name__)

SAME_MODEL_MAX: Final = 1  # the members of a committee draw different ones, so that they see several together
OTHER_MODELS_MAX: Final = 2
AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True, order=True)
class Peer:
    """A node that serves a model."""

    node: Address
    model: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Repeat:
    """A request as it goes to one peer. The gateway that `served_by` names brought the original: it is asked last."""

    peer: Peer
    body: bytes
    served_by: Address


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """What a peer said, by a receipt that was checked. `text` is all choices, as `outputHash` covers them.

    `compared` proves it to anybody; None where nobody is to be shown it.
    """

    peer: Peer
    request_id: bytes
    text: str
    compared: Compared | None = None


@dataclass(frozen=True, slots=True)
class PeerAnswers:
    """The answers a leaf is compared with."""

    same_model: tuple[PeerAnswer, ...] = ()
    other_models: tuple[PeerAnswer, ...] = ()

    @property
    def answers(self) -> tuple[PeerAnswer, ...]:
        return (*self.same_model, *self.other_models)

    @property
    def request_ids(self) -> tuple[bytes, ...]:
        """Their receipts, in order."""
        return tuple(sorted(answer.request_id for answer in self.answers))

    @classmethod
    def of(cls, answers: Iterable[PeerAnswer], *, digest: bytes) -> "PeerAnswers":
        """Answers to a request that a node with weights of this digest served."""
        found = list(answers)
        return cls(
            tuple(answer for answer in found if answer.peer.digest == digest),
            tuple(answer for answer in found if answer.peer.digest != digest),
        )

    def __add__(self, more: "PeerAnswers") -> "PeerAnswers":
        return PeerAnswers(self.same_model + more.same_model, self.other_models + more.other_models)


Asking = Callable[[Repeat], Awaitable[PeerAnswer]]  # raises DGridError


@dataclass(frozen=True, slots=True)
class Original:
    """What is repeated: the request as the node got it, its seed, and who served it with which weights."""

    request: bytes
    seed: int
    node: Address
    gateway: Address
    digest: bytes


class Repeater:
    """Asks peers, a few at a time, each for a bounded fee."""

    def __init__(self, ask: Asking, *, budget_wei: int, at_once: int = AT_ONCE) -> None:
        self._ask, self._budget_wei = ask, budget_wei
        self._slots = asyncio.Semaphore(at_once)

    async def answers(self, original: Original, peers: Iterable[Peer], *, within_s: float) -> PeerAnswers:
        """The peers' answers that came within the time.

        Raises InvalidJson when the request is none that can be repeated.
        """
        found = await _within([self._one(peer, original) for peer in peers], within_s)
        return PeerAnswers.of((answer for answer in found if answer is not None), digest=original.digest)

    async def _one(self, peer: Peer, original: Original) -> PeerAnswer | None:
        body = repeated_body(original, peer, budget_wei=self._budget_wei)
        repeat = Repeat(peer, body, original.gateway)
        async with self._slots:
            try:
                return await self._ask(repeat)
            except DGridError as error:
                logger.info("no answer of %s to compare with: %s", to_hex(peer.node), error.code)
            except Exception as error:  # noqa: BLE001 (a fault of ours; its words may be somebody's content)
                logger.error("asking %s failed: %s", to_hex(peer.node), trace_of(error))
            return None


async def _within(asked: Sequence[Awaitable[PeerAnswer | None]], seconds: float) -> list[PeerAnswer | None]:
    """What is there in time, in the order of asking; the rest is called off. Raises what the asking raises."""
    if not asked:
        return []
    tasks = [asyncio.ensure_future(one) for one in asked]
    try:
        done, _ = await asyncio.wait(tasks, timeout=max(0.0, seconds))
        return [task.result() for task in tasks if task in done]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def chosen_peers(peers: Iterable[Peer], original: Original, *, lot: bytes) -> tuple[list[Peer], list[Peer]]:
    """(who is asked first, who besides if those do not say the same), drawn by the lot; never the node itself.

    Together they are a node of the same weights and one node of each of two other models. One of another model is asked
    first, and with it, by even odds, the one of the same, so that most committees have a member that compares with it.
    """
    ordered = sorted(
        (peer for peer in peers if peer.node != original.node), key=lambda peer: keccak(lot + peer.node + peer.digest)
    )
    same = [peer for peer in ordered if peer.digest == original.digest][:SAME_MODEL_MAX]
    by_model: dict[tuple[bytes, str], Peer] = {}
    for peer in ordered:
        if peer.digest != original.digest:  # weights nobody knows are told apart by name
            by_model.setdefault((peer.digest, peer.model), peer)
    others = list(by_model.values())[:OTHER_MODELS_MAX]
    at_once = same if keccak(lot)[0] & 1 or not others else []
    first = [*at_once, *others[:1]]
    return first, [peer for peer in (*same, *others) if peer not in first]


def repeated_body(original: Original, peer: Peer, *, budget_wei: int) -> bytes:
    """The request for one peer, and for its gateway alone whom to ask and under which seed.

    Raises InvalidJson.
    """
    way = {
        "provider": {"only": [to_hex(peer.node)]},
        "dgrid": {"privacy": "none", "budget": str(budget_wei), "seed": original.seed},
    }
    return msgspec.json.encode({**fields_asked_again(original.request, model=peer.model), **way})
