"""An evaluator, archive, gateway, settler, watcher or author more: a key, a folder and a configuration of its own.

It takes over what others of its kind in the home have settled (an encoder, settlers, archives); a node has a door of
its own, since it begins with a model (`new_node`). Refuses what needs no chain. Nothing is sent: the role registers
itself when it starts, from the key that is named here.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dgrid.config import ChainConfig, ConfigError, RoleConfig, load_role, to_toml
from dgrid.processes.home import HOST, Home, write_atomically
from dgrid.processes.new_node import free_port
from dgrid.processes.roles import ROLES

WITHOUT = ("node", "encoder")  # a node begins with its model; an encoder has no key's business
STAKE_MARGIN = {"gateway": 2, "evaluator": 2}  # times the least: a penalty then costs some, and not the seat
NOT_TAKEN_OVER: dict[str, dict[str, Any]] = {"author": {"questions": ""}}  # asked by two, a question is recognised
NEEDS = ("stake_wei", "bond_wei", "deposit_wei", "purse_wei")


@dataclass(frozen=True, slots=True)
class NewRole:
    """What to make, and where others reach it."""

    kind: str
    name: str = ""  # empty: the next number of its kind
    host: str = HOST
    port: int = 0  # 0: a free one
    stake_wei_min: int = 0  # what the network asks at least


@dataclass(frozen=True, slots=True)
class MadeRole:
    """What was made, and what its key must hold before it starts; amounts in DGAI wei."""

    name: str
    file: Path
    config: RoleConfig
    needs_wei: dict[str, int]


def write_role(home_path: Path, wanted: NewRole, *, chain: ChainConfig) -> MadeRole:
    """Writes a role's key and configuration, once: named again, it is the same role. Raises ConfigError."""
    kinds = [kind for kind in ROLES if kind not in WITHOUT]
    if wanted.kind not in kinds:
        hint = f"one of {', '.join(kinds)}; a node is made by `dgrid node run --model`"
        raise ConfigError(f"`dgrid new` makes no role {wanted.kind!r}", hint=hint)
    if wanted.name and not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,40}", wanted.name):
        raise ConfigError("a role's name has small letters, digits, dots and dashes")
    home = Home(home_path)
    home.make()
    name = wanted.name or _next_name(home, wanted.kind)
    path = home.role_file(name)
    if not path.exists():
        home.key(name)
        write_atomically(path, to_toml(_config(home, name, wanted, chain)).encode())
    config = load_role(ROLES[wanted.kind].config, path)
    needs = {field: int(getattr(config, field)) for field in NEEDS if hasattr(config, field)}
    return MadeRole(name, path, config, needs)


def _next_name(home: Home, kind: str) -> str:
    number = 1
    while home.role_file(f"{kind}-{number}").exists() or home.key_file(f"{kind}-{number}").exists():
        number += 1
    return f"{kind}-{number}"


def _config(home: Home, name: str, wanted: NewRole, chain: ChainConfig) -> RoleConfig:
    """The kind's usual settings, or those of the first of its kind here, with a name, key and door of its own."""
    kind = ROLES[wanted.kind].config
    own: dict[str, Any] = {
        "name": name,
        "folder": home.role_folder(name).resolve(),
        "key_file": home.key_file(name).resolve(),
        "host": wanted.host,
        "port": wanted.port or free_port(home, wanted.host),
        "chain": chain,
        "dev": False,
    }
    sibling = home.role_file(f"{wanted.kind}-1")
    made = kind(**own)
    least_wei = STAKE_MARGIN.get(wanted.kind, 1) * wanted.stake_wei_min
    if name != f"{wanted.kind}-1" and sibling.exists():
        made = replace(load_role(kind, sibling), **own, **NOT_TAKEN_OVER.get(wanted.kind, {}))
    if int(getattr(made, "stake_wei", least_wei)) < least_wei:
        enough: dict[str, Any] = {"stake_wei": str(least_wei)}
        made = replace(made, **enough)
    return made
