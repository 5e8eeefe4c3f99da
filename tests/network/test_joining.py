"""A stranger's node joins a running network with one command, is paid like the others, leaves, and comes back."""

import pytest
from tests.network.running import RunningNetwork, until

PORT = 17699
QUESTION = [{"role": "user", "content": "Tim plays the cello. What does Tim play?"}]
COMMAND = ("node", "run", "--model", "dgrid-nano", "--listen", f"127.0.0.1:{PORT}", "--dev")


def state_of_newcomer(network: RunningNetwork) -> str:
    nodes = network.dgrid("--json", "nodes").json["nodes"]
    return next((str(node["state"]) for node in nodes if node["endpoint"].endswith(f":{PORT}")), "unknown")


@pytest.mark.timeout(120)
def test_a_node_joins_is_asked_and_paid_leaves_and_comes_back(small_network: RunningNetwork) -> None:
    network = small_network
    assert network.dgrid("chat", "Hello", "--model", "dgrid-nano").code == 5
    served = []
    for _ in range(2):
        with network.staying(*COMMAND):
            until(lambda: state_of_newcomer(network) == "serving", timeout_s=30, what="the newcomer's welcome")
            reply = network.openai().chat.completions.create(model="dgrid-nano", messages=QUESTION)
            served.append(reply.usage.dgrid)
        until(lambda: state_of_newcomer(network) == "unreachable", timeout_s=30, what="the notice of its absence")
        assert network.dgrid("chat", "Hello", "--model", "dgrid-nano").code in (1, 5)
        assert network.dgrid("chat", "Hello", "--model", "dgrid-mini").code == 0
    assert served[0]["node"] == served[1]["node"], "its key was kept"
    assert network.dgrid("audit", served[1]["receipt_id"], "--wait", "60", timeout_s=90).code == 0
    until(lambda: _claimable(network, served[0]["node"]) > 0, what="its earnings")


def _claimable(network: RunningNetwork, node: str) -> int:
    return int(network.dgrid("--json", "wallet", "--address", node).json["claimable_wei"])
