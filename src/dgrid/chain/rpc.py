"""JSON-RPC over one or several endpoints of one chain: the next one on failure, and agreement where money follows.

Reading goes to one endpoint at a time. What credits money (finalized blocks and their logs) is asked of all: those that
answer must say the same, and at least half of them must answer. Refuses endpoints of another chain.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from dgrid.config import ChainConfig
from dgrid.core.errors import ChainUnavailable, DGridError, NodeFault
from dgrid.wire.http import HttpClient

BATCH_MAX = 100
REPLY_S = 10.0

Call = tuple[str, list[Any]]
Agreed = TypeVar("Agreed")


class RpcError(DGridError):
    """The chain's own answer to a call is an error; `data` holds what a revert returned."""

    code = "chain_call_failed"

    def __init__(self, message: str, *, number: int = 0, data: bytes = b"") -> None:
        super().__init__(message)
        self.number = number
        self.data = data


@dataclass(frozen=True, slots=True)
class Block:
    """A block's header, as far as we read it."""

    number: int
    hash: bytes
    timestamp_s: int
    base_fee_wei: int


@dataclass(frozen=True, slots=True)
class RawLog:
    """One log, not yet decoded."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: bytes
    transaction_hash: bytes
    index: int


class _ErrorObject(msgspec.Struct):
    code: int = 0
    message: str = ""
    data: Any = None


class _Response(msgspec.Struct):
    id: int | None = None
    result: Any = None
    error: _ErrorObject | None = None


_responses = msgspec.json.Decoder(list[_Response])
_encoder = msgspec.json.Encoder()


class Rpc:
    """One chain behind its endpoints."""

    def __init__(self, urls: Sequence[str], http: HttpClient, *, chain_id: int | None = None) -> None:
        if not urls:
            raise ValueError("a chain has at least one endpoint")
        self.urls = tuple(urls)
        self.chain_id = chain_id
        self._http = http
        self._first = 0
        self._proven: set[str] = set()

    @classmethod
    def of(cls, chain: ChainConfig, http: HttpClient | None = None) -> "Rpc":
        """The chain of a configuration."""
        return cls(chain.rpc_urls, http or HttpClient(), chain_id=chain.chain_id)

    async def call(self, method: str, params: Sequence[Any]) -> Any:
        """The result of one call. Raises ChainUnavailable when no endpoint answers, RpcError when the chain refuses."""
        (result,) = await self.batch([(method, list(params))])
        return result

    async def batch(self, calls: Sequence[Call]) -> list[Any]:
        """The results of several calls, all by the same endpoint. Raises ChainUnavailable, RpcError."""
        failure: DGridError | None = None
        for step in range(len(self.urls)):
            at = (self._first + step) % len(self.urls)
            try:
                results = await self._ask(self.urls[at], calls)
            except ChainUnavailable as error:
                failure = error
                continue
            self._first = at
            return results
        assert failure is not None
        raise failure

    async def agreed(self, calls: Sequence[Call], read: Callable[[list[Any]], Agreed]) -> list[tuple[str, Agreed]]:
        """What each endpoint says, of those that answer. Raises ChainUnavailable when fewer than half do."""
        asked = await asyncio.gather(*(self._ask(url, calls) for url in self.urls), return_exceptions=True)
        answers, failure = [], None
        for url, results in zip(self.urls, asked, strict=True):
            if isinstance(results, ChainUnavailable):
                failure = results
            elif isinstance(results, BaseException):
                raise results
            else:
                answers.append((url, read(results)))
        if not answers or 2 * len(answers) < len(self.urls):
            raise failure or ChainUnavailable("too few endpoints of the chain answer")
        return answers

    async def heads(self) -> tuple[Block, Block]:
        """The finalized block that all agree on, and the latest block. Raises ChainUnavailable."""
        calls: list[Call] = [("eth_getBlockByNumber", [tag, False]) for tag in ("finalized", "latest")]
        answers = await self.agreed(calls, lambda results: (block_of(results[0]), block_of(results[1])))
        lowest, latest = min((heads for _, heads in answers), key=lambda heads: heads[0].number)
        if len(answers) > 1:
            await self._require_same(lowest)
        return lowest, latest

    async def finalized_block(self) -> Block:
        """The finalized block that all agree on. Raises ChainUnavailable."""
        return (await self.heads())[0]

    async def block(self, number: int | str) -> Block | None:
        """A block by its number or tag; None when there is none. Raises ChainUnavailable."""
        name = hex(number) if isinstance(number, int) else number
        found = await self.call("eth_getBlockByNumber", [name, False])
        return None if found is None else block_of(found)

    async def logs(self, first: int, last: Block, addresses: Sequence[bytes], *, agree: bool = False) -> list[RawLog]:
        """Logs of the blocks first … last, in order. `agree` asks all endpoints and wants the same from each.

        Raises ChainUnavailable, also when an endpoint does not know the last block (a reorganization, or it lags).
        """
        shown = {
            "fromBlock": hex(first),
            "toBlock": hex(last.number),
            "address": ["0x" + one.hex() for one in addresses],
        }
        calls: list[Call] = [("eth_getBlockByNumber", [hex(last.number), False]), ("eth_getLogs", [shown])]
        if not agree or len(self.urls) == 1:
            return _logs_until(last, await self.batch(calls))
        answers = await self.agreed(calls, lambda results: _logs_until(last, results))
        if any(answer != answers[0][1] for _, answer in answers):
            raise ChainUnavailable(f"the chain's endpoints disagree about the logs up to block {last.number}")
        return answers[0][1]

    async def blocks(self, numbers: Sequence[int]) -> list[Block]:
        """Several blocks. Raises ChainUnavailable when one is missing."""
        found: list[Block] = []
        for at in range(0, len(numbers), BATCH_MAX):
            calls: list[Call] = [
                ("eth_getBlockByNumber", [hex(number), False]) for number in numbers[at : at + BATCH_MAX]
            ]
            found += [block_of(result) for result in await self.batch(calls)]
        return found

    async def _require_same(self, block: Block) -> None:
        calls: list[Call] = [("eth_getBlockByNumber", [hex(block.number), False])]
        answers = await self.agreed(calls, lambda results: block_of(results[0]).hash)
        if any(found != block.hash for _, found in answers):
            raise ChainUnavailable(f"the chain's endpoints disagree about the finalized block {block.number}")

    async def _ask(self, url: str, calls: Sequence[Call]) -> list[Any]:
        if self.chain_id is not None and url not in self._proven:
            (found,) = await self._post(url, [("eth_chainId", [])])
            if int(found, 16) != self.chain_id:
                raise ChainUnavailable(f"the endpoint {url} is of chain {int(found, 16)}, not {self.chain_id}")
            self._proven.add(url)
        return await self._post(url, calls)

    async def _post(self, url: str, calls: Sequence[Call]) -> list[Any]:
        body = _encoder.encode(
            [{"jsonrpc": "2.0", "id": at, "method": name, "params": given} for at, (name, given) in enumerate(calls)]
        )
        try:
            headers = {"content-type": "application/json"}
            reply = await self._http.request("POST", url, body=body, headers=headers, first_byte_s=REPLY_S)
            status, data = reply.status, await reply.read()
        except NodeFault as error:
            self._proven.discard(url)  # whatever answers there next may be another chain
            raise ChainUnavailable(
                f"the chain's endpoint {url} does not answer: {error.message}",
                hint="is the network up? `dgrid status` shows it",
            ) from None
        if status != 200:
            raise ChainUnavailable(f"the chain's endpoint {url} answers with HTTP {status}")
        return _results(url, data, len(calls))


def _results(url: str, data: bytes, count: int) -> list[Any]:
    try:
        responses = sorted(_responses.decode(data), key=lambda response: response.id or 0)
    except msgspec.DecodeError as error:
        raise ChainUnavailable(f"the chain's endpoint {url} speaks no JSON-RPC: {error}") from None
    if len(responses) != count:
        raise ChainUnavailable(f"the chain's endpoint {url} left calls unanswered")
    for response in responses:
        if response.error is not None:
            said = response.error
            raise RpcError(said.message, number=said.code, data=_revert_data(said.data))
    return [response.result for response in responses]


def _revert_data(data: Any) -> bytes:
    if isinstance(data, dict):
        data = data.get("data")
    if isinstance(data, str) and data.startswith("0x"):
        return bytes.fromhex(data[2:])
    return b""


def block_of(value: Any) -> Block:
    """A block as JSON-RPC describes it. Raises ChainUnavailable when there is none."""
    if not isinstance(value, dict):
        raise ChainUnavailable("the chain does not know the block")
    return Block(
        int(value["number"], 16),
        bytes.fromhex(value["hash"][2:]),
        int(value["timestamp"], 16),
        int(value.get("baseFeePerGas") or "0x0", 16),
    )


def log_of(value: Any) -> RawLog:
    """A log as JSON-RPC describes it."""
    return RawLog(
        bytes.fromhex(value["address"][2:]),
        tuple(bytes.fromhex(topic[2:]) for topic in value["topics"]),
        bytes.fromhex(value["data"][2:]),
        int(value["blockNumber"], 16),
        bytes.fromhex(value["blockHash"][2:]),
        bytes.fromhex(value["transactionHash"][2:]),
        int(value["logIndex"], 16),
    )


def _logs_until(last: Block, results: list[Any]) -> list[RawLog]:
    if block_of(results[0]).hash != last.hash:
        raise ChainUnavailable(f"block {last.number} was replaced while it was read")
    return sorted((log_of(value) for value in results[1]), key=lambda log: (log.block_number, log.index))
