"""JSON-RPC over one or several endpoints of one chain: the next one on failure, and a majority where money follows.

What is only looked at is asked of one endpoint at a time. What credits money or is a duty (finalized blocks and their
logs, receipts, nonces, the time, views that decide what is sent) is asked of all, and counts when a strict majority
says the same (`quorum`). Refuses endpoints of another chain, and a single endpoint of a public chain unless the
configuration says so: who runs it could make up deposits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from dgrid.chain.quorum import Endpoints
from dgrid.config import ChainConfig, ConfigError
from dgrid.core.errors import ChainUnavailable, DGridError, NodeFault
from dgrid.wire.http import HttpClient

BATCH_MAX = 100
REPLY_S = 10.0

Call = tuple[str, list[Any]]
View = tuple[bytes, bytes]  # a contract's address, and the data of the call
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
        self.urls = tuple(dict.fromkeys(urls))  # one that is named twice has one voice
        self.chain_id = chain_id
        self._http = http
        self._endpoints = Endpoints(self.urls)
        self._first = self.urls[0]
        self._proven: set[str] = set()

    @classmethod
    def of(cls, chain: ChainConfig, http: HttpClient | None = None) -> "Rpc":
        """The chain of a configuration. Raises ConfigError where one endpoint alone would decide about real money."""
        if len(set(chain.rpc_urls)) < 2 and not (chain.is_dev or chain.single_endpoint):
            raise ConfigError(
                f"chain {chain.chain_id} has one endpoint here, which could make up deposits",
                hint="name three in rpc_urls, run by different people; or set single_endpoint = true if it is your own",
            )
        return cls(chain.rpc_urls, http or HttpClient(), chain_id=chain.chain_id)

    async def call(self, method: str, params: Sequence[Any]) -> Any:
        """The result of one call. Raises ChainUnavailable when no endpoint answers, RpcError when the chain refuses."""
        (result,) = await self.batch([(method, list(params))])
        return result

    async def batch(self, calls: Sequence[Call]) -> list[Any]:
        """The results of several calls, all by the same endpoint. Raises ChainUnavailable, RpcError."""
        failure: DGridError | None = None
        for url in self._endpoints.by_trust(self._first):
            try:
                results = await self._told(url, calls, _as_it_is)
            except ChainUnavailable as error:
                failure = error
                continue
            self._first = url
            return results
        assert failure is not None
        raise failure

    async def agreed(self, calls: Sequence[Call], read: Callable[[list[Any]], Agreed], *, what: str) -> Agreed:
        """What a strict majority of the endpoints says to these calls, as `read` reads it.

        Raises ChainUnavailable where there is no majority, RpcError when the chain refuses.
        """

        async def ask(url: str) -> Agreed:
            return await self._told(url, calls, read)

        return await self._endpoints.majority(ask, what=what)

    async def reached(self, calls: Sequence[Call], read: Callable[[Any], int], *, what: str) -> tuple[int, ...]:
        """Of each result the highest number that a strict majority has reached. Raises ChainUnavailable, RpcError."""

        async def ask(url: str) -> tuple[int, ...]:
            return await self._told(url, calls, lambda results: tuple(map(read, results)))

        return await self._endpoints.reached(ask, what=what)

    async def broadcast(self, raw: bytes) -> None:
        """Hands a signed transaction to all endpoints; one that takes it will do. Raises ChainUnavailable, RpcError."""
        calls: list[Call] = [("eth_sendRawTransaction", ["0x" + raw.hex()])]

        async def tell(url: str) -> Any:
            return await self._told(url, calls, _as_it_is)

        await self._endpoints.anyone(tell, what="a transaction")

    async def heads(self) -> tuple[Block, Block]:
        """The latest block that a majority calls final, and the latest it knows. Raises ChainUnavailable."""
        tags: list[Call] = [("eth_getBlockByNumber", [tag, False]) for tag in ("finalized", "latest")]
        if len(self.urls) == 1:
            return await self.agreed(tags, _read_heads, what="its head")
        final_number, latest_number = await self.reached(tags, lambda block: block_of(block).number, what="its head")
        final = await self.agreed_block(final_number)
        try:
            latest = await self.agreed_block(latest_number)
        except ChainUnavailable:  # the newest blocks are contested for a moment: there is nothing newer to show
            latest = final
        return _known(final), _known(latest or final)

    async def finalized_block(self) -> Block:
        """The finalized block that a majority agrees on. Raises ChainUnavailable."""
        return (await self.heads())[0]

    async def block(self, number: int | str) -> Block | None:
        """A block by its number or tag; None when there is none. Raises ChainUnavailable."""
        name = hex(number) if isinstance(number, int) else number
        found = await self.call("eth_getBlockByNumber", [name, False])
        return None if found is None else block_of(found)

    async def now_s(self) -> int:
        """The newest block's time, Unix seconds: what a contract would be told. Raises ChainUnavailable."""
        return (await self.heads())[1].timestamp_s

    async def gas_price_wei(self) -> int:
        """What a unit of gas costs now, as one endpoint says: for telling people. Raises ChainUnavailable, RpcError."""
        return int(await self.call("eth_gasPrice", []), 16)

    async def views(self, calls: Sequence[View]) -> list[bytes]:
        """What contracts' views return, as a majority says of one block, the newest that it has reached.

        Raises ChainUnavailable where there is no majority, RpcError when a view refuses.
        """
        if not calls:
            return []
        name, found = await self._newest(), list[bytes]()
        for at in range(0, len(calls), BATCH_MAX):
            part: list[Call] = [
                ("eth_call", [{"to": "0x" + to.hex(), "data": "0x" + data.hex()}, name])
                for to, data in calls[at : at + BATCH_MAX]
            ]
            found += await self.agreed(part, _read_bytes, what=f"what contracts hold at block {name}")
        return found

    async def _newest(self) -> str:
        """The newest block that a majority has reached, as calls name it: one endpoint need not be asked twice."""
        if len(self.urls) == 1:
            return "latest"
        calls: list[Call] = [("eth_blockNumber", [])]
        (number,) = await self.reached(calls, lambda result: int(result, 16), what="its head")
        return hex(number)

    async def agreed_block(self, number: int) -> Block | None:
        """A block as a majority knows it; None when a majority has none of that number. Raises ChainUnavailable."""
        calls: list[Call] = [("eth_getBlockByNumber", [hex(number), False])]
        return await self.agreed(calls, lambda results: _block_or_none(results[0]), what=f"block {number}")

    async def blocks(self, numbers: Sequence[int]) -> list[Block]:
        """Several blocks, as a majority knows them. Raises ChainUnavailable when one is missing."""
        found: list[Block] = []
        for at in range(0, len(numbers), BATCH_MAX):
            part = numbers[at : at + BATCH_MAX]
            calls: list[Call] = [("eth_getBlockByNumber", [hex(number), False]) for number in part]
            what = f"blocks {part[0]} to {part[-1]}"
            found += await self.agreed(calls, lambda results: tuple(map(block_of, results)), what=what)
        return found

    async def logs(self, first: int, last: Block, addresses: Sequence[bytes]) -> list[RawLog]:
        """Logs of the blocks first … last, in order, as a majority knows them.

        Raises ChainUnavailable, also when the last block was replaced (a reorganization); RpcError when the range is
        more than the endpoints give at once.
        """
        shown = {
            "fromBlock": hex(first),
            "toBlock": hex(last.number),
            "address": ["0x" + one.hex() for one in addresses],
        }
        calls: list[Call] = [("eth_getBlockByNumber", [hex(last.number), False]), ("eth_getLogs", [shown])]
        said = await self.agreed(calls, _read_logs, what=f"the logs up to block {last.number}")
        if said is None or said[0] != last.hash:
            raise ChainUnavailable(f"block {last.number} was replaced while it was read")
        return sorted(said[1], key=lambda log: (log.block_number, log.index))

    async def _told(self, url: str, calls: Sequence[Call], read: Callable[[list[Any]], Agreed]) -> Agreed:
        """What one endpoint answers, as `read` reads it: one that lies must end nobody's work.

        Raises ChainUnavailable, also where that is nothing that can be read; RpcError when the chain refuses.
        """
        try:
            return read(await self._ask(url, calls))
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise ChainUnavailable(f"the chain's endpoint {url} answers nonsense: {error!r}") from None

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
                hint="`dgrid up` starts a home's network, `dgrid doctor` says what each endpoint answers",
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


def _as_it_is(results: list[Any]) -> list[Any]:
    return results


def _read_heads(results: list[Any]) -> tuple[Block, Block]:
    final, latest = results
    return block_of(final), block_of(latest)


def _block_or_none(value: Any) -> Block | None:
    return None if value is None else block_of(value)


def _read_bytes(results: list[Any]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(result.removeprefix("0x")) for result in results)


def _known(block: Block | None) -> Block:
    if block is None:
        raise ChainUnavailable("the chain does not know the block")
    return block


def _read_logs(results: list[Any]) -> tuple[bytes, frozenset[RawLog]] | None:
    """The last block's hash and the logs; None where the endpoint has not got that far."""
    last = _block_or_none(results[0])
    return None if last is None else (last.hash, frozenset(map(log_of, results[1])))
