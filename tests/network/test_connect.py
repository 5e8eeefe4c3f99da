"""The user's own key: the proxy signs vouchers on a channel of its own, and the deposit comes back on request."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from openai import OpenAI
from tests.network.running import RunningNetwork, until

PORT = 17690
BASE_URL = f"http://127.0.0.1:{PORT}/v1"


@contextmanager
def connected(network: RunningNetwork) -> Iterator[OpenAI]:
    """`dgrid connect` in the background, and the official client before it."""
    words = ["--home", str(network.home), "connect", "--port", str(PORT), "--deposit", "5"]
    command = [sys.executable, "-m", "dgrid", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"ready {BASE_URL}\n"
        with OpenAI(base_url=BASE_URL, api_key="anything") as client:
            yield client
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.timeout(180)
def test_vouchers_pay_receipts_hold_and_the_deposit_can_be_asked_back(own_network: RunningNetwork) -> None:
    before = own_network.dgrid("--json", "wallet").json
    with connected(own_network) as client:
        first, second = (
            client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "What does Tim play?"}])
            for _ in range(2)
        )
    assert first.choices[0].message.content
    kept = sorted(path.stem for path in Path(own_network.home / "roles" / "user" / "receipts").iterdir())
    assert len(kept) == 2
    assert second.usage is not None
    audited = own_network.dgrid("--json", "audit", kept[0], "--wait", "60", timeout_s=90)
    assert audited.json["ok"] is True
    after = own_network.dgrid("--json", "wallet").json
    assert int(after["deposited_wei"]) - int(before["deposited_wei"]) == 2 * 5 * 10**18
    assert int(after["spent_wei"]) > int(before["spent_wei"])
    until(lambda: _drawn(own_network) == int(after["spent_wei"]), what="the collection")
    asked = own_network.dgrid("--json", "channel", "withdraw", "--yes")
    assert {channel["state"] for channel in asked.json["channels"]} == {"withdrawing"}
    assert own_network.dgrid("channel", "finalize").code == 6
    assert own_network.dgrid("chat", "Hello").code == 4


def _drawn(network: RunningNetwork) -> int:
    channels = network.dgrid("--json", "channel", "list").json["channels"]
    return sum(int(channel["drawn_wei"]) for channel in channels)
