"""A home: the folder that holds one network on this machine. Names its files and writes the small ones."""

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from dgrid.config import (
    DEV_ARCHIVES,
    ArchiveConfig,
    AuthorConfig,
    ChainConfig,
    ConfigError,
    EncoderConfig,
    EvaluatorConfig,
    GatewayConfig,
    NodeConfig,
    RoleConfig,
    SettlerConfig,
    WalletConfig,
    WatcherConfig,
    to_toml,
)
from dgrid.core.errors import DGridError, NetworkUnreachable
from dgrid.wire.signatures import SigningKey

HOME_NAME = ".dgrid"
HOST = "127.0.0.1"
PORT_BASE = 7420
PORT_BASES = range(1024, 65001)  # above them there is room for every role
MODELS_OF_NODES = ("dgrid-mini", "dgrid-micro", "dgrid-nano", "dgrid-mini", "dgrid-micro")


class HomeInUse(DGridError):
    """Another `dgrid up` runs in this home."""

    code = "home_in_use"
    exit_code = 4


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens, counted from one base."""

    base: int = PORT_BASE

    def gateway(self, index: int) -> int:
        """Gateways 1 and 2 keep their known ports; further ones follow the archives."""
        return self.base + (0, 5)[index] if index < 2 else self.base + 40 + index

    @property
    def chain(self) -> int:
        return self.base + 1

    @property
    def settler(self) -> int:
        return self.base + 2

    @property
    def encoder(self) -> int:
        return self.base + 3

    @property
    def author(self) -> int:
        return self.base + 4

    @property
    def watcher(self) -> int:
        return self.base + 7

    def node(self, index: int) -> int:
        """Ten beside each other; further ones follow the gateways'."""
        return self.base + 10 + index if index < 10 else self.base + 50 + index

    def evaluator(self, index: int) -> int:
        return self.base + 20 + index

    def archive(self, index: int) -> int:
        return self.base + 30 + index

    def of_network(self, *, gateways: int, nodes: int, evaluators: int) -> list[int]:
        """Where a network of this size listens. Encoder and author come with evaluators only."""
        serving = [self.chain, self.settler, *map(self.gateway, range(gateways)), *map(self.node, range(nodes))]
        serving += map(self.archive, range(DEV_ARCHIVES))
        judging = [self.encoder, self.author, *map(self.evaluator, range(evaluators))] if evaluators else []
        return [*serving, *judging, self.watcher]


@dataclass(frozen=True, slots=True)
class Home:
    """The files of a home."""

    path: Path

    @property
    def status_file(self) -> Path:
        return self.path / "status.json"

    @property
    def api_key_file(self) -> Path:
        return self.path / "api_key"

    @property
    def wallet_file(self) -> Path:
        return self.path / "config.toml"

    @property
    def contracts_file(self) -> Path:
        return self.path / "chain" / "contracts.json"

    @property
    def deployments(self) -> Path:
        """Address books, one a chain."""
        return self.path / "deployments"

    def deployment_file(self, chain_id: int) -> Path:
        return self.deployments / f"{chain_id}.json"

    def key_file(self, name: str) -> Path:
        return self.path / "keys" / f"{name}.key"

    def role_file(self, name: str) -> Path:
        return self.path / "config" / f"{name}.toml"

    def role_folder(self, name: str) -> Path:
        return self.path / "roles" / name

    def log_file(self, name: str) -> Path:
        return self.path / "logs" / f"{name}.log"

    def make(self) -> None:
        """Creates the folders, readable by their owner alone. Raises ConfigError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name in ("keys", "config", "roles", "logs", "chain"):
                (self.path / name).mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            hint = "name a folder that you may write to with --home"
            raise ConfigError(f"cannot make a home in {self.path}: {error.strerror}", hint=hint) from None

    def port_base(self, wanted: int | None = None) -> int:
        """The first gateway's port: what is wanted now, else what the home was started with last."""
        if wanted is not None:
            return wanted
        try:
            kept = int(self._port_file.read_text())
        except (OSError, ValueError):
            return PORT_BASE
        return kept if kept in PORT_BASES else PORT_BASE

    def keep_port_base(self, base: int) -> None:
        """Remembers where the home's network listens, for its next start."""
        write_atomically(self._port_file, f"{base}\n".encode())

    def key(self, name: str) -> SigningKey:
        """A party's key, made at first use."""
        path = self.key_file(name)
        if not path.exists():
            write_secret(path, secrets.token_bytes(32).hex() + "\n")
        return SigningKey.from_hex(path.read_text())

    def api_key(self) -> str:
        """The home's API key, made at first use."""
        if not self.api_key_file.exists():
            write_secret(self.api_key_file, "dg-" + secrets.token_urlsafe(32) + "\n")
        return self.api_key_file.read_text().strip()

    def status(self) -> dict[str, Any]:
        """What the running network says of itself. Raises NetworkUnreachable when none serves here."""
        try:
            if self.holder() is None:  # a killed one leaves its last words behind
                raise FileNotFoundError
            status: dict[str, Any] = msgspec.json.decode(self.status_file.read_bytes())
        except (OSError, msgspec.DecodeError):
            raise NetworkUnreachable(
                f"no network runs in {self.path}", hint="start one with `make up` or `dgrid up`"
            ) from None
        return status

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the home for one supervisor; the kernel releases it when the process dies. Raises HomeInUse."""
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            holder.bind(self._lock_name)
        except OSError:
            holder.close()
            raise HomeInUse(
                f"a network already runs in {self.path}", hint="`dgrid status` shows it, `dgrid down` stops it"
            ) from None
        write_atomically(self._pid_file, str(os.getpid()).encode())
        try:
            yield
        finally:
            holder.close()
            self._pid_file.unlink(missing_ok=True)

    def holder(self) -> int | None:
        """The supervisor's process id while it lives. A killed one's files are not believed: the kernel has the say."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(self._lock_name)
                return int(self._pid_file.read_text())
            except (OSError, ValueError):
                return None

    @property
    def _port_file(self) -> Path:
        return self.path / "port_base"

    @property
    def _pid_file(self) -> Path:
        return self.path / "up.pid"

    @property
    def _lock_name(self) -> str:
        return "\0dgrid:" + str(self.path.resolve())[-90:]


def write_secret(path: Path, text: str) -> None:
    """Writes a file that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def write_atomically(path: Path, data: bytes) -> None:
    """A reader sees the old file or the new one, never a part."""
    draft = path.with_suffix(path.suffix + ".new")
    draft.write_bytes(data)
    draft.replace(path)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which roles a home runs, and where."""

    home: Home
    ports: Ports
    chain: ChainConfig
    gateways: int
    nodes: int
    evaluators: int = 0
    has_encoder: bool = False  # whether its file was made

    def roles(self) -> list[tuple[str, RoleConfig]]:
        """(kind, configuration) of every role, in the order of starting."""
        return [*self.serving(), *self.judging(), *self.watching()]

    def serving(self) -> list[tuple[str, RoleConfig]]:
        """The roles without which nothing is answered."""
        return [*self._archives(), ("settler", self._settler()), *self._nodes(), *self._gateways()]

    def judging(self) -> list[tuple[str, RoleConfig]]:
        """Those who judge, with what they share: the encoder, and an author of canaries."""
        if not self.evaluators:
            return []
        url = f"http://{HOST}:{self.ports.encoder}/v1" if self.has_encoder else ""
        names = [(f"evaluator-{index + 1}", self.ports.evaluator(index)) for index in range(self.evaluators)]
        encoder = EncoderConfig(*self._base("encoder-1", self.ports.encoder))
        return [
            *([("encoder", encoder)] if self.has_encoder else []),
            *(("evaluator", EvaluatorConfig(*self._base(name, port), encoder_url=url)) for name, port in names),
            ("author", AuthorConfig(*self._base("author-1", self.ports.author))),
        ]

    def watching(self) -> list[tuple[str, RoleConfig]]:
        """Who checks what the others settle."""
        return [("watcher", WatcherConfig(*self._base("watcher-1", self.ports.watcher)))]

    def wallet(self) -> WalletConfig:
        """The user's side: which doors, which key, which chain."""
        urls = tuple(f"http://{HOST}:{self.ports.gateway(index)}" for index in range(self.gateways))
        return WalletConfig(urls, self.home.api_key_file, self.home.key_file("user"), self.chain)

    def write(self) -> None:
        """Writes every configuration file of the home."""
        for _, config in self.roles():
            write_atomically(self.home.role_file(config.name), to_toml(config).encode())
        write_atomically(self.home.wallet_file, to_toml(self.wallet()).encode())

    def _archives(self) -> list[tuple[str, RoleConfig]]:
        names = [(f"archive-{index + 1}", self.ports.archive(index)) for index in range(DEV_ARCHIVES)]
        return [("archive", ArchiveConfig(*self._base(name, port))) for name, port in names]

    def _settler(self) -> SettlerConfig:
        watchers = (f"http://{HOST}:{self.ports.watcher}",)
        return SettlerConfig(*self._base("settler-1", self.ports.settler), watcher_urls=watchers)

    def _nodes(self) -> list[tuple[str, RoleConfig]]:
        found: list[tuple[str, RoleConfig]] = []
        for index in range(self.nodes):
            base = self._base(f"node-{index + 1}", self.ports.node(index))
            found.append(("node", NodeConfig(*base, model=MODELS_OF_NODES[index % len(MODELS_OF_NODES)])))
        return found

    def _gateways(self) -> list[tuple[str, RoleConfig]]:
        settlers = (f"http://{HOST}:{self.ports.settler}",)
        names = [(f"gateway-{index + 1}", self.ports.gateway(index)) for index in range(self.gateways)]
        return [("gateway", GatewayConfig(*self._base(name, port), settler_urls=settlers)) for name, port in names]

    def _base(self, name: str, port: int) -> tuple[str, Path, Path, str, int, ChainConfig]:
        home = self.home
        home.key(name)
        return name, home.role_folder(name).resolve(), home.key_file(name).resolve(), HOST, port, self.chain
