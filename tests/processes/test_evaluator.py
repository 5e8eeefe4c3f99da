"""An evaluator as a real process, killed by force between its steps; the chain's clock is moved by hand."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.evaluator.stage import Stage, on_stage
from tests.processes.role_process import RoleProcess, running

from dgrid.chain.events import Role
from dgrid.chain.view import ChainView, Channel
from dgrid.core.identity import Address
from dgrid.core.money import WEI
from dgrid.engines.catalog import Catalog
from dgrid.evaluator.journal import FILE_NAME, Journal
from dgrid.evaluator.keys import EncryptionKey
from dgrid.wire.messages import QualityRoot
from dgrid.wire.quality import Verdict
from dgrid.wire.signatures import recover

NAME = "evaluator-9"
LONG_S = 40


async def until(stage: Stage, holds: Callable[[ChainView], bool]) -> ChainView:
    return await stage.watcher.until(holds, timeout_s=LONG_S)


def address(stage: Stage) -> Address:
    return stage.net.key(NAME).address


def paid_by(view: ChainView, payer: Address) -> list[Channel]:
    return [channel for channel in view.channels.values() if channel.config.payer == payer]


async def registered(stage: Stage) -> None:
    member = Role.EVALUATOR, address(stage)
    await until(stage, lambda view: member in view.declared and member in view.members)


def test_it_registers_its_key_and_its_models_and_pays_into_a_channel_at_the_gateway(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with running(stage.net, "evaluator", name=NAME) as role:
            await registered(stage)
            member = stage.view.members[Role.EVALUATOR, address(stage)]
            assert (member.endpoint, member.active) == (role.config.url, True)
            assert member.encryption_key == EncryptionKey.kept_in(role.config.folder).public
            declared = stage.view.declared[Role.EVALUATOR, address(stage)]
            assert set(declared) == {model.digest for model in Catalog.built_in().models}
            gateway = stage.network.books.key.address
            view = await until(stage, lambda view: bool(paid_by(view, member.address)))
            (channel,) = paid_by(view, member.address)
            assert (channel.config.gateway, channel.config.payer_authorizer) == (gateway, gateway)
            assert channel.deposited_wei == 20 * WEI
            assert role.stop() == 0

    on_stage(tmp_path, main, evaluators=0)


def test_what_it_does_not_know_it_says(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with running(stage.net, "evaluator", name=NAME) as role:
            expected = {"/v1/quality/7": 425, "/v1/quality/x": 400, "/v1/quality/-1": 400, "/v1/blobs": 404}
            for path, status in expected.items():
                assert (await role.ask("GET", path))[0] == status, path
            assert (await role.ask("POST", "/v1/quality/7"))[0] == 404
            status, health = await role.ask("GET", "/healthz")
            assert (status, health["role"], health["last_posted_round"]) == (200, "evaluator", -1)

    on_stage(tmp_path, main, evaluators=0)


def test_killed_by_force_after_every_step_it_commits_once_and_opens_what_it_committed(tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        async with running(stage.net, "evaluator", name=NAME) as role:
            await registered(stage)
            await stage.anchor(40, digest=Catalog.built_in().model("dgrid-nano").digest)
            where = stage.network.books.key.address, 40
            draw = (await until(stage, lambda view: where in view.draws)).draws[where]
            place, windows = (draw.round, address(stage)), stage.windows(draw.round)
            await again(role)
            await stage.disclose(draw)
            await reported(role, draw.round, count=len(await stage.duties(draw)))
            await again(role)
            await stage.go_to(windows.commit_from_s)
            word = (await until(stage, lambda view: place in view.commitments)).commitments[place]
            await again(role)
            await stage.go_to(windows.reveal_from_s)
            await until(stage, lambda view: place in view.openings)
            await again(role)
            assert stage.view.commitments[place] == word
            await stage.go_to(windows.post_from_s)
            view = await until(stage, lambda view: view.last_quality_round == draw.round)
            status, said = await role.ask("GET", f"/v1/quality/{draw.round}")
            root = QualityRoot.from_json(said["root"])
            assert (status, root) == (200, view.quality_roots[draw.round].root)
            signature = bytes.fromhex(said["signature"][2:])
            assert recover(stage.court.digest(root.struct_hash()), signature) == address(stage)
            assert role.stop() == 0

    on_stage(tmp_path, main, evaluators=0)


async def again(role: RoleProcess) -> None:
    role.kill()
    await role.start()


async def reported(role: RoleProcess, number: int, *, count: int) -> None:
    """Waits until the journal holds a report of every duty."""
    journal = Journal(role.config.folder / FILE_NAME)
    try:
        async with asyncio.timeout(LONG_S):
            while len(reports := journal.reports(number)) < count:
                await asyncio.sleep(0.1)
        assert {report.verdict for report in reports} == {Verdict.JUDGED}
    finally:
        journal.close()
