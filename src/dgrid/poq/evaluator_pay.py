"""What evaluators are paid: information, not agreement.

A task's value is (s − c_u)² − (s − c_t)²: how much closer the evaluator's score s lies to the others' consensus on this
task than to theirs on unrelated tasks of the same type. Its expectation is twice the covariance of s with what the
others (or a canary's truth) say, so a constant earns 0, an honest score in proportion to what it knows, an inverted one
loses. Paying for closeness instead would pay a constant best of all. Four things differ from the textbook form:

- The unrelated task is every other one of the type in the round, averaged: the same expectation, far less chance, and
  nothing to grind.
- Of scores and consensus alike, what the table already believed of the node is taken off. Who repeats the credibility
  that everybody can read (a stale copy) earns nothing.
- Scores are standardised by the evaluator's own canaries, so exaggerating earns nothing. Ranks would do the same, but
  need dozens of tasks of one type in a round.
- On a canary the truth stands for the consensus: a coalition that agrees on noise has nothing to agree with.

Values add up to a signed balance, never floored. Once enough tasks are judged, and while the latest window earned, what
the balance is worth beyond what was ever paid falls due: the growth of its high-water mark.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dgrid.core.money import BPS
from dgrid.poq.integers import clamp, nearest
from dgrid.poq.panels import Panel
from dgrid.poq.readings import Reading
from dgrid.poq.rules import MICROS, PayRules
from dgrid.wire.quality import BalanceRow, amount_of

SQUARED_BPS_PER_MICRO = BPS * BPS // MICROS
Believed = Callable[[Reading], int]  # what the table before says of a leaf's node on its task, in basis points


@dataclass(frozen=True, slots=True)
class Sums:
    """Of the references that one evaluator is measured against: how many, their sum, the sum of their squares."""

    count: int = 0
    total: int = 0
    squares: int = 0

    def plus(self, value: int) -> "Sums":
        return Sums(self.count + 1, self.total + value, self.squares + value * value)


@dataclass(slots=True)
class Earned:
    """One evaluator's round: values in millionths, in order of its tasks."""

    values: list[int] = field(default_factory=list)
    missed: int = 0
    withheld: int = 0


def information(score: int, reference: int, *, others: Sums) -> int:
    """The mean over u of (s − c_u)² less (s − c_t)², in millionths, to the nearest.

    `others` are the references on other tasks, at least one.
    """
    apart = others.squares - 2 * score * others.total + others.count * score * score
    return nearest(apart - others.count * (score - reference) ** 2, others.count * SQUARED_BPS_PER_MICRO)


def earned(readings: Sequence[Reading], found: Iterable[Panel], *, believed: Believed) -> dict[bytes, Earned]:
    """What each evaluator's reports were worth, and what it failed to report."""
    by_evaluator: dict[bytes, Earned] = defaultdict(Earned)
    by_task: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        by_task[reading.task].append(reading)
    for _, of_task in sorted(by_task.items()):
        known = [believed(reading) for reading in of_task]
        for evaluator in sorted({name for reading in of_task for name in reading.scores}):
            by_evaluator[evaluator].values += _values(evaluator, of_task, known=known)
    for panel in found:
        for member in panel.owing:
            account = by_evaluator[member.duty.evaluator]
            account.withheld += member.withheld
            account.missed += not member.withheld
    return dict(by_evaluator)


def credit(row: BalanceRow, gained: Earned, *, rules: PayRules) -> BalanceRow:
    """The account after a round, before anything of it is paid."""
    costs = [-rules.missed_micros] * gained.missed + [-rules.withheld_micros] * gained.withheld
    changes = [*gained.values, *costs]
    return BalanceRow(
        row.evaluator,
        row.tasks + len(gained.values),
        row.balance_micros + sum(changes),
        (*row.window, *changes)[-rules.window :],
        row.paid,
        row.missed + len(costs),
    )


def due_wei(row: BalanceRow, rules: PayRules) -> int:
    """What an account may be paid now; rounded down."""
    if row.tasks < rules.payable_tasks or sum(row.window) <= 0:
        return 0
    return max(0, row.balance_micros * rules.evaluator_rate_wei // MICROS - row.paid_wei)


def pay(rows: Sequence[BalanceRow], rules: PayRules) -> tuple[tuple[BalanceRow, int], ...]:
    """The accounts with what each is paid. What exceeds the pool's cap stays due: all are cut alike, rounded down."""
    wanted = [due_wei(row, rules) for row in rows]
    total = sum(wanted)
    if total > rules.pool_cap_wei:
        wanted = [wei * rules.pool_cap_wei // total for wei in wanted]
    return tuple((_paid(row, wei), wei) for row, wei in zip(rows, wanted, strict=True))


def new_balance(evaluator: bytes) -> BalanceRow:
    return BalanceRow(evaluator, 0, 0, (), amount_of(0), 0)


def balances_after(rows: Sequence[BalanceRow], gained: Mapping[bytes, Earned], *, rules: PayRules) -> list[BalanceRow]:
    """All accounts after the round, ascending by evaluator."""
    known = {row.evaluator: row for row in rows}
    for evaluator, account in gained.items():
        known[evaluator] = credit(known.get(evaluator) or new_balance(evaluator), account, rules=rules)
    return [row for _, row in sorted(known.items())]


def _values(evaluator: bytes, of_task: Sequence[Reading], *, known: Sequence[int]) -> list[int]:
    """One evaluator's values on one type of task."""
    references: list[int | None] = []
    sums = Sums()
    for reading, believed in zip(of_task, known, strict=True):
        reference = reading.reference(evaluator)
        references.append(None if reference is None else reference - believed)
        sums = sums if reference is None else sums.plus(reference - believed)
    values = []
    for reading, believed, reference in zip(of_task, known, references, strict=True):
        if reference is None or sums.count < 2 or evaluator not in reading.scores:
            continue
        standard = reading.calibrations[evaluator].standardize(reading.scores[evaluator])
        score = clamp(standard, 0, high=BPS) - believed
        others = Sums(sums.count - 1, sums.total - reference, sums.squares - reference * reference)
        values.append(information(score, reference, others=others))
    return values


def _paid(row: BalanceRow, wei: int) -> BalanceRow:
    return BalanceRow(
        row.evaluator, row.tasks, row.balance_micros, row.window, amount_of(row.paid_wei + wei), row.missed
    )
