"""A small network with a seed: nodes of given quality, evaluators of given habits, rounds judged by `judge` itself.

Not a model of judging: only of who does what. All that follows is the product's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from dgrid.core.identity import model_id
from dgrid.core.keccak import keccak
from dgrid.core.money import BPS, WEI
from dgrid.poq.evidence import CanaryTruth, DrawnEpoch, EvaluatorFacts, LeafFacts, RoundEvidence
from dgrid.poq.panels import all_duties
from dgrid.poq.rounds import judge, table_id
from dgrid.poq.rules import DrawRules, PayRules, QualityRules
from dgrid.wire.messages import Privacy
from dgrid.wire.quality import Identity, LeafKey, QualityTable, Report, TaskType, Verdict

COURT, CHAIN = keccak(b"court")[:20], 31337
TASKS = (TaskType.EXTRACT, TaskType.CHOICE, TaskType.SUMMARY)

RULES = QualityRules(
    draw=DrawRules(quality_bps=5_000, identity_bps=2_000, committee_size=3, duty_cap=100),
    pay=PayRules(base_share_bps=8_000, gain_bps=1_000, evaluator_rate_wei=3 * WEI // 10_000, pool_cap_wei=WEI // 100),
)


def address(name: str) -> bytes:
    return keccak(name.encode())[:20]


def digest(model: str) -> bytes:
    return keccak(b"weights of " + model.encode())


@dataclass(frozen=True)
class Node:
    """What it claims to run, and how good its answers really are."""

    name: str
    model: str
    quality: float
    swapped_share: float = 0.0  # of its replies, run on another model
    swapped_quality: float = 0.0

    @property
    def address(self) -> bytes:
        return address(self.name)


@dataclass(frozen=True)
class Seen:
    """What an evaluator has before it when it scores: the truth as through a glass, and what anybody can read."""

    truth: float
    leaf: LeafFacts
    task: TaskType
    table: QualityTable | None
    rng: Random


Habit = Callable[[Seen], float]
WITHHELD = -1.0  # what a habit gives for a leaf that it leaves out


def honest(noise: float = 0.15, gain: float = 0.8, bias: float = 0.05) -> Habit:
    return lambda seen: 0.5 + bias + gain * (seen.truth - 0.5) + seen.rng.gauss(0, noise)


def constant(level: float = 0.7) -> Habit:
    return lambda seen: level


def near_constant(level: float = 0.7) -> Habit:
    return lambda seen: level + seen.rng.gauss(0, 0.02)


def at_random(seen: Seen) -> float:
    return seen.rng.random()


def inverted(noise: float = 0.15) -> Habit:
    return lambda seen: 1 - seen.truth + seen.rng.gauss(0, noise)


def boosting(by: float = 0.4, noise: float = 0.15) -> Habit:
    return lambda seen: honest(noise)(seen) + by


def sabotaging(by: float = 0.4, noise: float = 0.15) -> Habit:
    return lambda seen: honest(noise)(seen) - by


def exaggerating(seen: Seen) -> float:
    return 0.65 + 3 * (honest()(seen) - 0.65)


def copying(seen: Seen) -> float:
    """Repeats what the last table says of the node: all that a copycat can see before the reveal."""
    rows = seen.table.credibility if seen.table else ()
    of_node = {row.task: row.mean_bps / BPS for row in rows if row.node == seen.leaf.node}
    return of_node.get(seen.task, of_node.get("", 0.6)) + seen.rng.gauss(0, 0.02)


def withholding(share: float = 0.4, noise: float = 0.15) -> Habit:
    """Leaves out part of what it must report."""
    return lambda seen: WITHHELD if seen.rng.random() < share else honest(noise)(seen)


@dataclass(frozen=True)
class Evaluator:
    name: str
    habit: Habit
    framing: frozenset[bytes] = frozenset()  # nodes it slanders in identity checks
    shielding: frozenset[bytes] = frozenset()  # nodes it was bribed to find honest

    @property
    def address(self) -> bytes:
        return address(self.name)


@dataclass(frozen=True)
class Served:
    """A leaf and what nobody in the network sees: how good its answer is, and whether the model was the claimed one."""

    leaf: LeafFacts
    truth: float
    task: TaskType
    swapped: bool


@dataclass
class World:
    nodes: Sequence[Node]
    evaluators: Sequence[Evaluator]
    seed: int = 0
    rules: QualityRules = RULES
    leaves_per_round: int = 100
    canary_share: float = 0.3
    graded: float = 3.0  # concentration of the graded answers' scores; 0: right or wrong
    ease: Mapping[TaskType, float] = field(default_factory=dict)  # by how much answers to a type of task are better
    table: QualityTable | None = None
    truths: dict[LeafKey, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)
        self.earned: dict[bytes, int] = {}
        self._round = 0

    def play(self, rounds: int) -> QualityTable:
        for _ in range(rounds):
            self.advance(judge(self.table, self.evidence(), self.rules))
        assert self.table is not None
        return self.table

    def advance(self, table: QualityTable) -> None:
        """Goes on from a round that was judged."""
        self.table, self._round = table, self._round + 1

    def evidence(self) -> RoundEvidence:
        """One gateway's epoch, judged a round later."""
        served = [self._serve(sequence) for sequence in range(self.leaves_per_round)]
        self.truths |= {one.leaf.key: one.truth for one in served}
        models = frozenset(digest(node.model) for node in self.nodes)
        draw = DrawnEpoch(
            gateway=address("gateway"),
            epoch=self._round,
            round=self._round,
            seed=keccak(f"{self.seed}/{self._round}".encode()),
            expired=False,
            evaluators=tuple(EvaluatorFacts(one.address, 1_000 * WEI, models) for one in self.evaluators),
            leaves=tuple(one.leaf for one in served),
        )
        canaries = {
            one.leaf.key: CanaryTruth(round(one.truth * BPS), one.task, address("author"))
            for one in served
            if self.is_canary(one.leaf.key.sequence)
        }
        return RoundEvidence(
            chain_id=CHAIN,
            court=COURT,
            round=self._round,
            previous_table_id=table_id(self.table),
            draws=(draw,),
            openings=self._openings(draw, {one.leaf.key: one for one in served}),
            committed=frozenset((self._round, one.address) for one in self.evaluators),
            canaries=canaries,
        )

    def node_of(self, sequence: int) -> Node:
        """Who is asked."""
        return self.rng.choice(list(self.nodes))

    def is_canary(self, sequence: int) -> bool:
        return self.rng.random() < self.canary_share

    def _serve(self, sequence: int) -> Served:
        node = self.node_of(sequence)
        swapped = self.rng.random() < node.swapped_share
        task = self.rng.choice(TASKS)
        quality = node.swapped_quality if swapped else node.quality
        truth = self._truth(quality + self.ease.get(task, 0.0))
        part = self.rng.randrange(4, 6) * 10**15
        self.earned[node.address] = self.earned.get(node.address, 0) + part
        tokens_in, tokens_out = self.rng.randrange(30, 60), self.rng.randrange(5, 20)
        leaf = LeafFacts(
            key=LeafKey(address("gateway"), self._round, 0, sequence),
            receipt=keccak(f"{self.seed}/{self._round}/{sequence}".encode()),
            node=node.address,
            payer=address(f"payer {self.rng.randrange(4)}"),
            channel_id=keccak(b"channel"),
            model_id=model_id(node.model),
            model_digest=digest(node.model),
            fee_wei=part * 11 // 10,
            node_wei=part,
            protocol_wei=part // 49,
            node_total_wei=self.earned[node.address],
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            ttft_ms=40,
            total_ms=100,
            privacy=Privacy.COMMITTEE,
            flags=0,
        )
        return Served(leaf, truth, task, swapped)

    def _truth(self, quality: float) -> float:
        if not self.graded:
            return float(self.rng.random() < quality)
        return self.rng.betavariate(quality * self.graded, (1 - quality) * self.graded)

    def _openings(self, draw: DrawnEpoch, served: dict[LeafKey, Served]) -> dict[tuple[int, bytes], tuple[Report, ...]]:
        by_address = {one.address: one for one in self.evaluators}
        opened: dict[tuple[int, bytes], list[Report]] = {(self._round, one): [] for one in by_address}
        for duty in all_duties([draw], self.rules):
            evaluator, one = by_address[duty.evaluator], served[duty.leaf.key]
            score = evaluator.habit(Seen(one.truth, one.leaf, one.task, self.table, self.rng))
            if score != WITHHELD:
                opened[self._round, evaluator.address].append(_report(one, score, self.rng, evaluator=evaluator))
        return {owner: tuple(reports) for owner, reports in opened.items()}


def _report(one: Served, score: float, rng: Random, *, evaluator: Evaluator) -> Report:
    accuracy = min(BPS, max(0, round(score * BPS)))
    node = one.leaf.node
    apart = node in evaluator.framing or (one.swapped and node not in evaluator.shielding)
    gap = rng.randrange(300_000, 600_000) if apart else rng.randrange(2_000, 30_000)
    return Report(
        key=one.leaf.key,
        receipt=one.leaf.receipt,
        verdict=Verdict.JUDGED,
        task=one.task,
        format_bps=9_500,
        accuracy_bps=accuracy,
        consistency_bps=accuracy,
        cost_bps=5_000,
        identity=Identity(12, gap, 2 * gap, 0, -200_000),
    )
