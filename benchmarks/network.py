"""DGrid's gateway as `make up` configures it, over a real chain: alone on its core, everything else beside the load.

What differs from `make up`: one gateway, one node that answers at once (`benchmarks.node`), and a deposit, bond and
credit line large enough for the run.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from tests.devnet import deploy_contracts

from benchmarks.exchange import MODEL
from benchmarks.stacks import (
    LOAD_CORE,
    START_TIMEOUT_S,
    UNDER_TEST_CORE,
    CannotBenchmark,
    Stack,
    end,
    free_ports,
    last_lines,
    spawn,
)
from dgrid import __version__
from dgrid.chain.channels import ChannelTerms, open_channel
from dgrid.chain.deploy import dev_terms
from dgrid.chain.devchain import DEV_CHAIN_ID, DevChain
from dgrid.config import ChainConfig, GatewayConfig, NodeConfig, RoleConfig, to_toml
from dgrid.core.errors import DGridError
from dgrid.core.identity import api_key_tag
from dgrid.core.money import WEI
from dgrid.processes.home import Home, Plan, Ports
from dgrid.wire.http import ClientLimits, HttpClient
from dgrid.wire.typed import Domain, dgrid_domain

EPOCH_SECONDS = 20
DEPOSIT_WEI = 1_000_000 * WEI  # a request costs about 0.06 DGAI
LINE_WEI = 2_000_000 * WEI
STAKE_WEI = 1_000_000 * WEI  # the node may earn as much in epochs that nobody has judged: here no one ever does


@dataclass(slots=True)
class GatewayUnderTest:
    """A gateway that runs, its node to be asked without it, and what its books are checked with."""

    stack: Stack
    node: Stack
    folder: Path
    domain: Domain

    def stop(self) -> None:
        """Lets it seal and write everything."""
        self.stack.stop()


@asynccontextmanager
async def gateway_under_test(folder: Path) -> AsyncIterator[GatewayUnderTest]:
    """A chain with contracts, archives, a settler, a node and a funded channel, and the gateway that serves them."""
    home, ports = Home(folder / "home"), Ports(free_ports())
    home.make()
    chain = DevChain(folder=home.path / "chain", port=ports.chain, log_file=home.log_file("chain"))
    processes: list[subprocess.Popen[bytes]] = []
    try:
        await chain.start()
        contracts = await deploy_contracts(
            chain.rpc, terms=dev_terms(genesis_s=int(time.time()), epoch_seconds=EPOCH_SECONDS)
        )
        plan = Plan(home, ports, ChainConfig((chain.url,), DEV_CHAIN_ID, contracts), gateways=1, nodes=1)
        roles = plan.roles()
        processes += [_start(home, kind, config) for kind, config in roles]
        await _fund(chain, plan)
        (gateway,) = (started for started, (kind, _) in zip(processes, roles, strict=True) if kind == "gateway")
        stack = Stack("dgrid", ports.gateway(0), gateway.pid, home.api_key(), version=__version__)
        stack.processes = [gateway]
        await _until_served(stack, home)
        settlement = plan.chain.address("settlement")
        node = Stack("node", ports.node(0), path="/v1/dispatch", connections=(1,))
        yield GatewayUnderTest(stack, node, home.role_folder("gateway-1"), dgrid_domain(DEV_CHAIN_ID, settlement))
    finally:
        for process in reversed(processes):
            end(process)
        await chain.stop()


def _start(home: Home, kind: str, config: RoleConfig) -> subprocess.Popen[bytes]:
    """A role in a process of its own; the gateway alone on the core under test, the mock in the node's place."""
    module = "benchmarks.node" if kind == "node" else "dgrid.processes"
    home.role_folder(config.name).mkdir(exist_ok=True, mode=0o700)
    file = home.role_file(config.name)
    file.write_text(to_toml(_enriched(config)))
    given = [str(file), str(os.getpid())]
    command = [sys.executable, "-m", module, *(given if kind == "node" else [kind, *given])]
    core = UNDER_TEST_CORE if kind == "gateway" else LOAD_CORE
    return spawn(command, core=core, log=home.log_file(config.name))


def _enriched(config: RoleConfig) -> RoleConfig:
    if isinstance(config, GatewayConfig):
        return replace(config, credit_line_wei=str(LINE_WEI), bond_wei=str(2 * LINE_WEI))
    return replace(config, model=MODEL, stake_wei=str(STAKE_WEI)) if isinstance(config, NodeConfig) else config


async def _fund(chain: DevChain, plan: Plan) -> None:
    home, gateway = plan.home, plan.home.key("gateway-1").address
    await open_channel(
        chain.rpc,
        plan.chain,
        payer=home.key("user"),
        terms=ChannelTerms(gateway, gateway, api_key_tag(home.api_key())),
        amount_wei=DEPOSIT_WEI,
        journal=home.role_folder("user"),
    )


async def _until_served(stack: Stack, home: Home) -> None:
    """Until a chat is answered: the node is known, the channel is final."""
    http = HttpClient(ClientLimits(first_byte_s=5.0))
    question = msgspec.json.encode({"model": MODEL, "max_tokens": 220, "messages": [{"role": "user", "content": "Hi"}]})
    headers = {"authorization": f"Bearer {stack.api_key}", "content-type": "application/json"}
    url, said = f"http://127.0.0.1:{stack.port}/v1/chat/completions", "nothing"
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s and stack.processes[0].poll() is None:
        try:
            reply = await http.request("POST", url, body=question, headers=headers)
            said = (await reply.read()).decode()
            if reply.status == 200:
                await http.close()
                return
        except DGridError as error:
            said = error.message
        await asyncio.sleep(0.2)
    log = home.log_file("gateway-1")
    raise CannotBenchmark(f"DGrid's gateway does not serve: {said} | " + " | ".join(last_lines(log)))
