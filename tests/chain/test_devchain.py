"""The dev chain's time: it passes on chain for a while after the last transaction, then the chain rests."""

import asyncio

import pytest
from tests.devnet import free_port

from dgrid.chain import devchain
from dgrid.chain.devchain import DEV_ACCOUNT, DevChain


def test_blocks_go_on_for_a_while_after_the_last_transaction_and_then_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devchain, "BEAT_S", 0.5)
    monkeypatch.setattr(devchain, "BEATS_FOR_S", 3.0)

    async def main() -> None:
        chain = DevChain(port=free_port())
        await chain.start()
        try:
            own = "0x" + DEV_ACCOUNT.address.hex()
            await chain.rpc.call("eth_sendTransaction", [{"from": own, "to": own}])
            used, seen = await head(chain), [0]
            while seen[-1] < used + 10:
                await asyncio.sleep(0.2)
                seen.append(await head(chain))
            while len(seen) < 3 or len(set(seen[-10:])) > 1:  # until it rests
                await asyncio.sleep(0.2)
                seen.append(await head(chain))
        finally:
            await chain.stop()

    asyncio.run(asyncio.wait_for(main(), 30))


async def head(chain: DevChain) -> int:
    return int(await chain.rpc.call("eth_blockNumber", []), 16)
