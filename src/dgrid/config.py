"""What each role is told when it starts: frozen records from one TOML file a role. Reads no environment."""

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from dgrid.core.errors import DGridError
from dgrid.core.identity import Address, address_from_hex
from dgrid.wire.signatures import SigningKey

DEV_CHAIN_ID = 31337
DEV_ARCHIVES = 3  # on the dev chain


class ConfigError(DGridError):
    """A configuration file is missing or holds something a role cannot run with."""

    code = "config_error"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class ChainConfig:
    """The chain a role reads: endpoints, id, and the contracts' addresses by name."""

    rpc_urls: tuple[str, ...]
    chain_id: int
    contracts: dict[str, str]  # by the names of `chain.contracts.ARTIFACT_NAMES`
    poll_ms: int = 500
    first_block: int = 0  # no contract of ours is older: nothing before it is read
    single_endpoint: bool = False  # one endpoint may decide alone: only where it is the operator's own

    @property
    def is_dev(self) -> bool:
        return self.chain_id == DEV_CHAIN_ID

    def address(self, name: str) -> Address:
        """A contract's address. Raises ConfigError."""
        if name not in self.contracts:
            raise ConfigError(f"no address for the contract {name!r}")
        return address_from_hex(self.contracts[name])


@dataclass(frozen=True, slots=True)
class RoleConfig:
    """What every role has: a name, a folder and a key of its own, a door, a chain."""

    name: str
    folder: Path
    key_file: Path
    host: str
    port: int
    chain: ChainConfig
    dev: bool = False  # fund, stake and register itself; works on the dev chain only

    def key(self) -> SigningKey:
        """The role's key. Raises ConfigError."""
        return _key_in(self.key_file)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class GatewayConfig(RoleConfig):
    """A gateway's own settings; prices and shares that all must agree on come from the chain."""

    settler_urls: tuple[str, ...] = ()
    margin_bps: int = 500
    credit_line_wei: str = "1000000000000000000000"  # for each node, 1,000 DGAI
    bond_wei: str = "20000000000000000000000"
    stake_wei: str = "2000000000000000000000"  # twice the least: a penalty costs some, and not the seat
    request_timeout_s: float = 120.0
    attempts: int = 3
    appeals: bool = True  # takes a verdict against it to a larger jury, once, against twice the case's bond


@dataclass(frozen=True, slots=True)
class NodeConfig(RoleConfig):
    """A node's own settings: which model, by which engine, at what price."""

    model: str = "dgrid-mini"
    engine_url: str = ""  # empty: the embedded engine with a built-in model or a GGUF file
    engine_api_key_file: str = ""
    model_file: str = ""  # a GGUF file for the embedded engine; empty: the built-in model of that name
    in_price_wei: str = ""  # per million tokens; empty: the catalog's
    out_price_wei: str = ""
    parallel: int = 4
    region: str = "local"
    stake_wei: str = "1000000000000000000000"
    claims_for_creators: bool = True  # where a gateway never closes, its model's creators' part by the node's receipts
    appeals: bool = True  # takes a verdict against it to a larger jury, once, against twice the case's bond


@dataclass(frozen=True, slots=True)
class ArchiveConfig(RoleConfig):
    """An archive's own settings."""

    stake_wei: str = "1000000000000000000000"
    capacity_bytes: int = 16 * 1024**3


@dataclass(frozen=True, slots=True)
class SettlerConfig(RoleConfig):
    """A settler's own settings. It needs no stake; it pays gas."""

    archive_urls: tuple[str, ...] = ()  # besides those registered on chain
    watcher_urls: tuple[str, ...] = ()  # who is told when a gateway hands in two roots for one epoch


@dataclass(frozen=True, slots=True)
class WatcherConfig(RoleConfig):
    """A watcher's own settings. It needs no stake; it pays gas, and deposits for the records it demands."""

    archive_urls: tuple[str, ...] = ()  # besides those registered on chain
    receipts_folder: str = ""  # receipts as JSON files, to be compared with what is anchored
    patience_s: int = 30  # how long all archives may be without an epoch's records before they are demanded on chain
    purse_wei: str = "100000000000000000000"  # on a dev network: 100 DGAI, for deposits


@dataclass(frozen=True, slots=True)
class EncoderConfig(RoleConfig):
    """The sentence encoder's own settings. It touches no chain and signs nothing."""

    model_file: str = ""  # a GGUF file; empty: the one that `make setup` made
    parallel: int = 1  # texts encoded together get slightly other vectors than alone
    threads: int = 1


@dataclass(frozen=True, slots=True)
class EvaluatorConfig(RoleConfig):
    """An evaluator's own settings: what it can run, and what it may spend on asking other nodes."""

    encoder_url: str = ""  # an embeddings server, with its /v1; empty: judges by rules alone
    model_files: tuple[str, ...] = ()  # GGUF files it can check identities with, besides the built-in models
    archive_urls: tuple[str, ...] = ()  # besides those registered on chain
    stake_wei: str = "2000000000000000000000"  # twice the least: a missed opening costs some, and not the seat
    deposit_wei: str = "20000000000000000000"  # at each gateway, for re-runs: 20 DGAI
    repeat_wei_max: str = "1000000000000000000"  # the most that one re-run may cost
    appeals: bool = True  # takes a verdict against a root that it signed to a larger jury, likewise


@dataclass(frozen=True, slots=True)
class AuthorConfig(RoleConfig):
    """A canary author's own settings. It needs no stake; it pays gas, and its accounts pay for what they ask."""

    archive_urls: tuple[str, ...] = ()  # besides those registered on chain
    accounts: int = 4  # wallets with an API key each: canaries come from all of them
    deposit_wei: str = "1000000000000000000000"  # of each account at each gateway: 1,000 DGAI, as the home's user has
    questions: str = ""  # a JSON Lines file of own known-answer tasks, or a folder of such; empty: all are generated
    questions_bps: int = 10_000  # how many canaries are own questions, while fresh ones last


@dataclass(frozen=True, slots=True)
class WalletConfig:
    """The user's side of a home: where the gateways are, and which key pays."""

    gateway_urls: tuple[str, ...]
    api_key_file: Path
    key_file: Path
    chain: ChainConfig

    def key(self) -> SigningKey:
        """The key that pays. Raises ConfigError."""
        return _key_in(self.key_file)


AnyRole = TypeVar("AnyRole", bound=RoleConfig)


def load_role(kind: type[AnyRole], path: Path, *, dev: bool = False) -> AnyRole:
    """A role's configuration. Relative paths in it start at the file's folder. Raises ConfigError."""
    values = _read(path)
    try:
        config = msgspec.convert({**values, "dev": dev or values.get("dev", False)}, kind, dec_hook=_to_path)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from None
    base = path.resolve().parent
    return replace(config, folder=base / config.folder, key_file=base / config.key_file)


def load_wallet(path: Path) -> WalletConfig:
    """The user's configuration, from a home's config.toml. Raises ConfigError."""
    try:
        config = msgspec.convert(_read(path), WalletConfig, dec_hook=_to_path)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from None
    base = path.resolve().parent
    return replace(config, api_key_file=base / config.api_key_file, key_file=base / config.key_file)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        hint = "`dgrid up`, `dgrid new` and `dgrid node run --model` write such files into the home's config folder"
        raise ConfigError(f"cannot read {path}: {error.strerror}", hint=hint) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}", hint="it must be TOML: mend it at the place named") from None


def _key_in(path: Path) -> SigningKey:
    try:
        return SigningKey.from_hex(path.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read the key file {path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"cannot read the key file {path}: {error}") from None


def _to_path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"cannot read a {kind.__name__}")


def to_toml(config: RoleConfig | WalletConfig) -> str:
    """A configuration as TOML that `load_role` or `load_wallet` reads back."""
    plain = {item.name: getattr(config, item.name) for item in fields(config)}
    chain: ChainConfig = plain.pop("chain")
    lines = [f"{name} = {_toml_value(value)}" for name, value in plain.items()]
    lines += ["", "[chain]", f"rpc_urls = {_toml_value(chain.rpc_urls)}", f"chain_id = {chain.chain_id}"]
    settings = "poll_ms", "first_block", "single_endpoint"
    lines += [f"{name} = {_toml_value(getattr(chain, name))}" for name in settings]
    lines += ["", "[chain.contracts]"]
    lines += [f"{name} = {_toml_value(address)}" for name, address in chain.contracts.items()]
    return "\n".join(lines) + "\n"


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    return msgspec.json.encode(str(value)).decode()  # a JSON string is a TOML basic string
