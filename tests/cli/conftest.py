"""A command line as a user types it, in an environment with nothing of ours in it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.devnet import on_devnet as on_devnet

from dgrid.cli.main import run

VARIABLES = ("DGRID_HOME", "DGRID_GATEWAY_URL", "DGRID_API_KEY", "DGRID_CHAIN_RPC")


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.err)["error"]
        return found


Dgrid = Callable[..., Outcome]


@pytest.fixture
def dgrid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Dgrid:
    """Runs one command line in an empty folder."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.chdir(tmp_path)

    def typed(*words: str) -> Outcome:
        capfd.readouterr()
        code = run(words)
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return typed
