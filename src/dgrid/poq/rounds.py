"""Judges a round: from the table before and the evidence to the next table, the same for whoever computes it."""

from dgrid.poq.evidence import RoundEvidence
from dgrid.poq.rules import QualityRules
from dgrid.wire.quality import QualityTable


def judge(table: QualityTable | None, evidence: RoundEvidence, rules: QualityRules) -> QualityTable:
    """The table after the evidence's round; `table` is the last one posted, None before the first.

    Raises CheckFailed when the evidence does not follow that table.
    """
    raise NotImplementedError


def releases(table: QualityTable) -> tuple[tuple[bytes, int], ...]:
    """(gateway, wei) that the round's pay-outs to nodes and payers take from Settlement, ascending by gateway."""
    return tuple((gateway, int.from_bytes(amount, "big")) for gateway, amount in table.releases)
