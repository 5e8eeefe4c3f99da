"""The network's one clock step: which epoch a moment belongs to. Takes times, never reads a clock."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EpochClock:
    """Epochs of equal length since a genesis; both are immutable on chain."""

    genesis_s: int
    length_s: int

    def __post_init__(self) -> None:
        if self.length_s <= 0:
            raise ValueError("an epoch lasts at least a second")

    def epoch_at(self, time_ms: int) -> int:
        """The epoch of a moment; a moment before genesis counts to epoch 0."""
        return max(0, (time_ms // 1000 - self.genesis_s) // self.length_s)

    def opens_at_ms(self, epoch: int) -> int:
        return (self.genesis_s + epoch * self.length_s) * 1000

    def closes_at_ms(self, epoch: int) -> int:
        """The first moment that no longer belongs to the epoch."""
        return self.opens_at_ms(epoch + 1)
