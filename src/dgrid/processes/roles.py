"""The roles that run as processes, by name: which configuration each reads and what starts it.

One door for `dgrid <role> run` and for the supervisor, so that a demo is the product with small settings.
"""

import importlib
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

from dgrid.config import (
    ArchiveConfig,
    AuthorConfig,
    ConfigError,
    EncoderConfig,
    EvaluatorConfig,
    GatewayConfig,
    NodeConfig,
    RoleConfig,
    SettlerConfig,
    WatcherConfig,
    load_role,
)


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of process: its configuration's type, and the module whose `run(config)` is its whole life."""

    config: type[RoleConfig]
    module: str


ROLES = {
    "gateway": Role(GatewayConfig, "dgrid.processes.gateway"),
    "node": Role(NodeConfig, "dgrid.processes.node"),
    "archive": Role(ArchiveConfig, "dgrid.processes.archive"),
    "settler": Role(SettlerConfig, "dgrid.processes.settler"),
    "watcher": Role(WatcherConfig, "dgrid.processes.watcher"),
    "encoder": Role(EncoderConfig, "dgrid.processes.encoder"),
    "evaluator": Role(EvaluatorConfig, "dgrid.processes.evaluator"),
    "author": Role(AuthorConfig, "dgrid.processes.author"),
}


def run_role(kind: str, config_file: Path, *, dev: bool = False) -> None:
    """Runs a role until it is told to stop. Raises ConfigError."""
    if kind not in ROLES:
        raise ConfigError(f"no role {kind!r}; there are {', '.join(ROLES)}")
    role = ROLES[kind]
    config = load_role(role.config, config_file, dev=dev)
    config.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    log_to_stderr()
    importlib.import_module(role.module).run(config)


def log_to_stderr() -> None:
    """One plain line an event; the supervisor keeps them in logs/<role>.log."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
