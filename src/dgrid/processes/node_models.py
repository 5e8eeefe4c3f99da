"""Which model a node serves and what runs it, by its configuration: built in, a GGUF file, or someone else's server."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dgrid.config import ConfigError, NodeConfig
from dgrid.core.errors import ModelNotFound
from dgrid.core.money import Price
from dgrid.engines.catalog import BuiltInModel, Catalog
from dgrid.engines.engine import Engine
from dgrid.engines.llama import LlamaEngine, LlamaOptions
from dgrid.engines.models import CONTEXT_DEFAULT, ModelFacts, model_facts
from dgrid.engines.openai_engine import EngineAddress, OpenAiEngine, Peculiarities
from dgrid.node.admit import Sold
from dgrid.node.offer import ModelTerms

CONTEXT_MAX: Final = 8192  # of a GGUF file: a larger one would be reserved whole for every place
SMALL_MODEL_BYTES: Final = 50 * 1024**2  # small models are fastest on one thread
DIGEST_UNKNOWN: Final = bytes(32)  # someone else's weights, which nobody here has seen
TEMPERATURE_BUILT_IN: Final = 0.0
TEMPERATURE_DEFAULT: Final = 1.0  # OpenAI's


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is known of the model before anything runs."""

    facts: ModelFacts | None
    built_in: BuiltInModel | None

    @property
    def context(self) -> int:
        return CONTEXT_DEFAULT if self.facts is None else min(self.facts.context, CONTEXT_MAX)


def sold_model(config: NodeConfig) -> Sold:
    """The model with its engine, not started. Raises ConfigError, CheckFailed."""
    chosen = choose(config)
    terms = terms_of(config, chosen)
    tokenizer = None if chosen.facts is None else chosen.facts.tokenizer
    return Sold(terms, engine_of(config, chosen), tokenizer)


def choose(config: NodeConfig) -> Chosen:
    """What is known of the configured model. Raises ConfigError; CheckFailed where a built-in model's file is not the
    one that the catalogue names.
    """
    if config.model_file:
        return Chosen(model_facts(Path(config.model_file)), None)
    try:
        built_in = Catalog.built_in().model(config.model)
    except ModelNotFound as error:
        if config.engine_url:
            return Chosen(None, None)
        raise ConfigError(error.message, hint=f"{error.hint}; or give a model_file or an engine_url") from error
    if config.engine_url:
        return Chosen(None, None)
    built_in.check()
    return Chosen(model_facts(built_in.path), built_in)


def terms_of(config: NodeConfig, chosen: Chosen) -> ModelTerms:
    """What the node's offer says of the model."""
    facts, price = chosen.facts, price_of(config, chosen.built_in)
    if facts is None:
        return ModelTerms(config.model, DIGEST_UNKNOWN, price, chosen.context)
    name = "" if facts.tokenizer is None else facts.tokenizer.name
    return ModelTerms(config.model, facts.digest, price, chosen.context, facts.quantization, facts.template, name)


def price_of(config: NodeConfig, built_in: BuiltInModel | None) -> Price:
    """The configured price, or the catalogue's. Raises ConfigError where there is neither."""
    listed = ("", "") if built_in is None else (str(built_in.in_price_wei), str(built_in.out_price_wei))
    prices = config.in_price_wei or listed[0], config.out_price_wei or listed[1]
    if not all(price.isascii() and price.isdigit() for price in prices):
        raise ConfigError("the model has no price", hint="set in_price_wei and out_price_wei, per million tokens")
    return Price(int(prices[0]), int(prices[1]))


def engine_of(config: NodeConfig, chosen: Chosen) -> Engine:
    """What runs the model: someone else's server where one is named, else llama.cpp beside this process."""
    if config.engine_url:
        address = EngineAddress(config.engine_url.rstrip("/"), config.model, engine_key(config))
        return OpenAiEngine(address, Peculiarities(requests_at_a_time=config.parallel))
    facts = chosen.facts
    assert facts is not None, "without an engine's URL there is a file"
    small = facts.path.stat().st_size < SMALL_MODEL_BYTES
    options = LlamaOptions(
        facts.path,
        config.model,
        chosen.context,
        config.parallel,
        threads=1 if small else os.cpu_count() or 1,
        temperature=TEMPERATURE_DEFAULT if chosen.built_in is None else TEMPERATURE_BUILT_IN,
        reply_opens_with_space=facts.reply_opens_with_space,
    )
    return LlamaEngine(options)


def engine_key(config: NodeConfig) -> str:
    """The key for someone else's server. Raises ConfigError."""
    if not config.engine_api_key_file:
        return ""
    try:
        return Path(config.engine_api_key_file).read_text().strip()
    except OSError as error:
        raise ConfigError(f"cannot read the engine's key: {error}") from error
