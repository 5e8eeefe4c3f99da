"""A new node's configuration: made once, kept, and never for a model that nobody here can run."""

from pathlib import Path

import pytest

from dgrid.config import ChainConfig, ConfigError, NodeConfig, load_role
from dgrid.processes.new_node import NewNode, write_node

CHAIN = ChainConfig(("http://127.0.0.1:7421",), 31337, {"settlement": "0x" + "11" * 20})


def written(home: Path, wanted: NewNode) -> NodeConfig:
    return load_role(NodeConfig, write_node(home, wanted, chain=CHAIN))


def test_the_same_command_finds_the_same_node_again(tmp_path: Path) -> None:
    first = written(tmp_path, NewNode("dgrid-nano"))
    again = written(tmp_path, NewNode("dgrid-nano"))
    assert (first, first.key_file.read_text()) == (again, again.key_file.read_text())


def test_an_unknown_model_without_an_engine_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no built-in model"):
        write_node(tmp_path / "home", NewNode("llama3.2"), chain=CHAIN)
    assert not (tmp_path / "home").exists()


def test_what_is_said_anew_goes_over_what_is_written(tmp_path: Path) -> None:
    first = written(tmp_path, NewNode("llama3.2", "http://127.0.0.1:1/v1", port=7480))
    second = written(tmp_path, NewNode("llama3.2", "http://127.0.0.1:2/v1"))
    assert (second.engine_url, second.port, second.key_file) == ("http://127.0.0.1:2/v1", 7480, first.key_file)
