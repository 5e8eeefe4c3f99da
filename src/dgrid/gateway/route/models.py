"""Which model: the one that was named, a fallback from `models[]`, or the best, cheapest or fastest for `auto`.

The best is by what is known of each model's answers to this kind of task: canaries and judgements of the network, on
top of the quality measured when the model was published, which counts as much as `PRIOR_SAMPLES` of them. `auto:best`
goes by the mean; `auto` draws from the posterior, so that it also finds out. Pure: chance is passed in.
"""

from collections.abc import Callable, Iterator
from random import Random

import msgspec

from dgrid.core.errors import ModelNotFound
from dgrid.gateway.route.load import Loads
from dgrid.gateway.route.picture import Picture
from dgrid.gateway.route.standing import BPS, Standing, sampled
from dgrid.wire.openai import ChatRequest

VIRTUAL_MODELS = ("auto", "auto:best", "auto:cheap", "auto:fast")
PRIOR_SAMPLES = 20


class Expected(msgspec.Struct, frozen=True, gc=False):
    """How good a model's answer to this kind of task will be."""

    model: str
    mean_bps: int
    samples: int
    drawn_bps: int  # what it was ranked by


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """The models to try, in order, and what `auto` ranked them by."""

    models: tuple[str, ...]
    task: str = ""
    ranking: tuple[Expected, ...] = ()


class ModelChoice:
    """Chooses the models for one request."""

    def __init__(
        self, picture: Picture, loads: Loads, *, task_of: Callable[[ChatRequest], str], chance: Random
    ) -> None:
        self._picture, self._loads, self._task_of, self._chance = picture, loads, task_of, chance
        self._task = ""
        self._expected: dict[str, Expected] = {}

    def wanted(self, chat: ChatRequest) -> Wanted:
        """The models to try; only such as somebody offers. Raises ModelNotFound when there is none."""
        if not chat.models and chat.model in self._picture.market.models:
            return Wanted((chat.model,))
        found = tuple(dict.fromkeys(self._expand(chat)))
        if not found:
            offered = ", ".join(self._picture.market.models) or "none at the moment"
            raise ModelNotFound(f"no node offers the model {chat.model}", hint=f"offered: {offered}", param="model")
        return Wanted(found, self._task, tuple(self._expected[name] for name in found if name in self._expected))

    def _expand(self, chat: ChatRequest) -> Iterator[str]:
        for name in (chat.model, *(chat.models or ())):
            if name in VIRTUAL_MODELS:
                self._task = self._task or self._task_of(chat)
                yield from sorted(self._picture.market.models, key=self._rank(name))
            elif name in self._picture.market.models:
                yield name

    def _rank(self, virtual: str) -> Callable[[str], tuple[float, ...]]:
        if virtual == "auto:cheap":
            return lambda model: (self._cheapest(model),)
        if virtual == "auto:fast":
            return lambda model: (self._fastest(model),)
        return lambda model: self._best(model, explores=virtual == "auto")

    def _cheapest(self, model: str) -> float:
        return float(self._picture.market.models[model].sellers[0].blended_wei)

    def _fastest(self, model: str) -> float:
        return min(self._loads.of(seller.node).cost() for seller in self._picture.market.models[model].sellers)

    def _best(self, model: str, *, explores: bool) -> tuple[float, ...]:
        """What nobody has measured comes last, the dearest of it first."""
        known = self._picture.work_at(model, self._task)
        published_bps = self._picture.market.quality.get(model)
        if published_bps is None and known.samples < PRIOR_SAMPLES:
            return 1, -self._cheapest(model)
        mean, spread = expectation(known, published_bps)
        drawn = sampled(mean, spread, chance=self._chance) if explores and known.samples else mean
        self._expected[model] = Expected(model, round(mean * BPS), known.samples, round(drawn * BPS))
        return 0, -drawn


def expectation(known: Standing, published_bps: int | None) -> tuple[float, float]:
    """Mean and standard deviation of the Beta that the published quality and the network's own evidence make up."""
    good, bad = (known.good, known.bad) if known.samples else (0.0, 0.0)
    if published_bps is not None:
        good += published_bps / BPS * PRIOR_SAMPLES
        bad += (1 - published_bps / BPS) * PRIOR_SAMPLES
    return good / (good + bad), Standing(good, bad).spread
