"""Endpoints between a test and its chain: each passes calls on, and may lie, lag, hang, refuse or go away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
from tests.devnet import Devnet

from dgrid.wire.http import HttpClient
from dgrid.wire.server import Reply, Request, Server

JSON = {"content-type": "application/json"}
Lie = Callable[[Any], Any]


class Endpoint:
    """One small server over the chain at `chain_url`. What it does wrong can change at any time."""

    def __init__(self, chain_url: str) -> None:
        self._chain_url, self._http = chain_url, HttpClient()
        self._server = Server(self._handle, host="127.0.0.1", port=0)
        self.lies: dict[str, Lie] = {}  # by method: what it makes of the chain's true result
        self.lag = 0  # blocks that it knows nothing of yet
        self.has_final_state = True
        self.range_max: int | None = None  # of eth_getLogs
        self.is_hanging = False
        self.asked = 0
        self.methods: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        self.is_hanging = False
        await self._server.stop()
        await self._http.close()

    async def _handle(self, request: Request) -> Reply:
        self.asked += 1
        while self.is_hanging:
            await asyncio.sleep(0.05)
        calls = msgspec.json.decode(request.body)
        return Reply(200, msgspec.json.encode([await self._answer(call) for call in calls]))

    async def _answer(self, call: dict[str, Any]) -> dict[str, Any]:
        method, params = call["method"], call["params"]
        self.methods.append(method)
        if method == "eth_getLogs" and self._is_too_wide(params[0]):
            return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32005, "message": "query returns too much"}}
        if method == "eth_getTransactionCount" and params[1] == "finalized" and not self.has_final_state:
            return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32602, "message": "BlockOutOfRangeError"}}
        response = await self._ask(call)
        if self.lag and method == "eth_getBlockByNumber":
            response["result"] = await self._lagging(params[0], response["result"])
        if method in self.lies and "result" in response:
            response["result"] = self.lies[method](response["result"])
        return response

    def _is_too_wide(self, shown: dict[str, str]) -> bool:
        wide = int(shown["toBlock"], 16) - int(shown["fromBlock"], 16) + 1
        return self.range_max is not None and wide > self.range_max

    async def _lagging(self, name: str, block: Any) -> Any:
        if block is None:
            return None
        if name in ("latest", "finalized"):
            number = max(0, int(block["number"], 16) - self.lag)
            return (await self._call("eth_getBlockByNumber", [hex(number), False]))["result"]
        head = int((await self._call("eth_blockNumber", []))["result"], 16)
        return block if int(block["number"], 16) <= head - self.lag else None

    async def _call(self, method: str, params: list[Any]) -> dict[str, Any]:
        return await self._ask({"jsonrpc": "2.0", "id": 0, "method": method, "params": params})

    async def _ask(self, call: dict[str, Any]) -> dict[str, Any]:
        reply = await self._http.request("POST", self._chain_url, body=msgspec.json.encode(call), headers=JSON)
        found: dict[str, Any] = msgspec.json.decode(await reply.read())
        return found


@asynccontextmanager
async def endpoints(net: Devnet, count: int) -> AsyncIterator[list[Endpoint]]:
    """So many endpoints of one chain."""
    async with AsyncExitStack() as stack:
        found = [Endpoint(net.chain.url) for _ in range(count)]
        for one in found:
            await one.start()
            stack.push_async_callback(one.stop)
        yield found


def another_block(block: Any) -> Any:
    """A block that never was: the right number, another hash."""
    return block and {**block, "hash": "0x" + "ab" * 32}


def invented_logs(logs: Any) -> Any:
    """Every log twice: each deposit is there once more."""
    more = [{**log, "logIndex": hex(int(log["logIndex"], 16) + 1000)} for log in logs]
    return [*logs, *more]


def no_logs(_logs: Any) -> Any:
    return []
