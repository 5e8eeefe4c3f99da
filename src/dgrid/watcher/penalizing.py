"""Evaluators that committed to reports and did not open them, or would have opened others: challenge 7.

The contract takes no opening that is not what was committed to, so whoever judged dishonestly and thinks better of it
can only be silent; silence costs a penalty, of which whoever reports it gets a share. The other evaluators come first.
This is for the round in which none of them does: they are in it together, or one judges alone. Reports nobody of whose
silence the watcher was no witness.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dgrid.chain.attendance import Attendance
from dgrid.chain.contracts import Contracts
from dgrid.chain.court import penalize
from dgrid.chain.rpc import Rpc
from dgrid.chain.sender import Sender
from dgrid.chain.view import ChainView
from dgrid.core.identity import Address, to_hex
from dgrid.settlement.rounds import was_watched, windows_of
from dgrid.telemetry import WatcherMetrics
from dgrid.watcher.backing_off import Backoff

OTHERS_S = 30  # after the window of openings, which evaluators use in turn


def withheld(view: ChainView, attendance: Attendance, *, now_s: int) -> list[tuple[int, Address]]:
    """(round, evaluator) of commitments that nobody opened or reported, the oldest first, once it is anybody's turn."""
    silent = _silent(view, attendance)
    return sorted(one for one in silent if now_s >= windows_of(view, one[0]).open_from_s + OTHERS_S)


def _silent(view: ChainView, attendance: Attendance) -> Iterator[tuple[int, Address]]:
    """Commitments that are not opened, of rounds that the watcher was a witness of; their time may not be over yet."""
    return (one for one in view.unopened() if was_watched(view, one[0], attendance=attendance))


@dataclass(frozen=True, slots=True)
class Penalizer:
    """One watcher's reports."""

    rpc: Rpc
    contracts: Contracts
    sender: Sender
    metrics: WatcherMetrics
    backoff: Backoff
    attendance: Callable[[], Attendance]

    async def step(self, view: ChainView) -> None:
        """Reports what the final chain shows to be withheld. Raises ChainUnavailable."""
        if next(_silent(view, self.attendance()), None) is None:
            return
        for number, evaluator in withheld(view, self.attendance(), now_s=await self.rpc.now_s()):
            if self.backoff.is_due((number, evaluator)):
                what = f"{to_hex(evaluator)} is not reported for round {number}"
                with self.backoff.trying((number, evaluator), what):
                    await penalize(self.sender, self.contracts, evaluator=evaluator, round_=number)
                    self.metrics.penalties.add(1)
