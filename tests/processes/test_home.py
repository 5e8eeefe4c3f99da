"""A home's files: secrets for their owner only, whole or not at all, one supervisor at a time."""

import os
from pathlib import Path

import pytest

from dgrid.config import ChainConfig, ConfigError, EvaluatorConfig, GatewayConfig, NodeConfig, load_role, load_wallet
from dgrid.core.errors import NetworkUnreachable
from dgrid.processes.home import PORT_BASE, Home, HomeInUse, Plan, Ports, write_atomically

CHAIN = ChainConfig(("http://127.0.0.1:7421",), 31337, {"settlement": "0x" + "11" * 20})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    return made


def test_keys_are_made_once_and_readable_by_their_owner_alone(home: Home) -> None:
    first = home.key("node-1")
    assert home.key("node-1").address == first.address
    assert home.key("node-2").address != first.address
    assert home.key_file("node-1").stat().st_mode & 0o077 == 0


def test_the_api_key_is_long_random_and_private(home: Home) -> None:
    key = home.api_key()
    assert key.startswith("dg-")
    assert len(key) >= 43
    assert home.api_key() == key
    assert home.api_key_file.stat().st_mode & 0o077 == 0


def test_a_second_supervisor_is_refused_until_the_first_is_gone(home: Home) -> None:
    with home.lock(), pytest.raises(HomeInUse), home.lock():
        pass
    with home.lock():
        pass


def test_a_home_knows_who_holds_it_and_believes_no_file_of_a_dead_one(home: Home) -> None:
    home.make()
    assert home.holder() is None
    with home.lock():
        assert home.holder() == os.getpid()
    (home.path / "up.pid").write_text("1")
    home.status_file.write_text('{"pid": 1}')
    assert home.holder() is None
    with pytest.raises(NetworkUnreachable):
        home.status()


def test_a_home_without_a_network_says_how_to_start_one(home: Home) -> None:
    with pytest.raises(NetworkUnreachable, match="no network runs"):
        home.status()


def test_a_home_starts_again_where_it_listened_last(home: Home) -> None:
    assert home.port_base() == PORT_BASE
    home.keep_port_base(8520)
    assert (home.port_base(), home.port_base(9000)) == (8520, 9000)
    for written in ("", "no port", "70000", "-1"):
        (home.path / "port_base").write_text(written)
        assert home.port_base() == PORT_BASE


def test_a_home_that_cannot_be_made_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ConfigError) as refused:
        Home(tmp_path / "file" / "home").make()
    assert "--home" in refused.value.hint


def test_an_atomic_write_replaces_the_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    write_atomically(file, b"a" * 100)
    write_atomically(file, b"b")
    assert file.read_bytes() == b"b"
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_every_role_has_a_name_a_port_a_key_and_a_folder_of_its_own(home: Home) -> None:
    roles = Plan(home, Ports(), CHAIN, gateways=9, nodes=20, evaluators=10, has_encoder=True).roles()
    configs = [config for _, config in roles]
    assert len({config.port for config in configs} | {Ports().chain}) == len(configs) + 1
    assert len({config.name for config in configs}) == len(configs)
    assert len({config.key_file for config in configs}) == len(configs)
    assert len({config.folder for config in configs}) == len(configs)


def test_written_configurations_are_read_back_as_they_were(home: Home) -> None:
    plan = Plan(home, Ports(), CHAIN, gateways=2, nodes=5)
    plan.write()
    planned = {config.name: config for _, config in plan.roles()}
    assert load_role(GatewayConfig, home.role_file("gateway-2")) == planned["gateway-2"]
    assert load_role(NodeConfig, home.role_file("node-5")) == planned["node-5"]
    assert load_wallet(home.wallet_file).gateway_urls == ("http://127.0.0.1:7420", "http://127.0.0.1:7425")


def test_the_known_ports_are_the_documented_ones() -> None:
    ports = Ports()
    assert [ports.gateway(0), ports.gateway(1), ports.chain, ports.settler] == [7420, 7425, 7421, 7422]
    assert [ports.node(0), ports.node(9), ports.archive(0)] == [7430, 7439, 7450]
    assert ports.watcher == 7427
    assert [ports.encoder, ports.author, ports.evaluator(0), ports.evaluator(9)] == [7423, 7424, 7440, 7449]


def test_who_judges_comes_with_an_author_and_an_encoder_where_there_is_one(home: Home) -> None:
    def kinds(*, evaluators: int, has_encoder: bool = False) -> set[str]:
        shape = {"gateways": 1, "nodes": 1, "evaluators": evaluators}
        return {kind for kind, _ in Plan(home, Ports(), CHAIN, **shape, has_encoder=has_encoder).roles()}

    assert kinds(evaluators=0, has_encoder=True) == {"archive", "settler", "node", "gateway", "watcher"}
    assert kinds(evaluators=2) - kinds(evaluators=0) == {"evaluator", "author"}
    assert kinds(evaluators=2, has_encoder=True) - kinds(evaluators=2) == {"encoder"}
    plan = Plan(home, Ports(), CHAIN, gateways=1, nodes=1, evaluators=1, has_encoder=True)
    (config,) = (config for _, config in plan.roles() if isinstance(config, EvaluatorConfig))
    assert config.encoder_url == "http://127.0.0.1:7423/v1"
