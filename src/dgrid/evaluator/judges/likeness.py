"""How far two answers to one request say the same, 0 to 10,000: an encoder's cosine, a rule's score, and hard checks.

A cosine alone puts red near pink and "will" near "will not", and means another thing for a word than for a page. So it
is read on a scale of its task, a rule that sees the same fact in other words may raise it, and a hard check bounds
both. Nothing in a text is followed: a sentence that asks for a high score is one more sentence unlike the other's.
"""

from collections.abc import Callable, Mapping
from typing import Final

from dgrid.core.money import BPS
from dgrid.poq.fields import fields_score
from dgrid.poq.text import RIVAL_CAP_BPS, agreement_cap, agreement_checks, is_hedged, is_same, reference_score
from dgrid.wire.answers import CALL_SEPARATOR, CHOICE_SEPARATOR
from dgrid.wire.quality import TaskType

Scale = tuple[tuple[int, int], ...]
Cosine = Callable[[str, str], float]

SHORT: Final[Scale] = ((2_000, 0), (5_000, 3_000), (7_000, 6_600), (9_000, 8_000), (9_800, BPS))
PROSE: Final[Scale] = ((2_000, 500), (5_000, 3_500), (7_000, 6_800), (9_000, 8_700), (9_800, BPS))
SCALES: Final[Mapping[TaskType, Scale]] = {
    TaskType.EXTRACT: SHORT,
    TaskType.CHOICE: SHORT,
    TaskType.JSON: SHORT,
    TaskType.SUMMARY: PROSE,
    TaskType.CHAT: PROSE,
}
"""Cosines (times 10,000) of all-MiniLM-L6-v2 and the mean token F1 that pairs of that cosine have: read off 1,710
replies of the built-in models to the held-out questions, beside their references, where no hard check spoke.
"""


def likeness(task: TaskType, answers: tuple[str, str], *, cosine: Cosine, question: str = "") -> int:
    """Of two whole answers as `outputHash` covers them; with several choices, the mean of each one's best match."""
    left, right = (answer.split(CHOICE_SEPARATOR) for answer in answers)
    best = [
        max(choice_likeness(task, (one, other), cosine=cosine, question=question) for other in right) for one in left
    ]
    return sum(best) // len(best)


def choice_likeness(task: TaskType, pair: tuple[str, str], *, cosine: Cosine, question: str) -> int:
    """Of one choice of each answer: the better of cosine and rule, bounded by the hard checks."""
    left, right = pair
    if CALL_SEPARATOR in left or CALL_SEPARATOR in right:
        return calls_likeness(left, right)
    if task is TaskType.JSON and (score := fields_score(left, right)) is not None:
        return score
    if is_same(left, right):
        return BPS
    cap = agreement_cap(task, agreement_checks(task, left, right))
    hedges = is_hedged(left, right, question=question) or is_hedged(right, left, question=question)
    if task is TaskType.EXTRACT and hedges:
        cap = min(cap, RIVAL_CAP_BPS)
    if cap == 0:
        return 0
    told = reference_score(task, left, right, question=question), reference_score(task, right, left, question=question)
    return min(cap, max(on_scale(cosine(left, right), SCALES[task]), *told))


def calls_likeness(left: str, right: str) -> int:
    """Of answers that call tools: how alike the arguments are, if they call the same ones; the mean over the calls."""
    ours, theirs = left.split(CALL_SEPARATOR)[1:], right.split(CALL_SEPARATOR)[1:]
    if not ours or not theirs or ours[::2] != theirs[::2]:
        return 0
    pairs = zip(ours[1::2], theirs[1::2], strict=True)
    scores = [BPS if one == other else fields_score(one, other) or 0 for one, other in pairs]
    return sum(scores) // len(scores)


def on_scale(cosine: float, scale: Scale) -> int:
    """What a cosine counts for: linear between the scale's points, flat beyond them."""
    at = round(cosine * BPS)
    below = scale[0]
    for above in scale:
        if at <= above[0]:
            width = max(1, above[0] - below[0])
            return below[1] + (above[1] - below[1]) * max(0, at - below[0]) // width
        below = above
    return below[1]
