"""A node on any machine: gives it a key, a folder and a configuration of its own, once, and finds them again."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from dgrid.config import ChainConfig, ConfigError, NodeConfig, load_role, to_toml
from dgrid.engines.catalog import Catalog
from dgrid.processes.home import HOST, Home, write_atomically

DEFAULT_PRICES = ("80000000000000000000", "160000000000000000000")  # of a model that the catalogue does not price
FIRST_PORT, LAST_PORT = 7470, 7499
PORT = re.compile(r"^port\s*=\s*(\d{1,5})\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class NewNode:
    """What to run, and where others reach it."""

    model: str
    engine_url: str = ""
    host: str = HOST
    port: int = 0  # 0: a free one


def write_node(home_path: Path, wanted: NewNode, *, chain: ChainConfig) -> Path:
    """The node's configuration file; the same command later finds the same node. Raises ConfigError."""
    _check_model(wanted)
    home = Home(home_path)
    home.make()
    name = "node-" + re.sub(r"[^a-z0-9.]+", "-", wanted.model.lower()).strip("-.")
    path = home.role_file(name)
    if path.exists():
        _renew(path, wanted)
        return path
    home.key(name)
    base = name, home.role_folder(name).resolve(), home.key_file(name).resolve()
    place = wanted.host, wanted.port or free_port(home, wanted.host), chain
    prices = _prices(wanted.model)
    config = NodeConfig(
        *base, *place, False, wanted.model, wanted.engine_url, in_price_wei=prices[0], out_price_wei=prices[1]
    )
    write_atomically(path, to_toml(config).encode())
    return path


def _check_model(wanted: NewNode) -> None:
    """Nothing is written for a model that nobody here can run."""
    if not wanted.engine_url and wanted.model not in _built_in():
        raise ConfigError(
            f"no built-in model is called {wanted.model}",
            hint=f"one of {', '.join(_built_in())}; or name an engine that has it with --engine-url",
        )


def _renew(path: Path, wanted: NewNode) -> None:
    """What was said anew goes over what the file has; a key, a folder and a free port stay."""
    known = load_role(NodeConfig, path)
    renewed = replace(known, engine_url=wanted.engine_url or known.engine_url)
    if wanted.port:
        renewed = replace(renewed, host=wanted.host, port=wanted.port)
    if renewed != known:
        write_atomically(path, to_toml(renewed).encode())


def _built_in() -> list[str]:
    return [one.id for one in Catalog.built_in().models]


def _prices(model: str) -> tuple[str, str]:
    """Empty for a built-in model, whose price the catalogue has."""
    return ("", "") if model in _built_in() else DEFAULT_PRICES


def free_port(home: Home, host: str) -> int:
    """A port of the range that roles beside a running network take, and that no other role of the home is to take.

    Raises ConfigError.
    """
    from dgrid.processes.doctor import port_is_free

    named = _ports_named(home)
    for port in range(FIRST_PORT, LAST_PORT + 1):
        if port not in named and port_is_free(port):
            return port
    raise ConfigError(f"no free port on {host} between {FIRST_PORT} and {LAST_PORT}")


def _ports_named(home: Home) -> set[int]:
    """The ports in the home's configurations, also of roles that do not run now."""
    texts = (file.read_text() for file in home.role_file("any").parent.glob("*.toml"))
    return {int(port) for text in texts for port in PORT.findall(text)}
