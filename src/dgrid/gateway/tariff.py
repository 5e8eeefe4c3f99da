"""What is added to a node's price, and what is taken of it, in each epoch: the members' cut, the gateway's margin.

A receipt is split by what counts in the epoch of its place, which is only known when it is billed. The cut is taken
of the node's part, so that it moves no fee; the margin never grows between a request's hold and its bill.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from dgrid.chain.parameters import Parameters
from dgrid.core.money import Price, Terms


@dataclass(frozen=True, slots=True)
class Tariff:
    """One gateway's. `parameters` says what counts in an epoch, `epoch_now` which one runs."""

    margin_bps: int
    parameters: Callable[[int], Parameters]
    epoch_now: Callable[[], int]

    @property
    def now(self) -> Parameters:
        return self.parameters(self.epoch_now())

    def offered(self, node: Price, listing: Price) -> Terms:
        """The terms under which a request is planned now."""
        parameters = self.now
        return Terms(node, listing, parameters.protocol_bps, min(self.margin_bps, parameters.maximum_margin_bps))

    def billed(self, planned: Terms, *, epoch: int) -> Terms:
        """The terms that count for a receipt of an epoch."""
        parameters = self.parameters(epoch)
        margin_bps = min(planned.margin_bps, parameters.maximum_margin_bps)
        if (parameters.protocol_bps, margin_bps) == (planned.protocol_bps, planned.margin_bps):
            return planned
        return replace(planned, protocol_bps=parameters.protocol_bps, margin_bps=margin_bps)
