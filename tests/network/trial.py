"""A trial: a judged network with dishonest members in it, asked mixed questions.

What it comes to is read as a stranger reads it: from the chain and the archives alone.
"""

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean, median, pstdev
from typing import Any, TypeVar
from urllib.request import urlopen

from tests.conftest import ROOT
from tests.network.running import RunningNetwork, until

from dgrid.config import ChainConfig, EvaluatorConfig, NodeConfig, RoleConfig, load_role, to_toml
from dgrid.core.identity import Address, address_from_hex, model_id
from dgrid.core.money import BPS
from dgrid.processes.home import Home
from dgrid.settlement.reading import NetworkReader, reading
from dgrid.wire.quality import BalanceRow, CredibilityRow, PayoutKind, QualityTable

HONEST_NODES = ("node-1", "node-2", "node-3", "node-4", "node-5")
HONEST_EVALUATORS = tuple(f"evaluator-{number}" for number in range(1, 6))
CHEATING_NODES = {"impostor": "dgrid-mini", "replayer": "dgrid-micro", "overbiller": "dgrid-micro"}
CHEATING_EVALUATORS = ("lazy", "copycat", "withholder")
MIXED = ("dgrid-mini", "dgrid-micro", "dgrid-mini", "dgrid-nano", "dgrid-mini", "dgrid-micro", "auto")
SMALLER = ("dgrid-nano", "dgrid-micro", "dgrid-nano", "dgrid-mini")
APART_S = 0.1  # between one question and the next
AT_ONCE = 8
JUDGED_S = 120.0
WEI = 10**18

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """One question that was answered: by which node, as which model."""

    node: str
    model: str


@dataclass(frozen=True)
class Facts:
    """What the chain and the archives say of all that was judged."""

    table: QualityTable
    names: Mapping[Address, str]
    work_wei: Mapping[str, int]  # nodes' parts of judged receipts
    base_bps: int
    withheld: Counter[str]  # rounds for which an evaluator was penalized

    def rows(self, model: str) -> dict[str, CredibilityRow]:
        """What is believed of each node's work with a model, all tasks together, by the node's name."""
        wanted = model_id(model)
        return {
            self.names[Address(row.node)]: row
            for row in self.table.credibility
            if (row.model, row.task) == (wanted, "")
        }

    def balances(self) -> dict[str, BalanceRow]:
        return {self.names[Address(row.evaluator)]: row for row in self.table.balances}

    def paid_wei(self, node: str) -> int:
        """All that a node was credited for judged receipts: the base share, and what quality left of the rest."""
        quality = sum(
            row.total_wei
            for row in self.table.payouts
            if row.kind == PayoutKind.NODE and self.names.get(Address(row.payee)) == node
        )
        return self.work_wei[node] * self.base_bps // BPS + quality

    def flagged(self) -> set[str]:
        return {self.names[Address(row.node)] for row in self.table.suspicions if row.flagged_round >= 0}


@dataclass
class Trial:
    """A running network, who cheats in it, and what was asked of it."""

    network: RunningNetwork
    questions: Sequence[Any]
    asked: list[Asked] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    cheats: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def home(self) -> Home:
        return Home(self.network.home)

    # --- members ---

    def join_cheats(self) -> None:
        """Starts every dishonest build beside the honest members, and waits until they serve."""
        base = self.network.port_base
        for number, (cheat, model) in enumerate(CHEATING_NODES.items()):
            self._join("node", cheat, replace(self._like("node-1", NodeConfig, cheat, base + 70 + number), model=model))
        for number, cheat in enumerate(CHEATING_EVALUATORS):
            self._join("evaluator", cheat, self._like("evaluator-1", EvaluatorConfig, cheat, base + 80 + number))
        count = len(HONEST_NODES) + len(CHEATING_NODES)
        until(lambda: len(self.serving()) == count, what="the nodes", timeout_s=120)
        count = len(HONEST_EVALUATORS) + len(CHEATING_EVALUATORS)
        until(lambda: self.network.active_evaluators() == count, what="the evaluators", timeout_s=120)

    def _like(self, member: str, kind: type[T], name: str, port: int) -> T:
        """A member's configuration under another name."""
        home = self.home
        home.key(name)
        like: Any = load_role(kind, home.role_file(member))  # type: ignore[type-var]
        folder, key_file = home.role_folder(name).resolve(), home.key_file(name).resolve()
        changed: T = replace(like, name=name, folder=folder, key_file=key_file, port=port)
        return changed

    def _join(self, kind: str, cheat: str, config: RoleConfig) -> None:
        file = self.home.role_file(cheat)
        file.write_text(to_toml(config))
        command = [sys.executable, "-m", f"tests.network.dishonest.{kind}", cheat, str(file)]
        with self.home.log_file(cheat).open("ab") as log:
            self.cheats[cheat] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def serving(self) -> dict[str, str]:
        """The model of each node that serves, by the node's name."""
        nodes = self.network.dgrid("nodes", "--json").json["nodes"]
        return {self.name_of(node["address"]): node["model"] for node in nodes if node["state"] == "serving"}

    def sell(self, node: str, model: str) -> None:
        """Puts other weights into a node, whose operator says so."""
        file = self.home.role_file(node)
        file.write_text(to_toml(replace(load_role(NodeConfig, file), model=model)))
        self.network.kill(node)
        until(lambda: self.serving().get(node) == model, what=f"{node} with {model}", timeout_s=60)

    def stop(self, cheat: str) -> None:
        process = self.cheats[cheat]
        process.terminate()
        process.wait(10)

    def close(self) -> None:
        for process in self.cheats.values():
            process.terminate()
        for process in self.cheats.values():
            process.wait(10)

    def name_of(self, address: str) -> str:
        return self.names()[address_from_hex(address)]

    def names(self) -> dict[Address, str]:
        files = (self.network.home / "keys").glob("*.key")
        return {self.home.key(file.stem).address: file.stem for file in files}

    def believed(self) -> dict[str, Any]:
        """What the gateway says of each model: `judged_bps`, and the bounds of its interval."""
        models = self.network.openai().models.list()
        return {model.id: quality for model in models if (quality := getattr(model, "quality", None))}

    def faults(self, kind: str) -> int:
        """How often the gateway found nodes at fault in one way."""
        with urlopen(f"{self.network.status['gateway_urls'][0].removesuffix('/v1')}/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
        found = [line for line in lines if "node_faults" in line and f'"{kind}"' in line]
        return sum(int(float(line.rpartition(" ")[2])) for line in found)

    # --- asking ---

    def ask(self, count: int, *, models: Sequence[str] = MIXED, body: Mapping[str, Any] | None = None) -> list[Asked]:
        """Asks so many questions at an even pace and waits for the answers; `body` is added to each."""
        before, starts_s = len(self.asked), time.monotonic()
        client = self.network.openai(max_retries=0, timeout=60)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for number in range(count):
                time.sleep(max(0.0, starts_s + number * APART_S - time.monotonic()))
                model = models[number % len(models)]
                pool.submit(self._ask_one, client, model, dict(body or {}))
        return self.asked[before:]

    def _ask_one(self, client: Any, model: str, body: dict[str, Any]) -> None:
        question = self.questions[(len(self.asked) + len(self.failures)) % len(self.questions)]["messages"]
        try:
            reply = client.chat.completions.create(model=model, messages=question, temperature=0, extra_body=body)
        except Exception as error:  # noqa: BLE001 - how many fail is looked at afterwards
            self.failures.append(str(error))
        else:
            self.asked.append(Asked(self.name_of(reply.usage.dgrid["node"]), reply.model))

    # --- reading ---

    @property
    def chain(self) -> ChainConfig:
        status = self.network.status
        return ChainConfig((status["chain_rpc"],), status["chain_id"], status["contracts"])

    def read(self, work: Callable[[NetworkReader], Awaitable[T]]) -> T:
        """What can be read of the chain and the archives now."""

        async def main() -> T:
            async with reading(self.chain) as found:
                return await work(found)

        return asyncio.run(main())

    def judged(self) -> Facts:
        """Waits until all that was asked up to now is judged; what that comes to."""
        now_ms = int(time.time() * 1000)

        async def is_judged(found: NetworkReader) -> bool:
            epoch, last = found.view.clock.epoch_at(now_ms), found.view.last_quality_round
            return any(draw.epoch >= epoch and draw.round <= last for draw in found.view.draws.values())

        until(lambda: self.read(is_judged), what="the judgement", timeout_s=JUDGED_S)
        return self.read(self._facts)

    async def _facts(self, found: NetworkReader) -> Facts:
        table, names = await found.quality.latest_table(), self.names()
        assert table is not None
        work: Counter[str] = Counter()
        for draw in found.view.draws.values():
            if draw.round <= table.round:
                for document in (await found.quality.records_of(draw)).documents.values():
                    receipt = document.receipt
                    work[names[Address(receipt.parties.node)]] += receipt.shares.node
        withheld = Counter(names[evaluator] for _, evaluator in found.view.penalized)
        return Facts(table, names, work, found.view.facts.base_share_bps, withheld)


def least_of_median(values: Mapping[str, float]) -> float:
    """The smallest value as a share of the median."""
    return min(values.values()) / median(values.values())


def worth(row: BalanceRow) -> tuple[float, float]:
    """What one of an evaluator's latest judgements was worth on average, and the standard error of that."""
    return mean(row.window), pstdev(row.window) / len(row.window) ** 0.5


def live_table(trial: Trial, facts: Facts, *, heading: str) -> str:
    """Who was believed, asked and paid how much, as Markdown. `heading` says of which run."""
    return "\n".join([f"\nOne run ({heading}):\n", *_node_rows(trial, facts), "", *_evaluator_rows(facts), ""])


def _node_rows(trial: Trial, facts: Facts) -> Iterator[str]:
    yield "| Node | sells | believed (90 %) | found | of the requests | paid of its part |"
    yield "|---|---|---|---|---|---|"
    asked, flagged = Counter(one.node for one in trial.asked), facts.flagged()
    for model in ("dgrid-nano", "dgrid-micro", "dgrid-mini"):
        for node, row in sorted(facts.rows(model).items()):
            believed = f"{row.mean_bps / BPS:.2f} ({row.low_bps / BPS:.2f} to {row.high_bps / BPS:.2f})"
            state, share = "flagged" if node in flagged else "honest", asked[node] / len(trial.asked)
            paid = facts.paid_wei(node) / facts.work_wei[node] if facts.work_wei[node] else 0
            yield f"| {node} | {model} | {believed} | {state} | {share:.1%} | {paid:.4f} |"
        for cheat in sorted(cheat for cheat, sold in CHEATING_NODES.items() if sold == model):
            if cheat not in facts.rows(model):
                yield f"| {cheat} | {model} | never judged | – | {asked[cheat] / len(trial.asked):.1%} | – |"


def _evaluator_rows(facts: Facts) -> Iterator[str]:
    yield "| Evaluator | a judgement's worth, millionths | balance of honest ones' median | paid, DGAI | penalties |"
    yield "|---|---|---|---|---|"
    balances = facts.balances()
    middle = median(balances[honest].balance_micros for honest in HONEST_EVALUATORS)
    for name, row in sorted(balances.items()):
        told = "{:.0f} ± {:.0f}".format(*worth(row)) if row.window else "–"
        yield (
            f"| {name} | {told} | {row.balance_micros / middle:.2f}"
            f" | {row.paid_wei / WEI:.4f} | {facts.withheld[name]} |"
        )


def started(home: Path, port_base: int, questions: Sequence[Any]) -> Trial:
    """One gateway, five honest nodes, five honest evaluators, and everybody who cheats."""
    trial = Trial(RunningNetwork(home, port_base), questions)
    up = trial.network.up("--gateways", "1", "--nodes", str(len(HONEST_NODES)), "--evaluators", "5")
    assert up.code == 0, up.err
    trial.join_cheats()
    return trial
