"""Whether a posted quality root is wrong, in a way that nobody honest could have signed.

Honest evaluators may differ on one thing only: whether a blob was at the archives when they computed, for what is
published late looks as if it had not been published. So a root is wrong when it follows neither from all that is there
now of the epochs that its own table takes in, nor without what that counts as absent. What this cannot see: a quorum
that leaves out a blob which it had. That is the price of never convicting who could not know.
"""

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import replace

from dgrid.core.errors import CheckFailed, NotYet
from dgrid.core.identity import to_hex
from dgrid.poq.credibility import Cause
from dgrid.poq.evidence import DrawnEpoch, RoundEvidence
from dgrid.poq.panels import all_duties
from dgrid.poq.rounds import judge
from dgrid.poq.rules import QualityRules
from dgrid.settlement.quality import CollectedRound, QualityReader
from dgrid.settlement.rounds import posted_before, root_of
from dgrid.wire.quality import LeafKey, QualityTable


async def is_wrong(reader: QualityReader, judged_round: int, *, rules: QualityRules, token: bytes) -> bool:
    """Whether a round's posted root follows from no reading of its evidence.

    Raises NotYet (no root is posted), CheckFailed (records or the table before cannot be had), NetworkUnreachable.
    """
    posted = reader.view.quality_roots.get(judged_round)
    if posted is None:
        raise NotYet(f"no quality root is posted for round {judged_round}")
    table = await _table(reader, judged_round)
    collected = await reader.collect(judged_round, taken=None if table is None else set(table.judged))
    previous = posted_before(reader.view, judged_round)
    for evidence in possible(collected, table, rules=rules):
        computed = await asyncio.to_thread(judge, collected.table, evidence, rules)
        if root_of(computed, token=token, previous=previous) == posted.root:
            return False
    _require_complete(collected, table, rules)
    return True


def _require_complete(collected: CollectedRound, posted: QualityTable | None, rules: QualityRules) -> None:
    """What the posted table counts and is nowhere to be had now may make the difference. Raises CheckFailed."""
    for gateway, epoch in collected.unheld:
        raise CheckFailed(f"no archive holds epoch {epoch} of {to_hex(gateway)}: the root cannot be computed again")
    absent = set() if posted is None else absent_evaluators(collected, posted, rules=rules)
    counted = set() if posted is None else _canaries_in(posted) - collected.evidence.canaries.keys()
    evaluators = {evaluator for _, evaluator in collected.evidence.committed}
    for author in collected.missing:
        if (author in evaluators and author not in absent) or counted or posted is None:
            raise CheckFailed(f"what {to_hex(author)} published is at no archive: the root cannot be computed again")


async def _table(reader: QualityReader, judged_round: int) -> QualityTable | None:
    """The posted table; None where the archives have none, or another's."""
    try:
        return await reader.table(judged_round)
    except CheckFailed:
        return None


def possible(collected: CollectedRound, posted: QualityTable | None, *, rules: QualityRules) -> Iterator[RoundEvidence]:
    """What an honest evaluator may have had: all of it, and all but what came late.

    Without the posted table nothing says what came late: then any one blob may have.
    """
    evidence = collected.evidence
    yield evidence
    if posted is None:
        yield from (without(evidence, evaluators=[one]) for one in sorted({e for _, e in evidence.openings}))
        yield from (without(evidence, authors=[one]) for one in sorted({c.author for c in evidence.canaries.values()}))
        yield from (without_draw(evidence, draw) for draw in evidence.draws)
        return
    evaluators = absent_evaluators(collected, posted, rules=rules)
    authors = absent_authors(evidence, posted)
    nobody: set[bytes] = set()
    for late in ((evaluators, nobody), (nobody, authors), (evaluators, authors)):
        if any(late):
            yield without(evidence, evaluators=late[0], authors=late[1])


def without(
    evidence: RoundEvidence, *, evaluators: Collection[bytes] = (), authors: Collection[bytes] = ()
) -> RoundEvidence:
    """The evidence as it is where some blobs are missing. That their authors committed stays: the chain says so."""
    return replace(
        evidence,
        openings={key: reports for key, reports in evidence.openings.items() if key[1] not in evaluators},
        canaries={key: truth for key, truth in evidence.canaries.items() if truth.author not in authors},
    )


def without_draw(evidence: RoundEvidence, lost: DrawnEpoch) -> RoundEvidence:
    """The evidence as it is where an epoch's records are missing and, with them, what its round alone was told."""
    draws = tuple(draw for draw in evidence.draws if draw is not lost)
    rounds = {draw.round for draw in draws}
    return replace(
        evidence,
        draws=draws,
        openings={key: reports for key, reports in evidence.openings.items() if key[0] in rounds},
        committed=frozenset(key for key in evidence.committed if key[0] in rounds),
        canaries={
            key: truth
            for key, truth in evidence.canaries.items()
            if (key.gateway, key.epoch) != (lost.gateway, lost.epoch)
        },
    )


def absent_evaluators(collected: CollectedRound, posted: QualityTable, *, rules: QualityRules) -> set[bytes]:
    """Evaluators that committed to reports, and whose every duty the posted table counts as missed."""
    before = {row.evaluator: row.missed for row in collected.table.balances} if collected.table is not None else {}
    missed = {row.evaluator: row.missed - before.get(row.evaluator, 0) for row in posted.balances}
    duties = [duty.evaluator for duty in all_duties(collected.evidence.draws, rules)]
    committed = {evaluator for _, evaluator in collected.evidence.committed}
    return {one for one in committed if 0 < duties.count(one) <= missed.get(one, 0)}


def absent_authors(evidence: RoundEvidence, posted: QualityTable) -> set[bytes]:
    """Authors that opened canaries of which none counts as one in the posted table."""
    counted = _canaries_in(posted)
    seen = {truth.author for key, truth in evidence.canaries.items() if key in counted}
    return {truth.author for truth in evidence.canaries.values()} - seen


def _canaries_in(posted: QualityTable) -> set[LeafKey]:
    return {change.key for change in posted.changes if change.cause == Cause.CANARY}
