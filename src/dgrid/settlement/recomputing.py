"""Computes a posted round again and says every difference: was the draw obeyed, what was opened, does the table follow.

An auditor's half of judging: it believes the chain and checked blobs, nobody's table. It reads no content: whether a
report is fair is what canaries, other evaluators and the table's own history tell, and of public leaves their grounds
(`evaluator.rescoring`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from dgrid.core.identity import to_hex
from dgrid.poq.draw import Duty
from dgrid.poq.evidence import RoundEvidence
from dgrid.poq.identity import Likelihood, laundering, panel_finding
from dgrid.poq.panels import Panel, all_duties, panels
from dgrid.poq.rounds import judge
from dgrid.settlement.quality import CollectedRound, QualityReader
from dgrid.settlement.rounds import posted_before, root_of, rules_of
from dgrid.wire.messages import QualityRoot
from dgrid.wire.quality import LeafKey, QualityTable, Report, Verdict

DIFFERENCES_MAX = 100
KEYS: dict[str, int] = {
    "credibility": 3,
    "calibration": 2,
    "balances": 1,
    "suspicions": 2,
    "payouts": 3,
    "levels": 2,
    "waiting": 3,
}
"""The sections of a table whose rows begin with what they are about, and how many fields that is."""

Reported = tuple[int, bytes, LeafKey]  # round, evaluator, leaf


@dataclass(frozen=True, slots=True)
class Obedience:
    """Who reported what of what the seed said."""

    drawn: int  # leaves that somebody had to judge
    duties: int
    reported: int  # duties that an opened report answers
    undisclosed: int  # of those, reports that say that the content was not given
    missed: tuple[Reported, ...]
    unbidden: tuple[Reported, ...]  # reports on leaves that were not the evaluator's: they count for nothing


@dataclass(frozen=True, slots=True)
class RoundAudit:
    """What computing a round again found; `ok` when what was posted is what follows."""

    round: int
    is_posted: bool
    root: QualityRoot  # as computed
    table: QualityTable  # likewise
    obedience: Obedience
    refused: tuple[str, ...]  # openings that count for nothing, and why
    differences: tuple[str, ...]
    collected: CollectedRound
    duties: tuple[Duty, ...]
    likelihoods: tuple[Likelihood, ...]  # of what nodes answered, to the models that they claim

    @property
    def ok(self) -> bool:
        return not self.differences


async def recompute(reader: QualityReader, judged_round: int, *, token: bytes) -> RoundAudit:
    """Computes a round and compares it with what was posted, if anything was. Raises as `QualityReader.collect`."""
    collected = await reader.collect(judged_round, with_grounds=True)
    view = reader.view
    rules = rules_of(view, judged_round)
    table = judge(collected.table, collected.evidence, rules)
    root = root_of(table, token=token, previous=posted_before(view, judged_round))
    posted = view.quality_roots.get(judged_round)
    differences: list[str] = []
    if posted is not None:
        differences += _root_differences(posted.root, root)
        if posted.root.blob_id != root.blob_id:
            differences += table_differences(await reader.table(judged_round), table)
    owed = all_duties(collected.evidence.draws, rules)
    return RoundAudit(
        judged_round,
        posted is not None,
        root,
        table,
        obedience_of(collected.evidence, owed),
        collected.refused,
        tuple(differences[:DIFFERENCES_MAX]),
        collected,
        owed,
        likelihoods_of(panels(collected.evidence, rules)),
    )


def obedience_of(evidence: RoundEvidence, owed: Iterable[Duty]) -> Obedience:
    """Compares what had to be reported with what was."""
    wanted = {(duty.round, duty.evaluator, duty.leaf.key) for duty in owed}
    told: dict[Reported, Report] = {
        (judged_round, evaluator, report.key): report
        for (judged_round, evaluator), reports in evidence.openings.items()
        for report in reports
    }
    answered = wanted & told.keys()
    return Obedience(
        len({key for _, _, key in wanted}),
        len(wanted),
        len(answered),
        sum(told[one].verdict == Verdict.UNDISCLOSED for one in answered),
        tuple(sorted(wanted - told.keys())),
        tuple(sorted(told.keys() - wanted)),
    )


def likelihoods_of(found: Iterable[Panel]) -> tuple[Likelihood, ...]:
    """What identity checks say of nodes' texts, by node and model; of each reply what its panel found."""
    told = ((one.leaf.node, one.leaf.model_id, panel_finding(one.identities)) for one in found)
    return laundering((node, model, finding) for node, model, finding in told if finding is not None)


def _root_differences(posted: QualityRoot, computed: QualityRoot) -> Iterator[str]:
    for name in posted.__struct_fields__:
        found, expected = getattr(posted, name), getattr(computed, name)
        if found != expected:
            yield f"the root's {name.replace('_', ' ')} is {_shown(found)}; computed: {_shown(expected)}"


def table_differences(posted: QualityTable, computed: QualityTable) -> Iterator[str]:
    """Every row in which two tables differ."""
    for name in posted.__struct_fields__:
        found, expected = getattr(posted, name), getattr(computed, name)
        if found == expected:
            continue
        if name in KEYS:
            yield from _row_differences(name, _by_key(found, KEYS[name]), _by_key(expected, KEYS[name]))
        elif isinstance(found, tuple):
            yield f"the table's {name} are not what follows: {len(found)} against {len(expected)}"
        else:
            yield f"the table's {name} is {_shown(found)}; computed: {_shown(expected)}"


def _by_key(rows: Sequence[msgspec.Struct], size: int) -> dict[tuple[Any, ...], msgspec.Struct]:
    return {msgspec.structs.astuple(row)[:size]: row for row in rows}


def _row_differences(
    name: str, posted: Mapping[tuple[Any, ...], msgspec.Struct], computed: Mapping[tuple[Any, ...], msgspec.Struct]
) -> Iterator[str]:
    for key in sorted(posted.keys() | computed.keys()):
        where = f"{name} of {', '.join(map(_shown, key))}"
        found, expected = posted.get(key), computed.get(key)
        if found is None or expected is None:
            yield f"{where}: {'only computed' if found is None else 'only posted'}"
        elif found != expected:
            yield f"{where}: {_fields_that_differ(found, expected)}"


def _fields_that_differ(found: msgspec.Struct, expected: msgspec.Struct) -> str:
    pairs = ((name, getattr(found, name), getattr(expected, name)) for name in found.__struct_fields__)
    return "; ".join(f"{name} {_shown(one)}, computed {_shown(other)}" for name, one, other in pairs if one != other)


def _shown(value: object) -> str:
    return to_hex(value) if isinstance(value, bytes) else str(value)
