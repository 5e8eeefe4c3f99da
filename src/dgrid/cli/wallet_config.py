"""Whom to ask and how to pay: a home's config.toml, over which the environment goes."""

import os
from dataclasses import replace
from pathlib import Path

from dgrid.client import ApiKey, Client
from dgrid.config import ChainConfig, ConfigError, WalletConfig, load_wallet
from dgrid.core.errors import InvalidApiKey, NetworkUnreachable
from dgrid.processes.home import Home


def wallet_config(home_path: Path) -> WalletConfig:
    """The user's settings. Raises NetworkUnreachable when nothing says where a network is."""
    home = Home(home_path)
    config = _from_home(home)
    if urls := os.environ.get("DGRID_GATEWAY_URL"):
        config = replace(config, gateway_urls=tuple(url.strip() for url in urls.split(",")))
    if rpc := os.environ.get("DGRID_CHAIN_RPC"):
        config = replace(config, chain=replace(config.chain, rpc_urls=tuple(url.strip() for url in rpc.split(","))))
    return config


def _from_home(home: Home) -> WalletConfig:
    if home.wallet_file.exists():
        return load_wallet(home.wallet_file)
    if "DGRID_GATEWAY_URL" in os.environ:
        return WalletConfig((), home.api_key_file, home.key_file("user"), ChainConfig((), 0, {}))
    raise NetworkUnreachable(
        f"there is no network in {home.path}",
        hint="start one with `dgrid up`, name its folder with --home, or set DGRID_GATEWAY_URL and DGRID_API_KEY",
    )


def chain_config(home_path: Path) -> ChainConfig:
    """The chain and contracts that the home names: no gateway is asked for them. Raises ConfigError."""
    chain = wallet_config(home_path).chain
    if not chain.rpc_urls or not chain.contracts:
        hint = "name the network's folder with --home: its config.toml says where it settles"
        raise ConfigError("no chain is known here", hint=hint)
    return chain


def api_key(config: WalletConfig) -> ApiKey:
    """The key to ask with. Raises InvalidApiKey."""
    if key := os.environ.get("DGRID_API_KEY"):
        return ApiKey(key)
    try:
        return ApiKey(config.api_key_file.read_text().strip())
    except OSError as error:
        reason = f"no API key: {config.api_key_file}: {error.strerror}"
        raise InvalidApiKey(reason, hint="set DGRID_API_KEY, or run `dgrid up` once") from None


def open_client(home_path: Path) -> Client:
    """A client for the home's gateways, paying by its API key."""
    config = wallet_config(home_path)
    return Client(config.gateway_urls, api_key(config))


def open_public(home_path: Path) -> Client:
    """A client for what the home's gateways tell everybody: needs no key."""
    return Client(wallet_config(home_path).gateway_urls, ApiKey(""))


def network_of(home_path: Path, network_url: str) -> ChainConfig:
    """The chain and contracts of the home's network, or of the one behind a gateway's URL. Raises ConfigError."""
    if not network_url:
        return wallet_config(home_path).chain
    found = Client([network_url], ApiKey("")).fetch("/v1/network/parameters")
    rpc = os.environ.get("DGRID_CHAIN_RPC")
    if not rpc:
        raise ConfigError(
            f"{network_url} settles on chain {found['chain_id']}; no endpoint of it is known here",
            hint="set DGRID_CHAIN_RPC to one or several, separated by commas",
        )
    return ChainConfig(tuple(url.strip() for url in rpc.split(",")), found["chain_id"], found["contracts"])
