"""Global flags, exit codes and errors, as scripts rely on them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.conftest import Dgrid

from dgrid import __version__
from dgrid.cli import main
from dgrid.cli.main import PANELS, app, flags_first
from dgrid.cli.terminal import columns, dgai, home_path, report, short
from dgrid.core.errors import ModelNotFound

HEAVY = ("uvloop", "httptools", "eth_abi", "xllamacpp", "numpy", "asyncio")
HELP_CPU_S_MAX = 0.6  # twice what it should take: the machine may be busy


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    command = command or typer.main.get_command(app)
    inside = getattr(command, "commands", {})
    if path and (not inside or path == ("receipts",)):
        yield " ".join(path), command
    for name, one in inside.items():
        yield from commands(one, (*path, name))


@pytest.mark.parametrize(
    ("name", "command"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_says_what_it_does_and_shows_an_example(name: str, command: Any) -> None:
    assert f"Example: `dgrid {name}" in command.help or f" dgrid {name} " in command.help
    assert all(parameter.help for parameter in command.params if parameter.name != "help")


def test_every_value_that_is_typed_has_a_name() -> None:
    unnamed = [
        f"{name} {parameter.name}"
        for name, command in commands()
        for parameter in command.params
        if not getattr(parameter, "is_flag", False) and not parameter.metavar
    ]
    assert not unnamed


def test_an_error_of_a_gateway_shows_the_name_that_its_operator_can_look_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = ModelNotFound("no such model")
    error.request_id = "req_1"
    for as_json in (False, True):
        assert report(error, as_json=as_json) == ModelNotFound.exit_code
        assert "req_1" in capsys.readouterr().err
        assert report(ModelNotFound("no such model"), as_json=as_json) == ModelNotFound.exit_code
        assert "request" not in capsys.readouterr().err


def test_a_value_of_the_wrong_kind_is_refused_in_its_own_words(dgrid: Dgrid) -> None:
    for words, said in (
        (["audit"], "give a receipt's ID or --epoch N"),
        (["commission", "node", "500"], "500 is more"),
    ):
        error = dgrid("--json", *words).error
        assert error["message"].startswith(said)
        assert f"{words[0]} --help` shows" in error["hint"]


def test_a_home_without_the_roles_key_says_how_to_get_one(dgrid: Dgrid) -> None:
    assert "dgrid node run --model" in dgrid("--json", "stake", "node", "5").error["hint"]
    assert "dgrid new archive" in dgrid("--json", "unjail", "archive").error["hint"]


def test_without_a_command_the_help_is_shown(dgrid: Dgrid) -> None:
    shown = dgrid()
    assert shown.code == 0
    assert "audit" in shown.out


def test_the_help_shows_every_command_in_its_panel_the_most_used_first(dgrid: Dgrid) -> None:
    root: Any = typer.main.get_command(app)
    placed = [(name, panel) for panel, names in PANELS.items() for name in names]
    assert set(root.commands) == {name for name, _ in placed}
    out = dgrid("--help").out
    places = [out.index(f"│ {name} ") for name, _ in placed]
    assert places == sorted(places)
    assert [name for name, _ in placed[:3]] == ["up", "down", "status"]


@pytest.mark.parametrize("words", [["--help"], ["claim", "--help"], ["gov", "propose", "--help"]])
def test_help_shows_no_value_for_a_flag(dgrid: Dgrid, words: list[str]) -> None:
    shown = dgrid(*words)
    assert "--help" in shown.out
    assert "bool" not in shown.out


def test_the_version_is_the_packages(dgrid: Dgrid) -> None:
    assert (dgrid("--version").out, dgrid("--version").code) == (f"dgrid {__version__}\n", 0)


@pytest.mark.parametrize("words", [["--json", "status"], ["status", "--json"], ["status", "--json", "--home", "x"]])
def test_global_flags_may_stand_anywhere(dgrid: Dgrid, words: list[str]) -> None:
    shown = dgrid(*words)
    assert shown.code == 3
    assert shown.error["code"] == "network_unreachable"
    assert "dgrid up" in shown.error["hint"]
    assert not shown.out


def test_errors_go_to_standard_error_with_what_to_do(dgrid: Dgrid) -> None:
    shown = dgrid("status")
    assert shown.err.startswith("dgrid: no network runs in ")
    assert "dgrid up" in shown.err
    assert not shown.out


@pytest.mark.parametrize(
    "words", [["nonsense"], ["chat"], ["status", "--nonsense"], ["audit"], ["audit", "xyz"], ["receipts", "get", "0x1"]]
)
def test_what_cannot_be_understood_exits_2(dgrid: Dgrid, words: list[str]) -> None:
    shown = dgrid(*words, "--json")
    assert shown.code == 2
    assert shown.error["code"] == "usage"
    assert "--help" in shown.error["hint"]


def test_a_group_without_a_command_shows_its_help_and_no_empty_error(dgrid: Dgrid) -> None:
    shown = dgrid("evaluator")
    assert shown.code == 2
    assert "Usage:" in shown.out
    assert not shown.err
    assert dgrid("evaluator", "--json").error["message"] == "a command is missing"


def test_an_interruption_exits_130(dgrid: Dgrid, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_words: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "app", interrupted)
    assert dgrid("status").code == 130


def test_a_fault_of_ours_is_still_one_object_for_programs(dgrid: Dgrid, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_words: Any, **_options: Any) -> None:
        raise RuntimeError("oh")

    monkeypatch.setattr(main, "app", broken)
    shown = dgrid("status", "--json")
    assert (shown.code, shown.error["code"], shown.error["message"]) == (1, "internal_error", "RuntimeError: oh")
    assert "Traceback" in dgrid("status").err


@given(st.lists(st.sampled_from(["--json", "--quiet", "--home", "--home=a", "chat", "-x", "text", "--"]), max_size=8))
def test_moving_flags_loses_no_word_and_no_order(words: list[str]) -> None:
    ordered = flags_first(words)
    assert sorted(ordered) == sorted(words)
    end = words.index("--") if "--" in words else len(words)
    assert ordered[end:] == words[end:]


def test_what_follows_two_dashes_is_never_a_flag() -> None:
    assert flags_first(["chat", "--", "--json"]) == ["chat", "--", "--json"]


class TestHome:
    def test_the_flag_comes_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DGRID_HOME", "elsewhere")
        assert home_path(tmp_path) == tmp_path

    def test_then_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DGRID_HOME", "elsewhere")
        assert home_path(None) == Path("elsewhere")

    def test_then_the_nearest_folder_upward(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DGRID_HOME", raising=False)
        (tmp_path / ".dgrid").mkdir()
        (tmp_path / "a" / "b").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / "a" / "b")
        assert home_path(None) == tmp_path / ".dgrid"

    def test_then_the_users_own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DGRID_HOME", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.chdir("/")
        assert home_path(None) == tmp_path / ".dgrid"


@pytest.mark.parametrize("words", [["--help"], ["chat", "--help"]])
def test_help_is_quick(words: list[str]) -> None:
    before = os.times()
    subprocess.run([sys.executable, "-m", "dgrid", *words], check=True, capture_output=True)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    assert spent < HELP_CPU_S_MAX


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, dgrid.cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("wei", "shown"),
    [
        (0, "0 DGAI"),
        (10**18, "1 DGAI"),
        (1, "0.000000000000000001 DGAI"),
        (1_500 * 10**18, "1,500 DGAI"),
        (-(10**17), "-0.1 DGAI"),
    ],
)
def test_amounts_are_shown_exactly(wei: int, shown: str) -> None:
    assert dgai(wei) == shown


def test_tables_line_up() -> None:
    assert columns(("A", "LONGER"), [("xx", "a"), ("y", "bb")]) == "A   LONGER\nxx  a\ny   bb"
    assert columns(("A", "B"), []) == "A  B"


def test_numbers_stand_with_their_points_below_each_other() -> None:
    rows = [
        ("a", "1,000 DGAI", "-", 7),
        ("b", "0.25 DGAI", "62.0 %", 12),
        ("c", "-3.5 DGAI", "100.0 %", 1),
        ("d", "0 DGAI", "0.0 %", 0),
    ]
    assert columns(("NAME", "FEE", "SHARE", "N"), rows).splitlines() == [
        "NAME            FEE    SHARE   N",
        "a     1,000 DGAI       -       7",
        "b         0.25 DGAI   62.0 %  12",
        "c        -3.5 DGAI   100.0 %   1",
        "d         0 DGAI       0.0 %   0",
    ]
    assert short("0x" + "ab" * 20) == "0xababab…abab"
    assert short("abc") == "abc"
