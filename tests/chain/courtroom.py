"""A settling network with evaluators and an author before a real court, its clock moved by the test."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.devnet import Devnet
from tests.settlement.network import STAKE_WEI, Settling, settling

from dgrid.chain import court
from dgrid.chain.court import EvaluatorSignature, PayoutClaim, Release
from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import PayoutClaimed, Role
from dgrid.chain.sender import Sender
from dgrid.chain.view import Draw
from dgrid.core.identity import Address
from dgrid.core.keccak import ZERO_HASH, keccak
from dgrid.core.money import WEI
from dgrid.wire.messages import QualityRoot
from dgrid.wire.quality import PayoutRow, payouts_tree
from dgrid.wire.typed import court_domain

MODEL_DIGEST = keccak(b"a model")


@dataclass
class Courtroom:
    """Who takes part, and the places of what was said."""

    network: Settling
    evaluators: dict[str, Sender] = field(default_factory=dict)
    previous: bytes = ZERO_HASH

    @property
    def net(self) -> Devnet:
        return self.network.net

    @property
    def gateway(self) -> Address:
        return self.network.books.key.address

    async def add_evaluators(self, *names: str) -> None:
        """Enrols evaluators that declare one model; waits until that is final."""
        for name in names:
            sender = self.evaluators[name] = await self.net.sender(name, dgai_wei=0)
            enrolment = Enrolment(Role.EVALUATOR, "http://127.0.0.1:1", STAKE_WEI, encryption_key=keccak(name.encode()))
            await Enroller(self.net.rpc, self.net.contracts, sender, dev=True).enroll(
                enrolment, self.network.watcher.latest
            )
            await court.declare_models(sender, self.net.contracts, role=Role.EVALUATOR, digests=[MODEL_DIGEST])
        await self.network.watcher.until(lambda view: len(view.declared) == len(self.evaluators), timeout_s=30)

    async def serve(self, epoch: int, *, nodes: Iterable[str] = ("node-1",)) -> None:
        """One payer's answers in one epoch, anchored and collected."""
        config = await self.network.open_channel("payer-1", amount_wei=10 * WEI)
        for node in nodes:
            self.network.books.answer(epoch, self.network.work(config, node, tokens_in=400_003, tokens_out=100_001))
        await self.network.anchor(epoch, self.network.voucher("payer-1", config, 10 * WEI))
        await self.network.loop.step()

    async def draw(self, epoch: int) -> Draw:
        """Fixes the seed of a served epoch and waits until it is final."""
        anyone = await self.net.sender("anyone", dgai_wei=0)
        await court.fix_seed(anyone, self.net.contracts, gateway=self.gateway, epoch=epoch)
        key = self.gateway, epoch
        view = await self.network.watcher.until(lambda view: key in view.draws, timeout_s=30)
        return view.draws[key]

    async def windows(self, round_: int) -> tuple[int, int, int, int]:
        """When a round's commits, reveals, canaries and root begin, in seconds."""
        found: tuple[int, int, int, int] = await self.net.contracts.quality_court.read(
            self.net.rpc, "windowsOf", [round_]
        )
        return found

    async def pass_until(self, second: int) -> None:
        """Moves the chain's clock on, to a little after the moment."""
        block = await self.net.rpc.block("latest")
        assert block is not None
        if block.timestamp_s <= second:
            await self.net.pass_time(second - block.timestamp_s + 1)

    def root(self, round_: int, rows: tuple[PayoutRow, ...], releases: tuple[Release, ...]) -> QualityRoot:
        """The root that a table with these pay-outs has."""
        tree = payouts_tree(rows)
        return QualityRoot(
            round_,
            self.net.contracts.dgai.address,
            keccak(b"credibility"),
            tree.root.hash,
            tree.count,
            tree.root.total,
            court.release_hash(releases),
            keccak(b"table"),
            self.previous,
        )

    def sign(self, root: QualityRoot, *names: str) -> list[EvaluatorSignature]:
        domain = court_domain(DEV_CHAIN_ID, self.net.contracts.quality_court.address)
        digest = domain.digest(root.struct_hash())
        return [EvaluatorSignature(self.net.key(name).address, self.net.key(name).sign(digest)) for name in names]

    async def claim(self, rows: list[PayoutClaim]) -> tuple[PayoutClaimed, ...]:
        """Claims once the last root's challenge window is over."""
        await self.net.pass_time(3)
        return await court.claim_payouts(await self.net.sender("anyone", dgai_wei=0), self.net.contracts, rows=rows)


async def courtroom(net: Devnet, *evaluators: str) -> Courtroom:
    room = Courtroom(await settling(net, archives=1))
    await room.add_evaluators(*evaluators)
    return room


def commitment(name: str, net: Devnet, *, round_: int) -> bytes:
    """What the evaluator of that name commits to."""
    return court.commitment_of(
        net.key(name).address, round_, reports_root=keccak(b"reports of " + name.encode()), salt=keccak(b"salt")
    )
