"""A call of one of the network's contracts as people write it: `dgai.transfer 0x7099… 250DGAI`.

Refuses what it cannot read beyond doubt: unknown names, views, lists and structs. What a call does is shown by
`changes`, from its bytes; whether the chain would take it is rehearsed before it is proposed.
"""

from typing import Any

from dgrid.chain.abi import AbiError, AbiType, Text, Word
from dgrid.chain.ballots import Call
from dgrid.chain.contracts import Contract, Contracts, Function
from dgrid.core.errors import InvalidRequest
from dgrid.core.identity import address_from_hex
from dgrid.core.money import WEI, scaled

_COIN = "DGAI"
_TRUTHS = {"true": True, "false": False}


def drafted_call(text: str, *, contracts: Contracts) -> Call:
    """The call behind `CONTRACT.function ARGUMENT …`. Raises InvalidRequest."""
    name, *words = text.split() or [""]
    contract, function = _named(name, contracts)
    parts = function.inputs.parts
    if len(words) != len(parts):
        raise InvalidRequest(f"{name} takes {len(parts)} arguments, not {len(words)}: {_usage(name, function)}")
    try:
        values = [_value(word, part, contracts) for word, part in zip(words, parts, strict=True)]
        data = contract.encode(function.name, values)
    except ValueError as error:
        raise InvalidRequest(f"{text}: {error}", hint=_usage(name, function)) from None
    return Call(contract.address, 0, data)


def _named(name: str, contracts: Contracts) -> tuple[Contract, Function]:
    where, _, what = name.partition(".")
    known = {one.name: one for one in contracts.all}
    if where not in known:
        raise InvalidRequest(f"no contract is called {where!r}", hint=f"there are {', '.join(sorted(known))}")
    functions = {one.name: one for one in known[where].interface.functions.values() if not one.is_view}
    if what not in functions:
        hint = f"what {where} can be made to do: {', '.join(sorted(functions))}"
        raise InvalidRequest(f"nothing of {where} that changes anything is called {what!r}", hint=hint)
    return known[where], functions[what]


def _usage(name: str, function: Function) -> str:
    shown = zip(function.inputs.names, function.inputs.parts, strict=True)
    return " ".join([name, *(f"{argument}:{part.name}" for argument, part in shown)])


def _value(word: str, part: AbiType, contracts: Contracts) -> Any:
    """A word as the type takes it. Raises ValueError."""
    match part:
        case Text(name="string"):
            return word
        case Text():
            return _bytes(word)
        case Word(name="address"):
            named = next((one.address for one in contracts.all if one.name == word), None)
            return named or address_from_hex(word)
        case Word(name="bool"):
            if word not in _TRUTHS:
                raise ValueError(f"{word} is neither true nor false")
            return _TRUTHS[word]
        case Word(is_left=True):
            return _bytes(word)
        case Word():
            return _number(word)
        case _:
            raise AbiError(f"{part.name} cannot be typed here; parameters are set by NAME=VALUE")


def _bytes(word: str) -> bytes:
    if not word.startswith("0x"):
        raise ValueError(f"{word} is no data: 0x and hex digits")
    return bytes.fromhex(word[2:])


def _number(word: str) -> int:
    """A whole number, or an amount of DGAI in wei."""
    return scaled(word.removesuffix(_COIN), WEI if word.endswith(_COIN) else 1)
