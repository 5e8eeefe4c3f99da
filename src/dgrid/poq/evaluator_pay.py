"""What evaluators are paid: information, not agreement.

A task's value is (s − c_u)² − (s − c_t)²: how much closer the evaluator's score s lies to the others' consensus on this
task than to theirs on unrelated tasks of the same type. Its expectation is twice the covariance of s with what the
others (or a canary's truth) say, so a constant earns 0, an honest score in proportion to what it knows, an inverted one
loses. Paying for closeness instead would pay a constant best of all. Four things differ from the textbook form:

- The unrelated task is every other one of the type in the round, averaged: the same expectation, far less chance, and
  nothing to grind. All others of the round together, of whatever type, count as one more: the few of a rare type are
  drawn towards everybody's mean (partial pooling, as Efron and Morris, 1977, shrink the means of small groups), and one
  that is alone is worth something too. Were they to count more, it would pay to know which types are hard.
- Of scores and consensus alike, what the table already believed of the node is taken off. Who repeats the credibility
  that everybody can read (a stale copy) earns nothing.
- Scores are standardised by the evaluator's own canaries, so exaggerating earns nothing. Ranks would do the same, but
  need dozens of tasks of one type in a round.
- On a canary the truth stands for the consensus: a coalition that agrees on noise has nothing to agree with.

Values add up to a signed balance, never floored. Once enough tasks are judged, and while the latest window earned, what
the balance is worth beyond what was ever paid falls due: the growth of its high-water mark.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

    def plus(self, value: int, *, times: int = 1) -> "Sums":
        """With a value so many times more; −1 takes it away."""
        return Sums(self.count + times, self.total + times * value, self.squares + times * value * value)

    def pooled(self, rest: "Sums") -> "Sums":
        """These, and the mean of the rest as one more; all times the number of the rest, so that it stays whole."""
        return Sums(
            (self.count + 1) * rest.count,
            self.total * rest.count + rest.total,
            self.squares * rest.count + rest.squares,
        )


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
    known = [believed(reading) for reading in readings]
    for evaluator in sorted({name for reading in readings for name in reading.scores}):
        by_evaluator[evaluator].values += _values(evaluator, readings, known=known)
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


def _values(evaluator: bytes, readings: Sequence[Reading], *, known: Sequence[int]) -> Iterator[int]:
    """One evaluator's values, in order of the readings; nothing of a round's only task."""
    references = [
        _beyond(reading.reference(evaluator), believed) for reading, believed in zip(readings, known, strict=True)
    ]
    everything, by_task = Sums(), defaultdict[str, Sums](Sums)
    for reading, reference in zip(readings, references, strict=True):
        if reference is not None:
            everything = everything.plus(reference)
            by_task[reading.task] = by_task[reading.task].plus(reference)
    for reading, believed, reference in zip(readings, known, references, strict=True):
        if reference is None or everything.count < 2 or evaluator not in reading.scores:
            continue
        standard = reading.calibrations[evaluator].standardize(reading.scores[evaluator])
        others = by_task[reading.task].plus(reference, times=-1).pooled(everything.plus(reference, times=-1))
        yield information(clamp(standard, 0, high=BPS) - believed, reference, others=others)


def _beyond(reference: int | None, believed: int) -> int | None:
    return None if reference is None else reference - believed


def _paid(row: BalanceRow, wei: int) -> BalanceRow:
    return BalanceRow(
        row.evaluator, row.tasks, row.balance_micros, row.window, amount_of(row.paid_wei + wei), row.missed
    )
