"""Whom to ask and how to pay: a home's config.toml, over which the environment goes."""

import os
from dataclasses import replace
from pathlib import Path

from dgrid.chain.networks import AddressBook, Stage
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
    if (chain := _from_book(home)) is not None:
        return WalletConfig((), home.api_key_file, home.key_file("user"), chain)
    if "DGRID_GATEWAY_URL" in os.environ:
        return WalletConfig((), home.api_key_file, home.key_file("user"), ChainConfig((), 0, {}))
    raise NetworkUnreachable(
        f"there is no network in {home.path}",
        hint="start one with `dgrid up`, name its folder with --home, or set DGRID_GATEWAY_URL and DGRID_API_KEY",
    )


def _from_book(home: Home) -> ChainConfig | None:
    """The chain of the home's one address book: where a deployment wrote it, or somebody put what was published.

    Which endpoints to ask, no book says: DGRID_CHAIN_RPC does. Raises ConfigError where there are several books.
    """
    books = [AddressBook.decode(path.read_bytes()) for path in sorted(home.deployments.glob("*.json"))]
    done = [book for book in books if book.stage is Stage.DEPLOYED]
    if len(done) > 1:
        names = ", ".join(book.network for book in done)
        raise ConfigError(f"{home.deployments} has books of several networks: {names}", hint="use one --home for each")
    return done[0].chain(()) if done else None


def chain_config(home_path: Path) -> ChainConfig:
    """The chain and contracts that the home names: no gateway is asked for them. Raises ConfigError."""
    chain = wallet_config(home_path).chain
    if not chain.rpc_urls or not chain.contracts:
        hint = "name the network's folder with --home; with an address book alone, set DGRID_CHAIN_RPC"
        raise ConfigError("no chain is known here", hint=hint)
    return chain


def known_chain(home_path: Path) -> ChainConfig | None:
    """The home's chain, if it has one. Raises ConfigError where its files cannot be read."""
    try:
        return wallet_config(home_path).chain
    except NetworkUnreachable:
        return None


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
