"""Judges by rules on texts alone: what an evaluator scores with where no encoder is at hand.

Format by the request's own demands; consistency and accuracy by how far the answer agrees with those of its peers. They
cost nothing and see no paraphrase: the encoder's judges see further. Nothing in a text is followed.
"""

from collections.abc import Sequence

from dgrid.evaluator.judging import Scores
from dgrid.evaluator.rerun import PeerAnswer, PeerAnswers
from dgrid.poq.formats import format_score
from dgrid.poq.tasks import question_of, task_of
from dgrid.poq.text import reference_score
from dgrid.wire.openai import ChatRequest
from dgrid.wire.quality import NOT_SCORED, TaskType


class RuleJudges:
    """Rules, no model."""

    async def score(self, chat: ChatRequest, answer: str, *, peers: PeerAnswers) -> Scores:
        """Format always; the others as far as there are peers."""
        task, question = task_of(chat), question_of(chat)
        return Scores(
            task,
            format_bps=format_score(chat, answer),
            accuracy_bps=agreement(task, answer, peers=peers.answers, question=question),
            consistency_bps=agreement(task, answer, peers=peers.same_model, question=question),
        )


def agreement(task: TaskType, answer: str, *, peers: Sequence[PeerAnswer], question: str) -> int:
    """The mean score of the answer against each peer's, each model counted once; NOT_SCORED without peers."""
    by_model: dict[bytes, list[int]] = {}
    for peer in peers:
        score = reference_score(task, answer, peer.text, question=question)
        by_model.setdefault(peer.peer.digest, []).append(score)
    means = [sum(scores) // len(scores) for scores in by_model.values()]
    return sum(means) // len(means) if means else NOT_SCORED
