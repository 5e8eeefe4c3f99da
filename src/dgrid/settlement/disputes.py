"""Whether a posted quality root is wrong, in a way that nobody honest could have signed.

Honest evaluators may differ on one thing only: whether a blob was at the archives when they computed, for what is
published late looks as if it had not been published. So a root is wrong when it follows neither from all that is there
now of the epochs that its own table takes in, nor without what that counts as absent. What this cannot see: a quorum
that leaves out a blob which it had. That is the price of never convicting who could not know.
"""

import asyncio
from collections.abc import Iterator

from dgrid.core.errors import CheckFailed, NotYet
from dgrid.core.identity import to_hex
from dgrid.poq.evidence import RoundEvidence
from dgrid.poq.rounds import judge
from dgrid.poq.rules import QualityRules
from dgrid.settlement.lateness import absent_duties, any_few, canaries_in, told, withheld_in, without
from dgrid.settlement.quality import CollectedRound, QualityReader
from dgrid.settlement.rounds import posted_before, root_of
from dgrid.wire.quality import QualityTable


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
    """Raises CheckFailed where the posted table may rest on something that no archive has now."""
    for gateway, epoch in collected.unheld:
        raise CheckFailed(f"no archive holds epoch {epoch} of {to_hex(gateway)}: the root cannot be computed again")
    evidence = collected.evidence
    absent = absent_duties(evidence, rules=rules)
    withheld = {} if posted is None else withheld_in(posted, collected.table, rules=rules)
    lost_canaries = posted is not None and bool(canaries_in(posted) - evidence.canaries.keys())
    for author in collected.missing:
        if posted is None or lost_canaries or withheld.get(author, 0) < absent[author]:
            raise CheckFailed(f"what {to_hex(author)} published is at no archive: the root cannot be computed again")


async def _table(reader: QualityReader, judged_round: int) -> QualityTable | None:
    """The posted table; None where the archives have none, or another's."""
    try:
        return await reader.table(judged_round)
    except CheckFailed:
        return None


def possible(collected: CollectedRound, posted: QualityTable | None, *, rules: QualityRules) -> Iterator[RoundEvidence]:
    """What an honest evaluator may have computed from: all of the evidence, or all but what came late.

    The posted table tells what that was. Without it any few blobs may have been late; honest evaluators lay it at an
    archive before they sign. Raises CheckFailed where the table leaves more choices than can be tried.
    """
    evidence = collected.evidence
    late = any_few(evidence) if posted is None else told(posted, evidence, before=collected.table, rules=rules)
    return (without(evidence, one) for one in late)
