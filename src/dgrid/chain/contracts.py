"""Our contracts, typed by the one generated artifact file: calls encoded; results, events, reverts decoded by name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from importlib import resources
from typing import Any

import msgspec

from dgrid.chain.abi import AbiError, Tuple, selector, tuple_of
from dgrid.chain.rpc import RawLog, Rpc, RpcError
from dgrid.config import ChainConfig
from dgrid.core.errors import DGridError
from dgrid.core.identity import Address, to_hex
from dgrid.core.keccak import keccak
from dgrid.core.money import amount_text

_ERROR_STRING = selector("Error(string)")
_PANIC = selector("Panic(uint256)")

# Names in a configuration → names in the artifact file.
ARTIFACT_NAMES = {
    "dgai": "DGAI",
    "timelock": "TimelockController",
    "governor": "DGridGovernor",
    "parameters": "Parameters",
    "listings": "Listings",
    "registry": "Registry",
    "channel_escrow": "ChannelEscrow",
    "settlement": "Settlement",
    "challenges": "Challenges",
    "splits": "Splits",
    "demands": "Demands",
    "quality_court": "QualityCourt",
    "cases": "Cases",
}


class Reverted(DGridError):
    """A contract refused a call: the name of its error, and what it says."""

    code = "reverted"

    def __init__(self, name: str, arguments: dict[str, Any]) -> None:
        shown = ", ".join(
            f"{key}={to_hex(value) if isinstance(value, bytes) else value}" for key, value in arguments.items()
        )
        super().__init__(f"the contract refused: {name}({shown})", hint=_what_is_missing(name, arguments))
        self.name = name
        self.arguments = arguments


def _what_is_missing(name: str, arguments: dict[str, Any]) -> str:
    """Who holds too little, in DGAI; empty for any other refusal."""
    if name != "ERC20InsufficientBalance":
        return ""
    holds, needed = amount_text(arguments["balance"]), amount_text(arguments["needed"])
    return f"{to_hex(arguments['sender'])} holds {holds} DGAI; this takes {needed} DGAI"


class _Artifact(msgspec.Struct):
    abi: msgspec.Raw
    bytecode: str
    immutables: str  # where in the runtime code they stand: "start-end start-end …"
    runtime_bytes: int
    runtime_sha256: str  # with zeros in their places


class _Artifacts(msgspec.Struct):
    contracts: dict[str, _Artifact]


@cache
def _artifacts() -> dict[str, _Artifact]:
    data = resources.files("dgrid.chain").joinpath("artifacts.json").read_bytes()
    return msgspec.json.decode(data, type=_Artifacts).contracts


def bytecode(name: str) -> bytes:
    """A contract's deployment code, by its name in a configuration."""
    return bytes.fromhex(_artifacts()[ARTIFACT_NAMES[name]].bytecode.removeprefix("0x"))


def runtime_bytes(name: str) -> int:
    """How long a contract's code on the chain is."""
    return _artifacts()[ARTIFACT_NAMES[name]].runtime_bytes


def is_code_of(name: str, code: bytes) -> bool:
    """Whether code found on a chain is this contract's, whatever it was told at its creation (its immutables)."""
    artifact, masked = _artifacts()[ARTIFACT_NAMES[name]], bytearray(code)
    for place in artifact.immutables.split():
        start, end = map(int, place.split("-"))
        masked[start:end] = bytes(end - start)
    return sha256(masked).hexdigest() == artifact.runtime_sha256


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    selector: bytes
    inputs: Tuple
    outputs: Tuple
    is_view: bool  # changes nothing


@dataclass(frozen=True, slots=True)
class EventShape:
    name: str
    indexed: Tuple
    plain: Tuple


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A decoded log: which contract said what."""

    contract: str
    name: str
    arguments: dict[str, Any]
    log: RawLog


class Interface:
    """What one contract's ABI holds; made once a process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._entries: list[dict[str, Any]] = msgspec.json.decode(_artifacts()[ARTIFACT_NAMES[name]].abi)

    @cached_property
    def functions(self) -> dict[str, Function]:
        found = {}
        for entry in self._of("function"):
            inputs = tuple_of(entry["inputs"])
            name, is_view = entry["name"], entry["stateMutability"] in ("view", "pure")
            found[name] = Function(name, selector(name + inputs.name), inputs, tuple_of(entry["outputs"]), is_view)
        return found

    @cached_property
    def events(self) -> dict[bytes, EventShape]:
        found = {}
        for entry in self._of("event"):
            topic = keccak((entry["name"] + tuple_of(entry["inputs"]).name).encode())
            indexed, plain = ([one for one in entry["inputs"] if one["indexed"] is wanted] for wanted in (True, False))
            found[topic] = EventShape(entry["name"], tuple_of(indexed), tuple_of(plain))
        return found

    @cached_property
    def errors(self) -> dict[bytes, tuple[str, Tuple]]:
        shapes = [(entry["name"], tuple_of(entry["inputs"])) for entry in self._of("error")]
        return {selector(name + shape.name): (name, shape) for name, shape in shapes}

    @cached_property
    def constructor(self) -> Tuple:
        return tuple_of(next((entry["inputs"] for entry in self._of("constructor")), []))

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [entry for entry in self._entries if entry["type"] == kind]


@cache
def interface(name: str) -> Interface:
    """A contract's interface, by its name in a configuration."""
    return Interface(name)


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract at an address."""

    name: str
    address: Address

    @property
    def interface(self) -> Interface:
        return interface(self.name)

    def encode(self, function: str, arguments: Sequence[Any] = ()) -> bytes:
        """The call's data. Raises AbiError; KeyError when there is no such function."""
        shape = self.interface.functions[function]
        return shape.selector + shape.inputs.encode(tuple(arguments))

    async def read(self, rpc: Rpc, function: str, arguments: Sequence[Any] = (), *, block: str = "latest") -> Any:
        """What a view returns, as one endpoint says: the value, or a tuple of several. Only to be shown: what money or
        duty depends on is `agreed`. Raises ChainUnavailable, Reverted.
        """
        call = {"to": to_hex(self.address), "data": to_hex(self.encode(function, arguments))}
        try:
            result = await rpc.call("eth_call", [call, block])
        except RpcError as error:
            raise revert_of(error) from None
        return self.decode_result(function, bytes.fromhex(result[2:]))

    async def agreed(self, rpc: Rpc, function: str, arguments: Sequence[Any] = ()) -> Any:
        """What a majority of the endpoints says that a view returns. Raises ChainUnavailable, Reverted."""
        (found,) = await self.agreed_each(rpc, function, [arguments])
        return found

    async def agreed_each(self, rpc: Rpc, function: str, each: Iterable[Sequence[Any]]) -> list[Any]:
        """The same for several calls, at one block and in few messages. Raises ChainUnavailable, Reverted."""
        try:
            results = await rpc.views([(self.address, self.encode(function, arguments)) for arguments in each])
        except RpcError as error:
            raise revert_of(error) from None
        return [self.decode_result(function, result) for result in results]

    async def agreed_struct(self, rpc: Rpc, function: str, arguments: Sequence[Any] = ()) -> dict[str, Any]:
        """The same of a view that returns one struct, by the names of its fields. Raises ChainUnavailable, Reverted."""
        (found,) = await self.agreed_structs(rpc, function, [arguments])
        return found

    async def agreed_structs(self, rpc: Rpc, function: str, each: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
        """One struct a call. Raises ChainUnavailable, Reverted."""
        (shape,) = self.interface.functions[function].outputs.parts
        assert isinstance(shape, Tuple), f"{function} returns no struct"
        return [dict(zip(shape.names, one, strict=True)) for one in await self.agreed_each(rpc, function, each)]

    def decode_result(self, function: str, data: bytes) -> Any:
        """The value behind a call's returned bytes. Raises AbiError."""
        values = self.interface.functions[function].outputs.decode(data, 0)
        return values[0] if len(values) == 1 else values

    def decode_log(self, log: RawLog) -> LogEvent | None:
        """The event in a log of this contract; None when it is another's or unknown. Raises AbiError."""
        if log.address != self.address or not log.topics:
            return None
        shape = self.interface.events.get(log.topics[0])
        if shape is None:
            return None
        arguments = {
            name: part.decode(topic, 0)
            for name, part, topic in zip(shape.indexed.names, shape.indexed.parts, log.topics[1:], strict=True)
        }
        arguments.update(zip(shape.plain.names, shape.plain.decode(log.data, 0), strict=True))
        return LogEvent(self.name, shape.name, arguments, log)


class Contracts:
    """The contracts of one network."""

    def __init__(self, chain: ChainConfig) -> None:
        self.chain_id = chain.chain_id
        self.first_block = chain.first_block
        self.dgai = Contract("dgai", chain.address("dgai"))
        self.timelock = Contract("timelock", chain.address("timelock"))
        self.governor = Contract("governor", chain.address("governor"))
        self.parameters = Contract("parameters", chain.address("parameters"))
        self.registry = Contract("registry", chain.address("registry"))
        self.channel_escrow = Contract("channel_escrow", chain.address("channel_escrow"))
        self.settlement = Contract("settlement", chain.address("settlement"))
        self.listings = Contract("listings", chain.address("listings"))
        self.challenges = Contract("challenges", chain.address("challenges"))
        self.splits = Contract("splits", chain.address("splits"))
        self.demands = Contract("demands", chain.address("demands"))
        self.quality_court = Contract("quality_court", chain.address("quality_court"))
        self.cases = Contract("cases", chain.address("cases"))

    @property
    def watched(self) -> tuple[Contract, ...]:
        """Those whose events make up the network's state."""
        return (
            self.parameters,
            self.timelock,
            self.governor,
            self.registry,
            self.listings,
            self.channel_escrow,
            self.settlement,
            self.demands,
            self.quality_court,
            self.cases,
        )

    @property
    def all(self) -> tuple[Contract, ...]:
        """Every contract of the network."""
        return (*self.watched, self.dgai, self.challenges, self.splits)

    def decode_log(self, log: RawLog) -> LogEvent | None:
        """The event in a log of any of our contracts. Raises AbiError."""
        for contract in (*self.watched, self.dgai):
            if log.address == contract.address:
                return contract.decode_log(log)
        return None


def revert_of(error: RpcError) -> DGridError:
    """The contract's own error behind a failed call, or the call's error when it is none of ours."""
    return decode_revert(error.data) or error


def decode_revert(data: bytes) -> Reverted | None:
    """What a contract returned when it refused; None when it says nothing that we know."""
    name, body = data[:4], data[4:]
    try:
        if name == _ERROR_STRING:
            return Reverted("Error", {"message": tuple_of([{"type": "string", "name": "message"}]).decode(body, 0)[0]})
        if name == _PANIC:
            return Reverted("Panic", {"code": int.from_bytes(body[:32], "big")})
        for known in ARTIFACT_NAMES:
            if name in (errors := interface(known).errors):
                title, shape = errors[name]
                return Reverted(title, dict(zip(shape.names, shape.decode(body, 0), strict=True)))
    except AbiError:
        return None
    return None
