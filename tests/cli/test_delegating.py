"""Stake that is entrusted to others, as operators and delegators type it, on a real chain."""

from tests.cli.operators import STAKE, Operator, now, operator

from dgrid.chain.events import Role
from dgrid.core.identity import to_hex
from dgrid.core.money import WEI

__all__ = ["operator"]


def test_delegated_stake_adds_to_the_operators_weight_and_comes_back(operator: Operator) -> None:
    operator.registers("evaluator-1", Role.EVALUATOR)
    whom = operator.address("evaluator-1")
    given = operator.done("delegate", "evaluator-1", "100", "--role", "evaluator")
    assert given["from"] == to_hex(operator.address("user"))
    assert operator.reads("registry", "stakeOf", Role.EVALUATOR, whom) == STAKE + 100 * WEI
    operator.done("undelegate", to_hex(whom), "40", "--role", "evaluator")
    assert operator.reads("registry", "stakeOf", Role.EVALUATOR, whom) == STAKE + 60 * WEI
    assert operator.types("undelegate", to_hex(whom), "--withdraw", "--role", "evaluator", "--yes").code == 6
    operator.passes(now(operator, "unbonding_seconds") + 1)
    before = operator.balance("user")
    operator.done("undelegate", to_hex(whom), "--withdraw", "--role", "evaluator")
    assert operator.balance("user") == before + 40 * WEI
    operator.done("undelegate", to_hex(whom), "all", "--role", "evaluator")
    assert operator.reads("registry", "stakeOf", Role.EVALUATOR, whom) == STAKE


def test_a_reward_is_shared_by_the_commission_and_every_delegator_sees_its_gain(operator: Operator) -> None:
    operator.registers("node-1", Role.NODE)
    operator.done("delegate", "node-1", "100")
    assert operator.done("commission", "node", "2.5%")["calls"] == ["setCommission"]
    before = operator.balance("node-1")
    shared = operator.done("reward", "node-1", "40")  # from the home's user
    assert (shared["calls"], shared["pays_wei"]) == (["approve", "reward"], str(40 * WEI))
    assert operator.balance("node-1") == before + WEI
    (held,) = operator.types("delegations").data["delegations"]
    assert (held["operator"], held["role"]) == (to_hex(operator.address("node-1")), "node")
    assert (held["commission_bps"], held["leaving_wei"], held["available_at_ms"]) == (250, "0", None)
    assert 139 * WEI - 10 <= int(held["amount_wei"]) <= 139 * WEI  # a share's worth is rounded down
    assert "139 DGAI" in operator.dgrid("--home", str(operator.home), "nodes").out


def test_without_delegators_all_of_a_reward_goes_to_the_operator(operator: Operator) -> None:
    operator.registers("node-1", Role.NODE)
    before = operator.balance("node-1")
    shared = operator.done("reward", "node-1", "3")
    assert any("nobody delegated" in one for one in shared["effects"])
    assert operator.balance("node-1") == before + 3 * WEI
    assert operator.types("delegations").data["delegations"] == []


def test_what_is_on_its_way_back_is_listed_with_its_time(operator: Operator) -> None:
    operator.registers("evaluator-1", Role.EVALUATOR)
    operator.done("delegate", "evaluator-1", "10", "--role", "evaluator")
    operator.done("undelegate", "evaluator-1", "all", "--role", "evaluator")
    (held,) = operator.types("delegations").data["delegations"]
    assert (held["amount_wei"], held["leaving_wei"]) == ("0", str(10 * WEI))
    assert held["available_at_ms"] > 0


def test_a_commission_that_cannot_be_is_refused_before_anything_is_sent(operator: Operator) -> None:
    operator.registers("node-1", Role.NODE)
    most = now(operator, "maximum_commission_bps") / 100
    for words, code in (
        (("commission", "node", f"{most + 0.01:.2f}"), "invalid_request"),
        (("commission", "node", "101"), "usage"),
        (("commission", "node", "0.001"), "usage"),
        (("commission", "node", "much"), "usage"),
        (("commission", "gateway", "1"), "config_error"),  # this home has no key of that role
        (("reward", "node-1", "0"), "invalid_request"),
        (("reward", "node-1", "1", "--role", "evaluator"), "invalid_request"),
    ):
        before = sent_by(operator, "node-1", "user")
        refused = operator.types(*words, "--yes")
        assert refused.error["code"] == code, (words, refused.err)
        assert sent_by(operator, "node-1", "user") == before
    assert operator.done("commission", "node", f"{most}%")["gas"] > 0


def sent_by(operator: Operator, *names: str) -> list[int]:
    """How many transactions each has sent."""
    return [operator.chain.count(to_hex(operator.address(name))) for name in names]
