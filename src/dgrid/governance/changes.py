"""What a proposal would change, in words: parameters old and new, other calls decoded, strange addresses shouted out.

Pure. Believes no description: only the calls themselves say what will happen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dgrid.chain.abi import AbiError
from dgrid.chain.ballots import Call
from dgrid.chain.contracts import Contract, Contracts
from dgrid.chain.parameters import Parameters, Tunable, catalogue
from dgrid.core.identity import Address, to_hex
from dgrid.core.money import amount_text

NOTICE_EPOCHS = 2  # between a vote's execution and its effect (`Parameters.sol`)


@dataclass(frozen=True, slots=True)
class ParameterChange:
    """One parameter's new value."""

    parameter: Tunable
    old: int
    new: int

    def __str__(self) -> str:
        one = self.parameter
        return f"{one.name}: {one.shown(self.old)} → {one.shown(self.new)} {one.shown_unit} (read by {one.readers})"


@dataclass(frozen=True, slots=True)
class KnownCall:
    """A call of one of the network's contracts that sets no parameter."""

    contract: str
    function: str
    arguments: tuple[tuple[str, Any], ...]
    value_wei: int

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={self._shown(name, value)}" for name, value in self.arguments)
        paid = f" with {self.value_wei} wei" if self.value_wei else ""
        return f"calls {self.contract}.{self.function}({shown}){paid}"

    def _shown(self, name: str, value: Any) -> str:
        """Amounts of our token in DGAI: the token calls them value, our other contracts amount."""
        if isinstance(value, int) and name == ("value" if self.contract == "dgai" else "amount"):
            return f"{amount_text(value)} DGAI"
        return shown_value(value)


@dataclass(frozen=True, slots=True)
class StrangeCall:
    """A call that nobody here can read: of an address outside the network, or of an unknown function."""

    call: Call
    contract: str  # empty: the address is no contract of the network

    def __str__(self) -> str:
        where = to_hex(self.call.target)
        what = f"{len(self.call.data)} bytes {to_hex(self.call.data[:4])}…, {self.call.value_wei} wei"
        if self.contract:
            return f"!!! CALLS AN UNKNOWN FUNCTION of {self.contract} ({where}): {what}"
        return f"!!! CALLS {where}, WHICH IS NO CONTRACT OF THIS NETWORK: {what}"


Change = ParameterChange | KnownCall | StrangeCall


def changes_of(calls: Iterable[Call], *, contracts: Contracts, before: Parameters) -> list[Change]:
    """All that the calls do, in order. `before` are the values that they would replace."""
    found: list[Change] = []
    for call in calls:
        changes = list(_read(call, contracts, before))
        found += changes
        before = with_changes(before, changes)
    return found


def with_changes(parameters: Parameters, changes: Iterable[Change]) -> Parameters:
    """The values after the changes."""
    new = {one.parameter.name: one.new for one in changes if isinstance(one, ParameterChange)}
    return replace(parameters, **new)


def setting_calls(values: Sequence[tuple[Tunable, int]], *, contracts: Contracts) -> list[Call]:
    """The one call that sets these parameters, all or none."""
    indices, wanted = [one.index for one, _ in values], [value for _, value in values]
    contract = contracts.parameters
    return [Call(contract.address, 0, contract.encode("set", [indices, wanted]))]


def shown_value(value: Any) -> str:
    """An argument in a line."""
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(shown_value, value)) + "]"
    return str(value)


def _read(call: Call, contracts: Contracts, before: Parameters) -> Iterable[Change]:
    contract = _contract_at(contracts, call.target)
    if contract is None:
        return [StrangeCall(call, "")]
    try:
        known = _decoded(contract, call)
    except (AbiError, ValueError):
        known = None
    if known is None:
        return [StrangeCall(call, contract.name)]
    if (known.contract, known.function) == ("parameters", "set") and not call.value_wei:
        return _parameter_changes(known, before)
    return [known]


def _contract_at(contracts: Contracts, address: Address) -> Contract | None:
    return next((one for one in contracts.all if one.address == address), None)


def _decoded(contract: Contract, call: Call) -> KnownCall | None:
    for function in contract.interface.functions.values():
        if function.selector == call.data[:4]:
            values = function.inputs.decode(call.data[4:], 0)
            if function.selector + function.inputs.encode(values) != call.data:
                return None  # written so that readers could take it for something else
            arguments = tuple(zip(function.inputs.names, values, strict=True))
            return KnownCall(contract.name, function.name, arguments, call.value_wei)
    return None


def _parameter_changes(known: KnownCall, before: Parameters) -> list[Change]:
    (_, indices), (_, values) = known.arguments
    entries = catalogue()
    if len(indices) != len(values) or any(index >= len(entries) for index in indices):
        return [known]  # the contract will refuse it
    return [
        ParameterChange(entries[index], getattr(before, entries[index].name), value)
        for index, value in zip(indices, values, strict=True)
    ]
