"""One running network on this machine: the chain, the roles, and what is said of them."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec

from dgrid.chain.channels import ChannelTerms, open_channel
from dgrid.chain.contracts import Contracts
from dgrid.chain.devchain import DevChain
from dgrid.chain.funding import fund_dev
from dgrid.chain.listings import list_model
from dgrid.chain.sender import Sender
from dgrid.config import ChainConfig, RoleConfig
from dgrid.core.epochs import EpochClock
from dgrid.core.errors import DGridError, NetworkUnreachable
from dgrid.core.identity import api_key_tag, to_hex
from dgrid.core.money import BPS, WEI, Price
from dgrid.engines.encoder_server import encoder_file
from dgrid.processes.deploying import deployed
from dgrid.processes.home import HOME_NAME, HOST, MODELS_OF_NODES, Home, Plan, Ports, write_atomically
from dgrid.processes.supervisor import Supervisor
from dgrid.wire.http import ClientLimits, HttpClient

READY_TIMEOUT_S = 90.0
CREATOR_PRICE = Price(2 * WEI, 4 * WEI)  # per million tokens, above what the nodes ask
DEPOSIT_WEI = 1000 * WEI  # the home's API key starts with this much at each gateway
VOTES_WEI = 100_000_000 * WEI  # what the home's user holds: a tenth of the supply, where a quorum is 4 %
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What to run, and how."""

    home: Path
    gateways: int = 2
    nodes: int = 5
    evaluators: int = 5
    epoch_seconds: int = 20
    restart: bool = True
    detach: bool = False
    port_base: int | None = None  # the home's, if it has one


class Network:
    """One running network: the chain, the roles, and what is said of them."""

    def __init__(self, options: UpOptions, home: Home, say: Say) -> None:
        self.options, self.home, self.say = options, home, say
        self.ports = Ports(home.port_base(options.port_base))
        self.chain = DevChain(folder=home.path / "chain", port=self.ports.chain, log_file=home.log_file("chain"))
        self.http = HttpClient(ClientLimits(first_byte_s=5.0))
        self.supervisor = Supervisor(restart=options.restart, on_change=self._write_status)
        self.plan: Plan | None = None
        self._ready = False

    async def run(self) -> int:
        """Start, serve until a signal, stop."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        self.home.status_file.unlink(missing_ok=True)
        starting = asyncio.create_task(self._start())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                starting.result()
                await stop.wait()
        finally:
            starting.cancel()
            await self._stop()
        return 0

    async def _start(self) -> None:
        started_s = time.monotonic()
        await self.chain.start()
        self.say(f"chain      {self.chain.url}")
        self.plan = await self._plan()
        self.plan.write()
        self._run_roles(self.plan.serving())
        await self._list_models()
        await self._fund_channels()
        self.say("wallet     channels funded at every gateway")
        await self._until_ready()
        self._run_roles([*self.plan.judging(), *self.plan.watching()])  # last: nobody who asks has to wait for them
        self._ready = True
        self._write_status()
        self._announce(time.monotonic() - started_s)

    def _run_roles(self, roles: Sequence[tuple[str, RoleConfig]]) -> None:
        for kind, config in roles:
            files = self.home.role_file(config.name), self.home.log_file(config.name)
            self.supervisor.add(kind, config.name, config_file=files[0], log_file=files[1])
        if roles:
            self.say(f"roles      {', '.join(config.name for _, config in roles)}")

    async def _plan(self) -> Plan:
        """The plan over deployed contracts; deploys them in a new home."""
        options, home = self.options, self.home
        home.api_key()
        created: list[str] = []
        known = await deployed(
            home,
            self.chain.rpc,
            epoch_seconds=options.epoch_seconds,
            now_s=int(time.time()),
            say=lambda name, _: created.append(name),
        )
        if created:
            self.say("contracts  deployed")
        if known.epoch_seconds != options.epoch_seconds:
            self.say(f"epochs     {known.epoch_seconds} s, as when this home began")
        chain = ChainConfig((self.chain.url,), known.chain_id, known.contracts)
        self.clock = EpochClock(known.genesis_s, known.epoch_seconds)
        sizes = options.gateways, options.nodes, options.evaluators
        return Plan(home, self.ports, chain, *sizes, has_encoder=self._has_encoder())

    def _has_encoder(self) -> bool:
        if not self.options.evaluators:
            return False
        try:
            encoder_file()
        except DGridError as error:
            self.say(f"encoder    none, so answers are judged by rules alone: {error.hint}")
            return False
        return True

    async def _list_models(self) -> None:
        """The built-in models' creator lists them, so that its share of every fee is there to be claimed."""
        assert self.plan is not None
        chain, creator = self.plan.chain, self.home.key("creator")
        contracts = Contracts(chain)
        if await contracts.listings.read(self.chain.rpc, "count"):
            return
        await fund_dev(self.chain.rpc, contracts, address=creator.address)
        sender = Sender(self.chain.rpc, creator, folder=self.home.role_folder("creator"), chain_id=chain.chain_id)
        try:
            await sender.settle()
            for model in sorted(set(MODELS_OF_NODES)):
                shares = {creator.address: BPS}
                await list_model(sender, contracts, model=model, price=CREATOR_PRICE, shares_bps=shares)
        finally:
            await sender.close()

    async def _fund_channels(self) -> None:
        """The user's DGAI, enough for a quorum; and one channel a gateway for the home's API key, filled up to the
        starting deposit when it is new.
        """
        assert self.plan is not None
        user, tag = self.home.key("user"), api_key_tag(self.home.api_key())
        await fund_dev(self.chain.rpc, Contracts(self.plan.chain), address=user.address, dgai_wei=VOTES_WEI)
        for index in range(self.options.gateways):
            gateway = self.home.key(f"gateway-{index + 1}").address
            await open_channel(
                self.chain.rpc,
                self.plan.chain,
                payer=user,
                terms=ChannelTerms(gateway, authorizer=gateway, tag=tag),
                amount_wei=DEPOSIT_WEI,
                journal=self.home.role_folder("user"),
            )

    async def _until_ready(self) -> None:
        """Until every gateway serves: it sees its channels, and every node serves it on credit."""
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        waiting = list(range(self.options.gateways))
        while waiting:
            waiting = [index for index in waiting if not await self._serves(index)]
            if time.monotonic() > deadline_s:
                late = ", ".join(self.gateway_urls[index] for index in waiting)
                raise NetworkUnreachable(
                    f"not ready after {READY_TIMEOUT_S:.0f} s: {late}",
                    hint=f"look into {self.home.path / 'logs'}, or run `dgrid doctor`",
                )
            if waiting:
                await asyncio.sleep(0.1)

    async def _serves(self, index: int) -> bool:
        """Whether a gateway knows the home's API key, and it and every node have each other at hand, on credit."""
        gateway = to_hex(self.home.key(f"gateway-{index + 1}").address)
        nodes = [f"http://{HOST}:{self.ports.node(node)}" for node in range(self.options.nodes)]
        try:
            await self._get(f"{self.gateway_urls[index]}/v1/account")
            for node in nodes:
                await self._get(f"{node}/readyz?gateway={gateway}")
            known = msgspec.json.decode(
                await self._get(f"{self.gateway_urls[index]}/v1/network/nodes"), type=KnownNodes
            )
        except (DGridError, msgspec.DecodeError):
            return False
        return sum(node.state == "serving" for node in known.nodes) >= len(nodes)

    async def _get(self, url: str) -> bytes:
        """The body of a 200. Raises DGridError."""
        reply = await self.http.request("GET", url, headers={"authorization": f"Bearer {self.home.api_key()}"})
        body = await reply.read()
        if reply.status != HTTPStatus.OK:
            raise NetworkUnreachable(f"{url} answers {reply.status}")
        return body

    async def _stop(self) -> None:
        if self.supervisor.processes:
            self.say("stopping …")
        await self.supervisor.stop()
        await self.http.close()
        await self.chain.stop()
        self.home.status_file.unlink(missing_ok=True)
        self.say("stopped; `make up` resumes where this ended")

    @property
    def gateway_urls(self) -> list[str]:
        return [f"http://{HOST}:{self.ports.gateway(index)}" for index in range(self.options.gateways)]

    def _write_status(self) -> None:
        """status.json appears once the network serves, and follows every start and death of a role."""
        if self._ready:
            write_atomically(self.home.status_file, msgspec.json.encode(self._status()))

    def _status(self) -> dict[str, Any]:
        assert self.plan is not None
        now_ms = int(time.time() * 1000)
        epoch = self.clock.epoch_at(now_ms)
        return {
            "schema": "dgrid.status/1",
            "pid": os.getpid(),
            "gateway_url": f"{self.gateway_urls[0]}/v1",
            "gateway_urls": [f"{url}/v1" for url in self.gateway_urls],
            "api_key_file": str(self.home.api_key_file.resolve()),
            "chain_rpc": self.chain.url,
            "chain_id": self.plan.chain.chain_id,
            "contracts": self.plan.chain.contracts,
            "status_url": f"{self.gateway_urls[0]}/status",
            "processes": [self._chain_process(), *self._role_processes()],
            "epoch": {"number": epoch, "closes_at_ms": self.clock.closes_at_ms(epoch), **asdict(self.clock)},
        }

    def _chain_process(self) -> dict[str, Any]:
        return {
            "role": "chain",
            "name": "chain",
            "pid": self.chain.pid or 0,
            "address": None,
            "url": self.chain.url,
            "state": "running" if self.chain.is_running else "dead",
        }

    def _role_processes(self) -> list[dict[str, Any]]:
        assert self.plan is not None
        urls = {config.name: config.url for _, config in self.plan.roles()}
        return [
            {
                "role": role.kind,
                "name": role.name,
                "pid": role.pid,
                "address": to_hex(self.home.key(role.name).address),
                "url": urls[role.name],
                "state": role.state,
            }
            for role in self.supervisor.processes
        ]

    def _announce(self, seconds: float) -> None:
        key = self.home.api_key()
        url = f"{self.gateway_urls[0]}/v1"
        path = self.home.path
        command = "dgrid" if path.name == HOME_NAME and Path.cwd() == path.parent else f"dgrid --home {path}"
        command = ".venv/bin/" + command if Path(".venv/bin/dgrid").exists() else command
        status = f"{self.gateway_urls[0]}/status"
        words = {"url": url, "key": key, "status": status, "command": command, "question": QUESTION}
        self.say(WELCOME.format(seconds=seconds, **words))
        self.say(f"ready {url}")


class KnownNode(msgspec.Struct):
    """What the start looks at in a gateway's view of a node."""

    state: str


class KnownNodes(msgspec.Struct):
    nodes: list[KnownNode]


QUESTION = "Tim plays the cello. Which instrument does Tim play?"  # every built-in model can answer it
WELCOME = """
DGrid is up after {seconds:.1f} s.

  base URL   {url}
  API key    {key}
  status     {status}
  stop       `{command} down`, or Ctrl-C in the terminal that it runs in

Ask in the terminal:
  {command} chat "Maria lives in Oslo. She works as a nurse. Where does Maria live?"

With curl:
  curl {url}/chat/completions -H "Authorization: Bearer {key}" \\
    -H "Content-Type: application/json" \\
    -d '{{"model": "auto", "messages": [{{"role": "user", "content": "{question}"}}]}}'

With Python (pip install openai):
  from openai import OpenAI
  client = OpenAI(base_url="{url}", api_key="{key}")
  question = [{{"role": "user", "content": "{question}"}}]
  print(client.chat.completions.create(model="auto", messages=question).choices[0].message.content)
"""
