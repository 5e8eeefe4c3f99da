"""Whether this node takes work right now, and how much it has in hand."""

from dataclasses import dataclass
from typing import Final

from dgrid.node.refusals import AtCapacity, Draining

QUEUE_FOR_EACH_PLACE: Final = 8  # short requests wait a moment for their turn rather than travel to another node


@dataclass(slots=True)
class Presence:
    """Counts requests from admission to their last byte. `capacity` run at a time; a bounded number waits."""

    capacity: int
    in_flight: int = 0
    served: int = 0
    draining: bool = False

    def enter(self) -> None:
        """Raises Draining or AtCapacity."""
        if self.draining:
            raise Draining("this node takes no new work")
        if self.in_flight >= self.capacity * (1 + QUEUE_FOR_EACH_PLACE):
            raise AtCapacity(f"{self.in_flight} requests are in hand", retry_after_ms=250)
        self.in_flight += 1

    def leave(self) -> None:
        self.in_flight -= 1
        self.served += 1

    def to_json(self) -> dict[str, object]:
        state = "draining" if self.draining else "serving"
        return {"state": state, "capacity": self.capacity, "in_flight": self.in_flight, "served": self.served}
