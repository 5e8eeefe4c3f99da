"""A proposal before it is sent: read as people write it, and held to all that the contract will hold it to.

Whatever the contract would refuse after days of voting is refused here at once, with the rule's name and the numbers.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dgrid.chain.parameter_history import ParameterHistory
from dgrid.chain.parameters import Parameters, Tunable, Unit, tunable
from dgrid.core.errors import InvalidRequest, RequestError
from dgrid.core.money import WEI, scaled
from dgrid.governance.changes import ParameterChange
from dgrid.poq.economics import Rule, violations

_ASSIGNMENT = re.compile(r"([a-z_]+)=([0-9][0-9_]*(?:\.[0-9]+)?)\s*(DGAI|dgai|%|s|m|h|d)?")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_BPS_IN_PERCENT = 100

REASONS = {
    Rule.NODE_HONESTY: "a node would gain by running less than it sold: check more, slash more, or cap what a request "
    "is worth",
    Rule.NODE_EXPOSURE: "an impostor would save more until it is convicted than its slash costs: raise the least "
    "stake, the slash or the share of identity checks",
    Rule.EVALUATOR_HONESTY: "guessing would not be told from judging, or silence cost less than it saves: raise the "
    "share of canaries, evaluators' pay or the penalty",
    Rule.UNBONDING: "stake could leave before the last appeal over what it answers for",
    Rule.BOND: "a bond could leave before the last debt it backs is claimed",
    Rule.WINDOWS: "a window would be empty, a root be disputed for longer than an epoch, or a minority decide",
    Rule.COMMITTEES: "a committee would be empty, or an appeal not be heard by more than the first verdict",
    Rule.REPORTER: "to report oneself would pay",
    Rule.WEIGHTS: "quality would have no weights, or price and speed more than a fifth of them",
    Rule.VERDICTS: "a jury would be paid less for a conviction than for an acquittal: lower a case's bond or what a "
    "request is worth, or raise the least stake or the slashes",
}


class UnsafeParameters(RequestError):
    """The values would make fraud pay, or break a promise: the contract refuses them."""

    status = 422
    code = "unsafe_parameters"
    exit_code = 4


class OutOfBounds(RequestError):
    """A value is outside its hard bounds, moves too far at once, or its parameter is changing already."""

    status = 422
    code = "out_of_bounds"
    exit_code = 4


@dataclass(frozen=True, slots=True)
class Draft:
    """New values by parameter, each once, in the contract's order."""

    values: tuple[tuple[Tunable, int], ...]

    @classmethod
    def of(cls, assignments: Iterable[str]) -> "Draft":
        """From `NAME=VALUE` texts: whole numbers in the parameter's unit, or with DGAI, %, s, m, h or d behind.

        Raises UnknownParameter, InvalidRequest.
        """
        found: dict[int, tuple[Tunable, int]] = {}
        for text in assignments:
            parameter, value = _read(text)
            if parameter.index in found:
                raise InvalidRequest(f"{parameter.name} is given twice")
            found[parameter.index] = parameter, value
        if not found:
            raise InvalidRequest("nothing would change", hint="name at least one parameter: NAME=VALUE")
        return cls(tuple(found[index] for index in sorted(found)))

    def changes(self, before: Parameters) -> list[ParameterChange]:
        """Old and new of each."""
        return [ParameterChange(one, getattr(before, one.name), value) for one, value in self.values]

    def over(self, before: Parameters) -> Parameters:
        """All values if this counted."""
        return replace(before, **{one.name: value for one, value in self.values})


def require_adoptable(draft: Draft, history: ParameterHistory, *, epoch_now: int, epoch_seconds: int) -> None:
    """Raises OutOfBounds or UnsafeParameters when the contract would refuse the values now."""
    before = history.last
    require_bounds(draft)
    for change in draft.changes(before):
        _require_small(change)
        if (since := history.changed_in(change.parameter.name)) > epoch_now:
            raise OutOfBounds(
                f"{change.parameter.name} is changing already, from epoch {since}", hint="execute this after it"
            )
    if broken := violations(draft.over(before), epoch_seconds=epoch_seconds, before=before):
        raise unsafe(broken)


def unsafe(broken: Sequence[Rule]) -> UnsafeParameters:
    """The error that names the rules."""
    names = ", ".join("".join(part.capitalize() for part in rule.name.split("_")) for rule in broken)
    return UnsafeParameters(f"the contract will refuse this: {names}", hint="; ".join(REASONS[rule] for rule in broken))


def require_bounds(draft: Draft) -> None:
    """Raises OutOfBounds where a value can never be: at a deployment as little as by a vote."""
    for one, value in draft.values:
        if not one.bounds.minimum <= value <= one.bounds.maximum:
            least, most, new = map(one.shown, (one.bounds.minimum, one.bounds.maximum, value))
            raise OutOfBounds(f"{one.name} lies between {least} and {most} {one.shown_unit}, not {new}")


def _require_small(change: ParameterChange) -> None:
    one, bounds = change.parameter, change.parameter.bounds
    if abs(change.new - change.old) > bounds.change_max:
        step, old, new = map(one.shown, (bounds.change_max, change.old, change.new))
        raise OutOfBounds(
            f"{one.name} moves by at most {step} {one.shown_unit} at once, not {old} to {new}",
            hint="propose a part of the way now, and the rest afterwards",
        )


def _read(text: str) -> tuple[Tunable, int]:
    name, sign, _ = text.partition("=")
    if not sign:
        raise InvalidRequest(f"{text} is no NAME=VALUE")
    parameter = tunable(name.strip())
    found = _ASSIGNMENT.fullmatch(text.replace(" ", ""))
    if found is None:
        raise InvalidRequest(f"{text}: the value is a whole number of {parameter.unit}")
    try:
        return parameter, scaled(found[2], _factor(parameter, found[3]))
    except ValueError:
        raise InvalidRequest(f"{text} is no whole number of {parameter.unit}") from None


def _factor(parameter: Tunable, suffix: str | None) -> int:
    """What a suffix multiplies by. Raises InvalidRequest for one of another unit."""
    if suffix is None:
        return 1
    factors = {Unit.WEI: {"DGAI": WEI, "dgai": WEI}, Unit.BPS: {"%": _BPS_IN_PERCENT}, Unit.SECONDS: _SECONDS}
    factor = factors.get(parameter.unit, {}).get(suffix)
    if factor is None:
        raise InvalidRequest(f"{parameter.name} is not counted in {suffix}", hint=f"its unit is {parameter.unit}")
    return factor
