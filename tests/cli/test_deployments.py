"""`dgrid chain deploy` on a chain of another id: what it asks, what it refuses, and that it never makes two sets."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tests.chain.test_sender_crashes import Killed, Mortal, Step
from tests.cli.conftest import Dgrid, Outcome
from tests.cli.foreign_chain import BSC_TESTNET, ForeignChain, foreign_chain
from tests.devnet import free_port, key_of

from dgrid.chain.deploy import ORDER, strange_contracts
from dgrid.chain.devchain import DEV_ACCOUNT
from dgrid.chain.networks import AddressBook, Stage
from dgrid.chain.parameters import bsc_parameters
from dgrid.chain.rpc import Rpc
from dgrid.chain.transactions import Transaction
from dgrid.cli.deployments import DeployPlan, Wish, carry_out, plan_deployment
from dgrid.cli.wallet_config import chain_config
from dgrid.core.identity import to_hex
from dgrid.core.money import WEI
from dgrid.processes.home import Home
from dgrid.wire.http import HttpClient

DEPLOYER = key_of("deployer")


@pytest.fixture
def chain() -> Iterator[ForeignChain]:
    with foreign_chain() as found:
        found.fund(to_hex(DEPLOYER.address))
        yield found


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "deployer.key"
    path.write_text(DEPLOYER.secret.hex())
    return path


@pytest.fixture
def deploy(dgrid: Dgrid, chain: ForeignChain, key_file: Path) -> Callable[..., Outcome]:
    """Types the command; more words come after."""

    def typed(*more: str, home: str = "home", key: Path = key_file) -> Outcome:
        words = ["--json", "--home", home, "chain", "deploy", "--network", "bsc-testnet", "--key-file", str(key)]
        return dgrid(*words, *chain.rpc_options, *more)

    return typed


def book_of(home: Path) -> AddressBook:
    return AddressBook.decode(Home(home).deployment_file(BSC_TESTNET).read_bytes())


def wish_of(home: Path, chain: ForeignChain, key_file: Path) -> Wish:
    return Wish(home, "bsc-testnet", chain.urls, key_file)


def check_one_whole_set(chain: ForeignChain, home: Path) -> None:
    """The book's contracts lie on the chain, and the deployer has created nothing else."""
    book = book_of(home)
    assert book.stage is Stage.DEPLOYED

    async def main() -> None:
        http = HttpClient()
        assert await strange_contracts(Rpc([chain.urls[0]], http), book.contracts) == []
        await http.close()

    asyncio.run(main())
    assert chain.count(book.deployer) == len(ORDER)


def test_a_deployment_shows_its_cost_first_and_is_what_roles_read_afterwards(
    deploy: Callable[..., Outcome], chain: ForeignChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = deploy()
    assert asked.error["code"] == "declined"
    assert chain.count(to_hex(DEPLOYER.address)) == 0
    done = deploy("--yes")
    assert done.code == 0, done.err
    home = tmp_path / "home"
    check_one_whole_set(chain, home)
    spent = 10 * WEI - int(chain.call("eth_getBalance", to_hex(DEPLOYER.address), "latest"), 16)
    assert spent <= int(done.data["cost_wei"])
    gas = sum(gas_of_creations(chain))
    assert abs(done.data["gas"] - gas) < gas // 100  # what was shown is what it took
    settings = chain_config(home)
    assert (settings.chain_id, settings.contracts) == (BSC_TESTNET, done.data["contracts"])
    assert settings.rpc_urls == chain.urls
    Home(home).wallet_file.unlink()  # an operator elsewhere has the book alone, and endpoints of its own
    monkeypatch.setenv("DGRID_CHAIN_RPC", ",".join(chain.urls))
    assert chain_config(home) == settings
    assert book_of(home).parameters["minimum_stake_wei"] == str(bsc_parameters().minimum_stake_wei)


def gas_of_creations(chain: ForeignChain) -> Iterator[int]:
    for number in range(int(chain.call("eth_blockNumber"), 16) + 1):
        block = chain.call("eth_getBlockByNumber", hex(number), False)
        for name in block["transactions"]:
            yield int(chain.call("eth_getTransactionReceipt", name)["gasUsed"], 16)


def test_once_more_creates_nothing_and_checks_everything(
    deploy: Callable[..., Outcome], chain: ForeignChain, tmp_path: Path
) -> None:
    first = deploy("--yes")
    again = deploy()  # nothing to agree to
    assert again.code == 0, again.err
    assert again.data["created"] == []
    assert again.data["contracts"] == first.data["contracts"]
    check_one_whole_set(chain, tmp_path / "home")
    chain.call("anvil_setCode", first.data["contracts"]["registry"], "0x00")
    broken = deploy()
    assert (broken.code, broken.error["code"]) == (1, "check_failed")
    assert "registry" in broken.error["message"]


@pytest.mark.parametrize("step", list(Step), ids=str)
def test_a_deployment_killed_at_a_step_goes_on_with_the_same_contracts(
    chain: ForeignChain, key_file: Path, tmp_path: Path, deploy: Callable[..., Outcome], step: Step
) -> None:
    home = tmp_path / "home"
    plan = plan_deployment(wish_of(home, chain, key_file))
    with pytest.raises(Killed):
        asyncio.run(die_while_deploying(chain, home, plan, step))
    begun = book_of(home)
    assert begun.stage is Stage.PLANNED
    done = deploy("--yes")
    assert done.code == 0, done.err
    if step is not Step.BEFORE_JOURNAL:  # else nothing was begun, and the plan is made anew
        assert done.data["contracts"] == begun.contracts
    check_one_whole_set(chain, home)


async def die_while_deploying(chain: ForeignChain, home: Path, plan: DeployPlan, step: Step) -> None:
    http = HttpClient()
    rpc = Rpc(chain.urls, http, chain_id=BSC_TESTNET)
    folder = Home(home).role_folder(f"deployer-{BSC_TESTNET}")
    sender = Mortal(rpc, DEPLOYER, folder=folder, chain_id=BSC_TESTNET)
    sender.step = step
    try:
        await carry_out(rpc, sender, plan=plan, home=home, say=lambda name, receipt: None)
    finally:
        await sender.close()
        await http.close()


def test_kill_minus_nine_again_and_again_ends_in_one_set(
    chain: ForeignChain, key_file: Path, tmp_path: Path, deploy: Callable[..., Outcome]
) -> None:
    chance, home = random.Random(3), tmp_path / "home"
    words = [sys.executable, "-m", "dgrid", "--home", str(home), "chain", "deploy", "--network", "bsc-testnet", "--yes"]
    for _ in range(4):
        process = subprocess.Popen(
            [*words, "--key-file", str(key_file), *chain.rpc_options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        before, deadline_s = chain.count(to_hex(DEPLOYER.address)), time.monotonic() + 20
        while chain.count(to_hex(DEPLOYER.address)) == before and time.monotonic() < deadline_s:
            time.sleep(0.01)
        time.sleep(chance.random() * 0.1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    done = deploy("--yes")
    assert done.code == 0, done.err
    check_one_whole_set(chain, home)


def test_a_lost_journal_costs_nothing_as_long_as_the_book_is_there(
    chain: ForeignChain, key_file: Path, tmp_path: Path, deploy: Callable[..., Outcome]
) -> None:
    home = tmp_path / "home"
    assert deploy("--yes").code == 0
    book = book_of(home)
    Home(home).deployment_file(BSC_TESTNET).write_bytes(msgspec.structs.replace(book, stage=Stage.PLANNED).encode())
    shutil.rmtree(Home(home).role_folder(f"deployer-{BSC_TESTNET}"))
    done = deploy("--yes")
    assert done.code == 0, done.err
    check_one_whole_set(chain, home)


def test_a_transaction_that_comes_between_stops_it(
    chain: ForeignChain, key_file: Path, tmp_path: Path, deploy: Callable[..., Outcome]
) -> None:
    home = tmp_path / "home"
    plan = plan_deployment(wish_of(home, chain, key_file))
    with pytest.raises(Killed):
        asyncio.run(die_while_deploying(chain, home, plan, Step.NOTED))
    foreign = Transaction(BSC_TESTNET, 1, 10**9, 10**10, 21_000, DEPLOYER.address, 0, b"").signed(DEPLOYER)
    chain.call("eth_sendRawTransaction", to_hex(foreign))
    refused = deploy("--yes")
    assert refused.error["code"] == "deployment_failed"
    assert "came between" in refused.error["message"]


def test_the_public_key_of_the_dev_chain_is_refused(
    deploy: Callable[..., Outcome], chain: ForeignChain, tmp_path: Path
) -> None:
    public = tmp_path / "public.key"
    public.write_text(DEV_ACCOUNT.secret.hex())
    refused = deploy("--yes", key=public)
    assert refused.error["code"] == "deployment_failed"
    assert "public" in refused.error["message"]
    assert chain.count(to_hex(DEV_ACCOUNT.address)) == 0


def test_parameters_under_which_fraud_would_pay_are_refused_before_gas_is_spent(
    deploy: Callable[..., Outcome], chain: ForeignChain
) -> None:
    refused = deploy("--yes", "--set", "node_slash_bps=0")
    assert (refused.code, refused.error["code"]) == (4, "unsafe_parameters")
    assert "Node" in refused.error["message"]
    assert deploy("--yes", "--set", "node_slash_bps=20000").error["code"] == "out_of_bounds"
    assert deploy("--yes", "--set", "no_such=1").error["code"] == "unknown_parameter"
    assert deploy("--yes", "--set", "node_slash_bps").error["code"] == "invalid_request"
    assert chain.count(to_hex(DEPLOYER.address)) == 0


def test_one_endpoint_another_chain_and_an_empty_purse_are_refused(
    dgrid: Dgrid, deploy: Callable[..., Outcome], chain: ForeignChain, key_file: Path
) -> None:
    words = ["--json", "--home", "home", "chain", "deploy", "--key-file", str(key_file), "--yes"]
    alone = dgrid(*words, "--network", "bsc-testnet", "--rpc", chain.urls[0])
    assert alone.error["code"] == "config_error"
    assert "endpoints that agree" in alone.error["message"]
    elsewhere = dgrid(*words, "--network", "bsc", *chain.rpc_options)
    assert elsewhere.code == 3
    assert dgrid(*words, "--network", "nowhere", *chain.rpc_options).error["code"] == "invalid_request"
    chain.fund(to_hex(DEPLOYER.address), 10**12)
    poor = deploy("--yes")
    assert (poor.code, poor.error["code"]) == (4, "deployer_too_poor")


@pytest.mark.parametrize("network", ["bsc-testnet", "bsc"])
def test_nothing_is_on_disk_until_the_chain_that_was_named_has_answered(
    dgrid: Dgrid, chain: ForeignChain, tmp_path: Path, network: str
) -> None:
    dead = [word for host in ("127.0.0.1", "localhost") for word in ("--rpc", f"http://{host}:{free_port()}")]
    endpoints = chain.rpc_options if network == "bsc" else dead
    words = "--json", "--home", "home", "chain", "deploy", "--network", network, "--yes"
    refused = dgrid(*words, *endpoints)  # no --key-file: the home would get a key
    assert (refused.code, refused.error["code"]) == (3, "chain_unavailable")
    assert not (tmp_path / "home").exists()


def test_terms_cannot_change_once_it_has_begun(
    chain: ForeignChain, key_file: Path, tmp_path: Path, deploy: Callable[..., Outcome]
) -> None:
    home = tmp_path / "home"
    plan = plan_deployment(wish_of(home, chain, key_file))
    with pytest.raises(Killed):
        asyncio.run(die_while_deploying(chain, home, plan, Step.AFTER_BROADCAST))
    other = deploy("--yes", "--holder", "0x" + "12" * 20)
    assert other.error["code"] == "config_error"
    assert "begun with other terms" in other.error["message"]
    same = deploy("--yes", "--holder", to_hex(DEPLOYER.address))
    assert same.code == 0, same.err


def test_the_supply_goes_to_its_holder(deploy: Callable[..., Outcome], chain: ForeignChain) -> None:
    holder = "0x" + "12" * 20
    done = deploy("--yes", "--holder", holder)
    assert done.code == 0, done.err
    balance = chain.call(
        "eth_call", {"to": done.data["contracts"]["dgai"], "data": "0x70a08231" + "0" * 24 + holder[2:]}, "latest"
    )
    assert int(balance, 16) == 10**9 * WEI
