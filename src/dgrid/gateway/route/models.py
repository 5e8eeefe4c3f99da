"""Which model: the one that was named, a fallback from `models[]`, or the best, cheapest or fastest for `auto`."""

from collections.abc import Callable, Iterator

from dgrid.core.errors import ModelNotFound
from dgrid.gateway.route.load import Loads
from dgrid.gateway.route.market import Market
from dgrid.wire.openai import ChatRequest

VIRTUAL_MODELS = ("auto", "auto:best", "auto:cheap", "auto:fast")


def wanted_models(chat: ChatRequest, market: Market, *, loads: Loads) -> list[str]:
    """The models to try, in order; only such as somebody offers. Raises ModelNotFound when there is none."""
    if not chat.models and chat.model in market.models:
        return [chat.model]
    found = list(dict.fromkeys(_expand([chat.model, *(chat.models or ())], market, loads=loads)))
    if not found:
        offered = ", ".join(market.models) or "none at the moment"
        raise ModelNotFound(f"no node offers the model {chat.model}", hint=f"offered: {offered}", param="model")
    return found


def _expand(names: list[str], market: Market, *, loads: Loads) -> Iterator[str]:
    for name in names:
        if name in VIRTUAL_MODELS:
            yield from sorted(market.models, key=_rank(name, market, loads=loads))
        elif name in market.models:
            yield name


def _rank(virtual: str, market: Market, *, loads: Loads) -> Callable[[str], tuple[float, ...]]:
    def cheapest(model: str) -> float:
        return float(market.models[model].sellers[0].blended_wei)

    def fastest(model: str) -> float:
        return min(loads.of(seller.node).cost() for seller in market.models[model].sellers)

    def best(model: str) -> tuple[float, ...]:
        quality = market.quality.get(model)
        return (0, -quality) if quality is not None else (1, -cheapest(model))

    if virtual == "auto:cheap":
        return lambda model: (cheapest(model),)
    if virtual == "auto:fast":
        return lambda model: (fastest(model),)
    return best
