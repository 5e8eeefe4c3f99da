"""The quality court on paper, for a gateway's stage."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from dgrid.chain.events import Role
from dgrid.chain.parameter_history import ParameterHistory
from dgrid.chain.parameters import Parameters
from dgrid.chain.view import Anchor, ChainView, Draw, DrawnEvaluator, Member
from dgrid.core.epochs import EpochClock
from dgrid.core.errors import NetworkUnreachable
from dgrid.core.identity import Address, Hash
from dgrid.wire.messages import EpochRoot
from dgrid.wire.typed import Domain, court_domain

COURT = court_domain(31337, b"\x13" * 20)
DRAWN_ALL = Parameters(quality_bps=10_000, identity_bps=0, committee_size=3, duty_cap=20)


@dataclass(slots=True)
class StagedCourt:
    """The court as finalized; draws every leaf unless told otherwise, for whichever evaluators a test names."""

    gateway: Address
    now_ms: Callable[[], int]
    clock: EpochClock
    evaluators: tuple[DrawnEvaluator, ...] = ()
    view: ChainView = field(default_factory=ChainView)
    down: bool = False
    fixed: list[int] = field(default_factory=list)
    disclosed: list[tuple[int, bytes]] = field(default_factory=list)
    domain: Domain = COURT

    def __post_init__(self) -> None:
        self.rule(DRAWN_ALL)

    def rule(self, parameters: Parameters) -> None:
        """Lets these count, from the first epoch on."""
        self.view = replace(self.view, parameters=ParameterHistory.of(parameters))

    def enrol(self, evaluators: tuple[DrawnEvaluator, ...]) -> None:
        """From now on these are active, with their models declared, and no others are drawn."""
        self.evaluators = evaluators
        for one in evaluators:
            who = Role.EVALUATOR, one.address
            self.view.members[who] = Member(*who, "", one.stake_wei, 0, bytes(32), one.encryption_key, active=True)
            self.view.declared[who] = one.models

    def anchored(self, root: EpochRoot) -> None:
        anchor = Anchor(root, Hash(root.struct_hash()), 7, self.now_ms(), b"\x77" * 32)
        self.view.roots[Address(root.gateway), root.epoch] = anchor

    def draw(self, epoch: int, *, seed: bytes = b"\x05" * 32) -> None:
        """Somebody has fixed the epoch's seed, and it is final."""
        now_ms = self.now_ms()
        judged_round = self.clock.epoch_at(now_ms + 250 * self.clock.length_s)  # a quarter is left to disclose it
        found = Draw(self.gateway, epoch, judged_round, seed, False, 11, now_ms, self.evaluators)
        self.view.draws[self.gateway, epoch] = found

    async def fix_seed(self, epoch: int) -> None:
        self.fixed.append(epoch)
        self.draw(epoch)

    async def disclose(self, draw: Draw, blob_id: bytes) -> None:
        if self.down:
            raise NetworkUnreachable("the chain is away")
        self.disclosed.append((draw.epoch, blob_id))
        self.view.disclosures[self.gateway, draw.epoch] = blob_id
