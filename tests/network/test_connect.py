"""The user's own key: the proxy signs vouchers on a channel of its own, and the deposit comes back on request."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from tests.network.running import RunningNetwork, until

PORT = 17690
BASE_URL = f"http://127.0.0.1:{PORT}/v1"


@contextmanager
def connected(network: RunningNetwork) -> Iterator[OpenAI]:
    """`dgrid connect` in the background, and the official client before it."""
    with network.staying("connect", "--port", str(PORT), "--deposit", "5") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"ready {BASE_URL}\n"
        with OpenAI(base_url=BASE_URL, api_key="anything") as client:
            yield client


def asked(client: OpenAI, **options: Any) -> Any:
    question: Any = [{"role": "user", "content": "Tim plays the cello. What does Tim play?"}]
    return client.chat.completions.create(model="dgrid-micro", messages=question, **options)


def streamed(client: OpenAI) -> str:
    stream = asked(client, stream=True, temperature=0, stream_options={"include_usage": True})
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


@pytest.mark.timeout(180)
def test_vouchers_pay_receipts_hold_and_the_deposit_can_be_asked_back(own_network: RunningNetwork) -> None:
    before = own_network.dgrid("--json", "wallet").json
    with connected(own_network) as client:
        first = asked(client, temperature=0, extra_headers={"idempotency-key": "one-question"})
        second = asked(client, temperature=0, extra_headers={"idempotency-key": "one-question"})
        assert (first.id, first.usage) == (second.id, second.usage), "answered once, and paid once"
        assert streamed(client) == first.choices[0].message.content
        own_network.kill("gateway-1")
        assert streamed(client) == first.choices[0].message.content, "the other gateway answers"
        assert [model.id for model in client.models.list()]
    kept = sorted(path.stem for path in Path(own_network.home / "roles" / "user" / "receipts").iterdir())
    assert len(kept) == 3
    audited = own_network.dgrid("--json", "audit", kept[0], "--wait", "60", timeout_s=90)
    assert audited.json["ok"] is True
    after = own_network.dgrid("--json", "wallet").json
    assert int(after["deposited_wei"]) - int(before["deposited_wei"]) == 2 * 5 * 10**18
    assert int(after["spent_wei"]) > int(before["spent_wei"])
    until(lambda: _drawn(own_network) == int(after["spent_wei"]), what="the collection")
    announced = own_network.dgrid("--json", "channel", "withdraw", "--yes")
    assert {channel["state"] for channel in announced.json["channels"]} == {"withdrawing"}
    assert own_network.dgrid("channel", "finalize").code == 6
    assert own_network.dgrid("chat", "Hello").code == 4


def _drawn(network: RunningNetwork) -> int:
    channels = network.dgrid("--json", "channel", "list").json["channels"]
    return sum(int(channel["drawn_wei"]) for channel in channels)
