"""A new role's configuration: the next of its kind, with what its siblings settled, and a key and a door of its own."""

from dataclasses import replace
from pathlib import Path

import pytest

from dgrid.config import (
    AuthorConfig,
    ChainConfig,
    ConfigError,
    EvaluatorConfig,
    GatewayConfig,
    NodeConfig,
    load_role,
    to_toml,
)
from dgrid.core.money import WEI
from dgrid.processes.home import Home, Plan, Ports
from dgrid.processes.new_node import NewNode, write_node
from dgrid.processes.new_role import NewRole, write_role

CHAIN = ChainConfig(("http://127.0.0.1:7421",), 31337, {"settlement": "0x" + "11" * 20})


def test_it_is_the_next_of_its_kind_and_takes_over_what_the_first_has_settled(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.make()
    Plan(home, Ports(), CHAIN, gateways=1, nodes=1, evaluators=2, has_encoder=True).write()
    made = write_role(tmp_path, NewRole("evaluator"), chain=CHAIN)
    first = load_role(EvaluatorConfig, home.role_file("evaluator-1"))
    config = load_role(EvaluatorConfig, made.file)
    assert made.name == "evaluator-3"
    assert config.encoder_url == first.encoder_url != ""
    assert config.key().address not in {home.key(f"evaluator-{at}").address for at in (1, 2)}
    assert config.port != first.port
    assert config.folder != first.folder
    assert made.needs_wei == {"stake_wei": int(config.stake_wei), "deposit_wei": int(config.deposit_wei)}
    gateway = load_role(GatewayConfig, write_role(tmp_path, NewRole("gateway"), chain=CHAIN).file)
    assert gateway.settler_urls == load_role(GatewayConfig, home.role_file("gateway-1")).settler_urls != ()


def test_roles_that_do_not_run_yet_get_no_common_port(tmp_path: Path) -> None:
    kinds = "evaluator", "watcher", "author", "evaluator"
    ports = [write_role(tmp_path, NewRole(kind), chain=CHAIN).config.port for kind in kinds]
    node = load_role(NodeConfig, write_node(tmp_path, NewNode("dgrid-nano"), chain=CHAIN))
    assert len({*ports, node.port}) == 5


def test_a_second_author_does_not_ask_the_questions_of_the_first(tmp_path: Path) -> None:
    first = write_role(tmp_path, NewRole("author"), chain=CHAIN)
    config = replace(load_role(AuthorConfig, first.file), questions="own.jsonl", accounts=9)
    first.file.write_text(to_toml(config))
    second = load_role(AuthorConfig, write_role(tmp_path, NewRole("author"), chain=CHAIN).file)
    assert (second.accounts, second.questions) == (9, "")


def test_in_an_empty_home_it_has_the_usual_settings(tmp_path: Path) -> None:
    for kind in ("archive", "gateway", "settler", "author", "evaluator"):
        made = write_role(tmp_path, NewRole(kind, host="127.0.0.1", port=7499), chain=CHAIN)
        assert made.name == f"{kind}-1"
        assert (made.config.port, made.config.chain) == (7499, CHAIN)


@pytest.mark.parametrize("kind", ["gateway", "evaluator"])
@pytest.mark.parametrize("least", [0, 10_000, 25_000])
def test_a_penalty_does_not_put_it_out_of_service_at_once(tmp_path: Path, kind: str, least: int) -> None:
    made = write_role(tmp_path, NewRole(kind, stake_wei_min=least * WEI), chain=CHAIN)
    assert made.needs_wei["stake_wei"] == max(2_000, 2 * least) * WEI


def test_its_stake_is_no_less_than_the_network_asks(tmp_path: Path) -> None:
    archive = write_role(tmp_path, NewRole("archive", stake_wei_min=25_000 * WEI), chain=CHAIN)
    assert archive.needs_wei["stake_wei"] == 25_000 * WEI
    settler = write_role(tmp_path, NewRole("settler", stake_wei_min=25_000 * WEI), chain=CHAIN)
    assert settler.needs_wei == {}


def test_named_again_it_is_the_same_role(tmp_path: Path) -> None:
    first = write_role(tmp_path, NewRole("archive", name="cellar"), chain=CHAIN)
    changed = replace(first.config, port=7498)
    first.file.write_text(to_toml(changed))
    again = write_role(tmp_path, NewRole("archive", name="cellar"), chain=CHAIN)
    assert again.config == changed


def test_what_needs_no_chain_or_has_its_own_door_is_refused(tmp_path: Path) -> None:
    for kind in ("node", "encoder", "gardener"):
        with pytest.raises(ConfigError, match="no role"):
            write_role(tmp_path, NewRole(kind), chain=CHAIN)
    with pytest.raises(ConfigError, match="small letters"):
        write_role(tmp_path, NewRole("archive", name="../elsewhere"), chain=CHAIN)
