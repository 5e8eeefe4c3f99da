"""An evaluator's judges with an encoder: each text is encoded once, each pair compared once, the rest is arithmetic."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from dgrid.core.errors import EngineError
from dgrid.engines.encoder import Encoder, Vectors, alike
from dgrid.evaluator.judges.agreement import judge_accuracy, judge_consistency
from dgrid.evaluator.judges.likeness import likeness
from dgrid.evaluator.judging import Judges, Scores
from dgrid.evaluator.rerun import PeerAnswers
from dgrid.machine.traces import trace_of
from dgrid.poq.formats import format_score
from dgrid.poq.tasks import question_of, task_of
from dgrid.wire.answers import choices_of
from dgrid.wire.grounds import Method
from dgrid.wire.openai import ChatRequest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EncoderJudges:
    """Scores by likeness; by `otherwise` while the encoder does not answer, or where reading by it stumbles."""

    encoder: Encoder
    otherwise: Judges

    async def score(self, chat: ChatRequest, answer: str, *, peers: PeerAnswers) -> Scores:
        """Format always; accuracy and consistency as far as there are peers."""
        try:
            return await self.score_by_encoder(chat, answer, peers=peers)
        except EngineError as error:
            logger.warning("judging without the encoder: %s", error.message)
        except Exception as error:  # noqa: BLE001 (a fault of ours; its words may be the answer's)
            logger.error("an answer cannot be scored by the encoder: %s", trace_of(error))
        return await self.otherwise.score(chat, answer, peers=peers)

    async def score_by_encoder(self, chat: ChatRequest, answer: str, *, peers: PeerAnswers) -> Scores:
        """The same by the encoder alone. Raises EngineError where it does not answer."""
        everyone = peers.answers
        encoded = await encode(self.encoder, [answer, *(peer.text for peer in everyone)] if everyone else ())
        return await asyncio.to_thread(compared, Comparison(chat, encoded), answer, peers=peers)


def compared(comparison: "Comparison", answer: str, *, peers: PeerAnswers) -> Scores:
    """What the encoded texts come to. Long ones take their time: not the event loop's."""
    chat, same = comparison.chat, len(peers.same_model)
    like = [comparison.of(answer, peer.text) for peer in peers.answers]
    among = [comparison.of(one.text, other.text) for one, other in combinations(peers.same_model, 2)]
    others = [(peer.peer.digest, score) for peer, score in zip(peers.other_models, like[same:], strict=True)]
    return Scores(
        task_of(chat),
        format_bps=format_score(chat, answer),
        accuracy_bps=judge_accuracy(others, like[:same]),
        consistency_bps=judge_consistency(like[:same], among, is_sampled=bool(chat.temperature)),
        method=Method.ENCODER,
    )


@dataclass(frozen=True, slots=True)
class Encoded:
    """Texts and their vectors."""

    places: dict[str, int]
    vectors: Vectors

    def cosine(self, left: str, right: str) -> float:
        return alike(self.vectors[self.places[left]], self.vectors[self.places[right]])


async def encode(encoder: Encoder, answers: Sequence[str]) -> Encoded:
    """Every choice of every answer, encoded. Raises EngineError."""
    choices = list(dict.fromkeys(choice for answer in answers for choice in choices_of(answer)))
    return Encoded({choice: place for place, choice in enumerate(choices)}, await encoder.vectors(choices))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compares answers to one request."""

    chat: ChatRequest
    encoded: Encoded

    def of(self, left: str, right: str) -> int:
        cosine, question = self.encoded.cosine, question_of(self.chat)
        return likeness(task_of(self.chat), (left, right), cosine=cosine, question=question)
