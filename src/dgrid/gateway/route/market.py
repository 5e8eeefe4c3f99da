"""The offers in reach, as one frozen picture: sorted once when something changes, read by every request.

Sellers much dearer than the cheapest are left out unless the caller names them: otherwise one absurd price would decide
what everybody must hold.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dgrid.gateway.orders import Seller

PRICE_BAND = 2  # times the cheapest


@dataclass(frozen=True, slots=True)
class ModelMarket:
    """Who sells one model, cheapest first."""

    model: str
    sellers: tuple[Seller, ...]

    @property
    def in_band(self) -> tuple[Seller, ...]:
        """Those whose price is within reach of the cheapest."""
        limit_wei = PRICE_BAND * self.sellers[0].blended_wei
        return tuple(seller for seller in self.sellers if seller.blended_wei <= limit_wei)

    @property
    def context(self) -> int:
        return max(seller.context for seller in self.sellers)


@dataclass(frozen=True, slots=True)
class Market:
    """All models that somebody offers. `quality` ranks models where it was measured; `in_band` is what `ModelMarket`
    says, computed once."""

    models: Mapping[str, ModelMarket]
    quality: Mapping[str, int]
    in_band: Mapping[str, tuple[Seller, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, sellers: Iterable[Seller], *, quality: Mapping[str, int]) -> "Market":
        by_model: dict[str, list[Seller]] = {}
        for seller in sellers:
            by_model.setdefault(seller.model, []).append(seller)
        models = {
            model: ModelMarket(model, tuple(sorted(found, key=lambda seller: (seller.blended_wei, seller.node))))
            for model, found in sorted(by_model.items())
        }
        return cls(models, quality, {model: market.in_band for model, market in models.items()})


EMPTY_MARKET = Market({}, {})
