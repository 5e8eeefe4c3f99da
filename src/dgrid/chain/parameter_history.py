"""Which value of a parameter counts in which epoch: a pure fold over `ParameterSet`, as all of `view`.

A vote takes effect two epochs after it was executed, so every role knows a value before it counts, and whoever
recomputes an old epoch asks for that epoch's.
"""

from bisect import bisect_right
from dataclasses import dataclass, fields, replace

from dgrid.chain.events import ParameterSet
from dgrid.chain.parameters import Parameters
from dgrid.core.errors import NotYet

_NAMES = tuple(one.name for one in fields(Parameters))
_BLANK = Parameters(**dict.fromkeys(_NAMES, 0))


@dataclass(frozen=True, slots=True)
class ParameterHistory:
    """All sets of values, each with the first epoch it counts in, ascending."""

    first_epochs: tuple[int, ...] = ()
    values: tuple[Parameters, ...] = ()

    @classmethod
    def of(cls, parameters: Parameters) -> "ParameterHistory":
        """These values from the first epoch on."""
        return cls((0,), (parameters,))

    @property
    def is_empty(self) -> bool:
        """Whether the contract's first values were not seen yet."""
        return not self.values

    def at(self, epoch: int) -> Parameters:
        """What counts in an epoch. Raises NotYet before anything was seen of the contract."""
        if not self.values:
            raise NotYet("the network's parameters have not been seen yet")
        return self.values[max(0, bisect_right(self.first_epochs, epoch) - 1)]

    @property
    def last(self) -> Parameters:
        """What will count when every change is in effect. Raises NotYet."""
        return self.at(self.first_epochs[-1] if self.first_epochs else 0)

    def since(self, epoch: int) -> tuple[tuple[int, Parameters], ...]:
        """The sets that count in the epoch or come later, each with its first epoch."""
        at = max(0, bisect_right(self.first_epochs, epoch) - 1)
        return tuple(zip(self.first_epochs[at:], self.values[at:], strict=True))

    def changed_in(self, name: str) -> int:
        """The epoch from which a parameter's last value counts. Raises NotYet."""
        last, since = getattr(self.last, name), len(self.values) - 1
        while since > 0 and getattr(self.values[since - 1], name) == last:
            since -= 1
        return self.first_epochs[since]

    def changed(self, event: ParameterSet) -> "ParameterHistory":
        """The history after one more event: the contract's first values, or a vote's. They come in order of epochs."""
        if not self.values:
            return ParameterHistory((event.from_epoch,), (_with(_BLANK, event),))
        values = (*self.values[:-1], _with(self.values[-1], event))
        if event.from_epoch == self.first_epochs[-1]:
            return ParameterHistory(self.first_epochs, values)
        return ParameterHistory((*self.first_epochs, event.from_epoch), (*self.values, values[-1]))


def _with(parameters: Parameters, event: ParameterSet) -> Parameters:
    return replace(parameters, **{_NAMES[event.parameter]: event.value})
