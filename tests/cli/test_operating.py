"""Staking, delegating and leaving as an operator types it, on a real chain: what is shown, sent, and free when."""

from pathlib import Path

from tests.cli.operators import BOND, STAKE, Operator, now, operator

from dgrid.chain.contracts import Contracts
from dgrid.chain.events import Role
from dgrid.chain.parameters import Parameters
from dgrid.cli.wallet_config import chain_config
from dgrid.core.identity import to_hex
from dgrid.core.money import WEI
from dgrid.processes.home import Home

__all__ = ["operator"]


def test_stake_is_added_shown_first_and_taken_out_after_the_delay(operator: Operator) -> None:
    operator.registers("node-1", Role.NODE)
    node = operator.address("node-1")
    asked = operator.types("stake", "node", "200")
    assert (asked.code, asked.error["code"]) == (4, "declined")
    added = operator.done("stake", "node", "200")
    assert added["calls"] == ["approve", "addStake"]
    assert added["pays_wei"] == str(200 * WEI)
    assert operator.reads("registry", "stakeOf", Role.NODE, node) == STAKE + 200 * WEI
    taken = operator.done("unstake", "node", "400", "--from", "node-1")
    assert any("in service" in one for one in taken["effects"])
    early = operator.types("unstake", "node", "--withdraw", "--yes")
    assert (early.code, early.error["code"]) == (6, "not_yet")
    operator.passes(now(operator, "unbonding_seconds") + 1)
    before = operator.balance("node-1")
    operator.done("unstake", "node", "--withdraw")
    assert operator.balance("node-1") == before + 400 * WEI
    gone = operator.done("unstake", "node", "all")
    assert any("out of service" in one for one in gone["effects"])
    assert operator.reads("registry", "stakeOf", Role.NODE, node) == 0


def test_what_is_shown_covers_the_gas_it_takes(operator: Operator) -> None:
    operator.registers("node-1", Role.NODE)
    wait_s = now(operator, "unbonding_seconds") + 1
    node = to_hex(operator.address("node-1"))
    for words in (
        ("stake", "node", "5"),
        ("unstake", "node", "7"),
        (),
        ("unstake", "node", "--withdraw"),
        ("delegate", node, "30"),
        ("undelegate", node, "10"),
        (),
        ("undelegate", node, "--withdraw"),
        ("commission", "node", "5"),
        ("reward", node, "2"),
    ):
        if not words:
            operator.passes(wait_s)
            continue
        done = operator.done(*words)
        used = [
            int(operator.chain.call("eth_getTransactionReceipt", name)["gasUsed"], 16) for name in done["transactions"]
        ]
        assert sum(used) <= done["gas"] <= 3 * sum(used), (words, used, done["gas"])


def test_a_gateway_leaves_in_parts_and_gets_everything_back(operator: Operator) -> None:
    operator.registers("node-1", Role.NODE)
    operator.registers("gateway-1", Role.GATEWAY)
    gateway = operator.address("gateway-1")
    before = operator.balance("gateway-1")
    first = operator.done("exit", "gateway")
    assert sorted(first["calls"]) == ["requestBondWithdrawal", "setLine", "unbond"]
    assert {one["part"].split()[0] for one in first["waiting"]} == {"stake", "line", "bond"}
    again = operator.done("exit", "gateway")
    assert again["calls"] == []  # nothing is possible yet, and nothing begins anew
    for planned, mined in zip(first["waiting"], again["waiting"], strict=True):
        assert (planned["part"], planned["amount_wei"]) == (mined["part"], mined["amount_wei"])
        late_ms = mined["available_at_ms"] - planned["available_at_ms"]
        assert 0 <= late_ms <= 30_000  # a delay begins when its transaction is mined, some seconds after it was planned
    for _ in range(4):
        operator.passes(max(now(operator, "bond_seconds"), now(operator, "unbonding_seconds")) + 1)
        last = operator.done("exit", "gateway")
        if not last["waiting"]:
            break
    assert operator.balance("gateway-1") == before + STAKE + BOND
    assert operator.reads("settlement", "bondOf", gateway) == 0
    assert operator.reads("registry", "stakeOf", Role.GATEWAY, gateway) == 0
    empty = operator.types("exit", "gateway")
    assert (empty.code, empty.data["calls"], empty.data["waiting"]) == (0, [], [])


def test_what_cannot_be_is_said_before_anything_is_sent(operator: Operator) -> None:
    operator.registers("node-1", Role.NODE)
    for words, code in (
        (("stake", "gardener", "1"), "invalid_request"),
        (("stake", "node", "1", "--from", "nobody"), "config_error"),
        (("stake", "gateway", "1"), "config_error"),  # this home has no key of that role
        (("stake", "node", "0"), "invalid_request"),
        (("unstake", "node"), "invalid_request"),
        (("unstake", "node", "2000"), "invalid_request"),
        (("unstake", "node", "--withdraw"), "invalid_request"),
        (("unjail", "node"), "invalid_request"),
        (("delegate", to_hex(bytes(20)), "1"), "invalid_request"),
        (("delegate", "0x12", "1"), "invalid_request"),
        (("undelegate", "node-1", "all"), "invalid_request"),
    ):
        count = operator.chain.count(to_hex(operator.address("node-1")))
        refused = operator.types(*words, "--yes")
        assert refused.error["code"] == code, (words, refused.err)
        assert operator.chain.count(to_hex(operator.address("node-1"))) == count


def test_a_key_file_from_elsewhere_signs_too(operator: Operator, tmp_path: Path) -> None:
    operator.registers("node-1", Role.NODE)
    file = tmp_path / "moved.key"
    file.write_text(Home(operator.home).key_file("node-1").read_text())
    done = operator.done("stake", "node", "3", "--from", str(file))
    assert done["from"] == to_hex(operator.address("node-1"))


def test_the_terms_shown_are_those_in_effect(operator: Operator) -> None:
    assert now(operator, "minimum_stake_wei") == Parameters().minimum_stake_wei


def test_a_new_role_is_made_with_what_the_network_asks_and_says_how_to_start_it(operator: Operator) -> None:
    made = operator.types("new", "watch", "--listen", "127.0.0.1:7499")
    assert made.code == 0, made.err
    assert made.data["name"] == "watcher-1"
    assert made.data["command"].startswith("dgrid watch run --config ")
    archive = operator.types("new", "archive").data
    assert int(archive["needs"]["stake_wei"]) >= now(operator, "minimum_stake_wei")
    assert to_hex(operator.address(archive["name"])) == archive["address"]
    assert operator.types("new", "gardener").error["code"] == "config_error"


def test_who_was_jailed_serves_again_after_its_time(operator: Operator) -> None:
    operator.registers("node-1", Role.NODE)
    node = operator.address("node-1")
    cases = chain_config(operator.home).contracts["cases"]
    registry = chain_config(operator.home).contracts["registry"]
    data = Contracts(chain_config(operator.home)).registry.encode("jail", [Role.NODE, node])
    operator.chain.send(cases, registry, to_hex(data))
    assert not operator.reads("registry", "isActive", Role.NODE, node)
    early = operator.types("unjail", "node", "--yes")
    assert (early.code, early.error["code"]) == (6, "not_yet")
    operator.passes(now(operator, "jail_seconds") + 1)
    operator.done("unjail", "node")
    assert operator.reads("registry", "isActive", Role.NODE, node)
