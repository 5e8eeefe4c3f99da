"""An operator's home on a real chain, for tests of what is typed there."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Dgrid, Outcome
from tests.cli.foreign_chain import ForeignChain, foreign_chain

from dgrid.chain.contracts import Contracts
from dgrid.chain.devchain import DEV_CHAIN_ID
from dgrid.chain.enroll import Enroller, Enrolment
from dgrid.chain.events import Role
from dgrid.chain.parameters import tunable
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Sender
from dgrid.cli.wallet_config import chain_config
from dgrid.core.identity import Address
from dgrid.core.money import WEI
from dgrid.processes.home import Home
from dgrid.settlement.reading import reading
from dgrid.wire.http import HttpClient

STAKE = 1_500 * WEI
LINE, BOND = 300 * WEI, 1_000 * WEI


@dataclass
class Operator:
    """A home on a chain with the contracts, and a way to type in it."""

    dgrid: Dgrid
    chain: ForeignChain
    home: Path

    def types(self, *words: str) -> Outcome:
        return self.dgrid("--json", "--home", str(self.home), *words)

    def done(self, *words: str) -> Any:
        outcome = self.types(*words, "--yes")
        assert outcome.code == 0, outcome.err
        return outcome.data

    def address(self, name: str) -> Address:
        return Home(self.home).key(name).address

    def passes(self, seconds: int) -> None:
        self.chain.call("evm_increaseTime", seconds)
        self.chain.call("evm_mine")

    def reads(self, contract: str, function: str, *arguments: Any) -> Any:
        async def main() -> Any:
            http = HttpClient()
            config = chain_config(self.home)
            try:
                return await getattr(Contracts(config), contract).read(Rpc.of(config, http), function, arguments)
            finally:
                await http.close()

        return asyncio.run(main())

    def balance(self, name: str) -> int:
        found: int = self.reads("dgai", "balanceOf", self.address(name))
        return found

    def registers(self, name: str, role: Role) -> None:
        asyncio.run(self._register(name, role))

    async def _register(self, name: str, role: Role) -> None:
        config = chain_config(self.home)
        async with reading(config) as network:
            folder = Home(self.home).role_folder(name)
            sender = Sender(network.rpc, Home(self.home).key(name), folder=folder, chain_id=DEV_CHAIN_ID)
            enroller = Enroller(network.rpc, network.contracts, sender, dev=True)
            await enroller.enroll(Enrolment(role, "http://127.0.0.1:1", STAKE), network.view)
            if role is Role.GATEWAY:
                await enroller.ensure_bond(BOND)
                await enroller.ensure_lines({self.address("node-1"): LINE}, network.view)
            await sender.close()


@pytest.fixture
def operator(dgrid: Dgrid, tmp_path: Path) -> Iterator[Operator]:
    with foreign_chain(DEV_CHAIN_ID) as chain:
        found = Operator(dgrid, chain, tmp_path / "home")
        found.done("chain", "deploy", "--network", "dev", "--rpc", chain.urls[0])
        yield found


def now(operator: Operator, name: str) -> int:
    """A parameter's value in effect."""
    found: int = operator.reads("parameters", "get", tunable(name).index)
    return found
