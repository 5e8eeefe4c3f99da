"""What the caller wishes of the route, in OpenRouter's words: order, only, ignore, sort, max_price, models."""

from collections.abc import Iterable
from dataclasses import dataclass

from dgrid.core.errors import InvalidRequest
from dgrid.gateway.orders import Seller
from dgrid.wire.openai import ChatRequest, ProviderPreferences

SORTS = ("price", "latency", "throughput")
ADDRESSES_MAX = 256


@dataclass(frozen=True, slots=True)
class Wishes:
    """None and empty mean: no wish."""

    order: tuple[str, ...] = ()
    only: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    sort: str = ""
    in_price_wei_max: int | None = None
    out_price_wei_max: int | None = None
    allow_fallbacks: bool = True

    @property
    def names_nodes(self) -> bool:
        return bool(self.order or self.only)

    def refusal(self, seller: Seller) -> str:
        """Why these wishes rule a seller out, or the empty string."""
        if self.only and seller.name not in self.only:
            return "only"
        if seller.name in self.ignore:
            return "ignore"
        if self.order and not self.allow_fallbacks and seller.name not in self.order:
            return "order"
        if self.in_price_wei_max is not None and seller.price.in_wei > self.in_price_wei_max:
            return "max_price"
        if self.out_price_wei_max is not None and seller.price.out_wei > self.out_price_wei_max:
            return "max_price"
        return ""


NO_WISHES = Wishes()


def wishes_of(chat: ChatRequest) -> Wishes:
    """The wishes in a request. Raises InvalidRequest."""
    provider = chat.provider
    if provider is None:
        return NO_WISHES
    if provider.sort not in (None, *SORTS):
        raise InvalidRequest("provider.sort is one of " + ", ".join(SORTS), param="provider.sort")
    price = provider.max_price
    return Wishes(
        tuple(addresses(provider.order, "order")),
        frozenset(addresses(provider.only, "only")),
        frozenset(addresses(provider.ignore, "ignore")),
        provider.sort or "",
        _wei(price.prompt if price else None),
        _wei(price.completion if price else None),
        _fallbacks(provider),
    )


def addresses(names: Iterable[str] | None, param: str) -> list[str]:
    """Node addresses as the caller wrote them, in lower case. Raises InvalidRequest when there are too many."""
    found = [name.lower() for name in names or ()]
    if len(found) > ADDRESSES_MAX:
        raise InvalidRequest(f"at most {ADDRESSES_MAX} nodes", param=f"provider.{param}")
    return found


def _fallbacks(provider: ProviderPreferences) -> bool:
    return provider.allow_fallbacks


def _wei(text: str | int | None) -> int | None:
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise InvalidRequest("max_price is in wei per million tokens", param="provider.max_price") from None
