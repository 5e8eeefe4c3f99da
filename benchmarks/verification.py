"""What judging costs beside serving: from trials of two networks, with and without judges, to the figures shown. Pure.

Every difference is of two trials of the same round, so that what disturbed the machine disturbed both; every figure is
the median over the rounds. Costs are above idling: what a network takes while nobody asks is a figure of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

from benchmarks.accounts import CANARIES, USERS, Accounts
from benchmarks.asking import Crowd
from benchmarks.figures import Target
from benchmarks.identity import CheckCost
from benchmarks.roles import IDENTITY, ROLES

IDENTITY_PERCENT_MAX = 3.5  # of inference, at a check rate of 5 %, on CPUs


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is judged. Shares of 1."""

    quality: float
    identity: float
    canaries: float
    committee: int

    @property
    def leaves(self) -> float:
        """Leaves that can be drawn, for each request of a user."""
        return 1 + self.canaries

    def __str__(self) -> str:
        shares = f"quality {self.quality:.0%}, identity {self.identity:.0%}, canaries {self.canaries:.0%}"
        return f"committee {self.committee}, {shares}"


PRODUCTION = Settings(quality=0.05, identity=0.05, canaries=0.05, committee=3)


@dataclass(frozen=True, slots=True)
class Window:
    """CPU seconds by role over so many seconds."""

    seconds: float
    cpu_s: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Trial:
    """One network, one round: idle, then asked at a fixed pace until all was settled, then asked as fast as it goes."""

    round: int
    is_judged: bool
    requests: int
    idle: Window
    paced: Window
    crowd: Crowd
    accounts: Accounts
    load: float

    def idle_share(self, role: str) -> float:
        """Of a core."""
        return self.idle.cpu_s[role] / self.idle.seconds

    def per_request_ms(self, role: str) -> float:
        """CPU above idling for each request of a user."""
        above_s = self.paced.cpu_s[role] - self.idle_share(role) * self.paced.seconds
        return max(0.0, above_s) / self.requests * 1e3

    @property
    def total_ms(self) -> float:
        return sum(map(self.per_request_ms, ROLES))


@dataclass(frozen=True, slots=True)
class Verification:
    """All trials of a run."""

    settings: Settings
    rate: float  # requests a second while paced
    trials: Sequence[Trial] = ()
    checks: Sequence[CheckCost] = field(default_factory=list)

    @property
    def judged(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.is_judged]

    @property
    def plain(self) -> list[Trial]:
        return [trial for trial in self.trials if not trial.is_judged]

    def paired(self, measure: Callable[[Trial, Trial], float]) -> float:
        """The median over the rounds of a measure of (judged, plain)."""
        plain = {trial.round: trial for trial in self.plain}
        return median(measure(trial, plain[trial.round]) for trial in self.judged if trial.round in plain)

    def more(self, measure: Callable[[Trial], float]) -> float:
        """The median over the rounds of what judging adds to a measure."""
        return self.paired(lambda judged, plain: measure(judged) - measure(plain))

    # --- processor time -----------------------------------------------------------------------------------------------

    @property
    def inference_ms(self) -> float:
        """The nodes of the network without judges, for each request of a user."""
        return middle(self.plain, lambda trial: trial.per_request_ms("node"))

    @property
    def serving_ms(self) -> float:
        """All roles of that network."""
        return middle(self.plain, lambda trial: trial.total_ms)

    @property
    def judging_ms(self) -> float:
        """What judges add, in all roles."""
        return self.more(lambda trial: trial.total_ms)

    @property
    def identity_share(self) -> float:
        """One check beside one answer, the engines alone, over all models."""
        return sum(cost.check_ms for cost in self.checks) / sum(cost.reply_ms for cost in self.checks)

    def judging_ms_at(self, goal: Settings) -> float:
        """What judging would add for each request of a user under other settings: each part scaled by what causes it.

        Evaluators' own work by judgements, identity checks by their number, an author's by canaries, and what serving
        roles do more by the requests that judging sends. An estimate: a round's transactions shrink with these parts
        only where there are fewer rounds.
        """
        judgements, checks = self._times(goal, goal.quality, self.settings.quality), self._checks(goal)
        canaries = goal.canaries / self.settings.canaries
        parts = {"evaluator": judgements, "encoder": judgements, IDENTITY: checks, "author": canaries}
        own = {role: self._judged_ms(role) for role in parts}
        rest_ms = self.judging_ms - sum(own.values())
        asked = (self.reruns_at(goal) + goal.canaries) / (self.reruns + self.canaries)
        return sum(own[role] * factor for role, factor in parts.items()) + rest_ms * asked

    @property
    def reruns(self) -> float:
        """Answers that evaluators asked for, for each request of a user."""
        return middle(self.judged, lambda trial: trial.accounts.reruns / trial.requests)

    @property
    def canaries(self) -> float:
        return middle(self.judged, lambda trial: trial.accounts.answers[CANARIES] / trial.requests)

    def reruns_at(self, goal: Settings) -> float:
        """Under other settings: a leaf that is drawn for its identity alone is not asked again."""
        return self.reruns * self._times(goal, goal.quality, self.settings.quality)

    def _checks(self, goal: Settings) -> float:
        return self._times(goal, goal.identity, self.settings.identity)

    def _times(self, goal: Settings, wanted: float, measured: float) -> float:
        """How many duties of a kind there would be for each that there was, by its shares of leaves."""
        leaves, size = goal.leaves / self.settings.leaves, goal.committee / self.settings.committee
        return wanted / measured * leaves * size

    def _judged_ms(self, role: str) -> float:
        return middle(self.judged, lambda trial: trial.per_request_ms(role))

    # --- money, promises ----------------------------------------------------------------------------------------------

    def fees_share(self, payer: str) -> float:
        """What a kind of payer spent for each unit that users spent."""
        return middle(self.judged, lambda trial: trial.accounts.fees_wei[payer] / trial.accounts.fees_wei[USERS])

    def targets(self) -> list[Target]:
        """One check of a drawn answer, as the promise has it, and a committee's, as it is."""
        one = 100 * PRODUCTION.identity * self.identity_share
        name = "identity checks at 5 %, of inference"
        return [
            Target(f"{name}, one of a drawn answer", IDENTITY_PERCENT_MAX, round(one, 1), "%"),
            Target(f"{name}, by a committee of three", IDENTITY_PERCENT_MAX, round(one * PRODUCTION.committee, 1), "%"),
        ]

    def to_json(self) -> dict[str, object]:
        """Everything, with the figures that the page shows."""
        figures = {
            "inference_ms": self.inference_ms,
            "serving_ms": self.serving_ms,
            "judging_ms": self.judging_ms,
            "judging_at_production_ms": self.judging_ms_at(PRODUCTION),
            "identity_check_of_reply": self.identity_share,
            "reruns_a_request": self.reruns,
            "reruns_a_request_at_production": self.reruns_at(PRODUCTION),
        }
        return {**asdict(self), "production": asdict(PRODUCTION), "figures": figures}


def middle(trials: Sequence[Trial], measure: Callable[[Trial], float]) -> float:
    """The median of a measure."""
    return median(map(measure, trials))
