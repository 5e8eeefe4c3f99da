"""Which blobs a round's table was computed without: what is published late looks as if it had not been published.

The table itself tells. Its balances end with a cost for each duty whose reports were committed to and not there, and
its changes name each canary that was. Where that leaves a choice, each choice is a reading; without the table all is
choice, and the fewest late blobs come first. Refuses to say who is to blame, and to go on without end.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations, islice, product, takewhile
from math import prod
from typing import Final, TypeVar

from dgrid.core.errors import CheckFailed
from dgrid.poq.credibility import Cause
from dgrid.poq.evidence import GatewayEpoch, RoundAndEvaluator, RoundEvidence
from dgrid.poq.panels import all_duties
from dgrid.poq.rules import MICROS, QualityRules
from dgrid.wire.quality import LeafKey, QualityTable

READINGS_MAX: Final = 256
CHOICES_MAX: Final = 4_096  # of one evaluator's rounds, nearly always one

CanaryBlob = tuple[bytes, bytes, int]  # author, gateway, epoch
Some = TypeVar("Some")


@dataclass(frozen=True, slots=True)
class Late:
    """Blobs that were not there: reports, canaries, an epoch's records."""

    reports: frozenset[RoundAndEvaluator] = frozenset()
    canaries: frozenset[CanaryBlob] = frozenset()
    epochs: frozenset[GatewayEpoch] = frozenset()

    def __or__(self, other: "Late") -> "Late":
        return Late(self.reports | other.reports, self.canaries | other.canaries, self.epochs | other.epochs)


NOTHING: Final = Late()


def together(some: Iterable[Late]) -> Late:
    """All of them."""
    found = NOTHING
    for one in some:
        found |= one
    return found


def without(evidence: RoundEvidence, late: Late) -> RoundEvidence:
    """The evidence as it is where some blobs are missing, and with an epoch's records what its round alone was told.

    That reports were committed to stays: the chain says so.
    """
    draws = tuple(draw for draw in evidence.draws if (draw.gateway, draw.epoch) not in late.epochs)
    rounds = {draw.round for draw in draws}
    canaries = {key: truth for key, truth in evidence.canaries.items() if (key.gateway, key.epoch) not in late.epochs}
    return replace(
        evidence,
        draws=draws,
        openings={key: one for key, one in evidence.openings.items() if key[0] in rounds and key not in late.reports},
        committed=frozenset(key for key in evidence.committed if key[0] in rounds),
        canaries={
            key: truth for key, truth in canaries.items() if (truth.author, key.gateway, key.epoch) not in late.canaries
        },
    )


def told(
    posted: QualityTable, evidence: RoundEvidence, *, before: QualityTable | None, rules: QualityRules
) -> Iterator[Late]:
    """What may have been late when a table was computed, if it was by the rules.

    Raises CheckFailed once READINGS_MAX of them were not enough: then nobody can tell.
    """
    choices = [*_reports_told(posted, evidence, before=before, rules=rules), *_canaries_told(posted, evidence)]
    yield from map(together, islice(product(*choices), READINGS_MAX))
    if prod(map(len, choices)) > READINGS_MAX:
        raise CheckFailed("what came late leaves more choices than can be tried")


def any_few(evidence: RoundEvidence) -> Iterator[Late]:
    """Everything that may have been late where no table tells, the fewest blobs first; at most READINGS_MAX choices."""
    blobs = [
        *(Late(reports=frozenset({key})) for key in sorted(evidence.openings)),
        *(Late(canaries=frozenset({blob})) for blob in sorted(_canary_blobs(evidence))),
        *(Late(epochs=frozenset({(draw.gateway, draw.epoch)})) for draw in evidence.draws),
    ]
    yield from map(together, islice(_fewest_first(blobs), READINGS_MAX))


def withheld_in(posted: QualityTable, before: QualityTable | None, *, rules: QualityRules) -> dict[bytes, int]:
    """How many duties a table counts as withheld since the one before, by evaluator.

    Their costs come last in the window that a balance shows, and they are among the duties that it counts as missed.
    """
    earlier = {row.evaluator: row.missed for row in before.balances} if before is not None else {}
    found = {}
    for row in posted.balances:
        costs = sum(1 for _ in takewhile(lambda cost: cost == -rules.pay.withheld_micros, reversed(row.window)))
        missed = row.missed - earlier.get(row.evaluator, 0)
        found[row.evaluator] = missed if costs >= rules.pay.window else min(costs, missed)
    return found


def absent_duties(evidence: RoundEvidence, *, rules: QualityRules) -> Counter[bytes]:
    """The duties whose reports were committed to and are not in the evidence, by evaluator."""
    owed = _owed(evidence, rules)
    found: Counter[bytes] = Counter()
    for key in evidence.committed - evidence.openings.keys():
        found[key[1]] += owed[key]
    return found


def canaries_in(posted: QualityTable) -> set[LeafKey]:
    """The leaves that a table takes for canaries; of a flagged node they are evidence against it, at full weight."""
    full = {
        change.key for change in posted.changes if change.cause == Cause.IDENTITY and change.weight_micros == MICROS
    }
    return full | {change.key for change in posted.changes if change.cause == Cause.CANARY}


def _reports_told(
    posted: QualityTable, evidence: RoundEvidence, *, before: QualityTable | None, rules: QualityRules
) -> Iterator[list[Late]]:
    """For each evaluator: which rounds' reports were late, so that their duties are those that the table counts as
    withheld and that are not absent now.
    """
    owed, absent = _owed(evidence, rules), absent_duties(evidence, rules=rules)
    withheld = withheld_in(posted, before, rules=rules)
    rounds: dict[bytes, list[RoundAndEvaluator]] = defaultdict(list)
    for key in sorted(evidence.openings):
        if owed[key]:
            rounds[key[1]].append(key)
    for evaluator, keys in rounds.items():
        late = withheld.get(evaluator, 0) - absent[evaluator]
        fitting = (some for some in islice(_fewest_first(keys), CHOICES_MAX) if sum(owed[key] for key in some) == late)
        yield [Late(reports=frozenset(some)) for some in islice(fitting, READINGS_MAX)] or [NOTHING]


def _canaries_told(posted: QualityTable, evidence: RoundEvidence) -> Iterator[list[Late]]:
    """For each blob: it was late if none of its canaries counts. Where they would count nowhere, it may have been."""
    counted = canaries_in(posted)
    nodes = {leaf.key: leaf.node for draw in evidence.draws for leaf in draw.leaves}
    for blob, keys in sorted(_canary_blobs(evidence).items()):
        showing = {key for key in keys if blob[0] not in (nodes.get(key), key.gateway)}
        late = Late(canaries=frozenset({blob}))
        yield [NOTHING, late] if not showing else [NOTHING] if showing & counted else [late]


def _canary_blobs(evidence: RoundEvidence) -> Mapping[CanaryBlob, list[LeafKey]]:
    found: dict[CanaryBlob, list[LeafKey]] = defaultdict(list)
    for key, truth in evidence.canaries.items():
        found[truth.author, key.gateway, key.epoch].append(key)
    return found


def _owed(evidence: RoundEvidence, rules: QualityRules) -> Counter[RoundAndEvaluator]:
    return Counter((duty.round, duty.evaluator) for duty in all_duties(evidence.draws, rules))


def _fewest_first(items: Sequence[Some]) -> Iterator[tuple[Some, ...]]:
    """All subsets, the empty one first."""
    return chain.from_iterable(combinations(items, size) for size in range(len(items) + 1))
