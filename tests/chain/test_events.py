"""The choices that the contracts number: ours are theirs."""

import re
from enum import IntEnum
from pathlib import Path

import pytest

from dgrid.chain.case_events import Outcome, Subject
from dgrid.chain.events import Kind, Role
from dgrid.wire.messages import Flag
from dgrid.wire.quality import PayoutKind


@pytest.mark.parametrize(
    ("choice", "source"),
    [
        (Role, "Types.sol"),
        (Kind, "Types.sol"),
        (PayoutKind, "Payouts.sol"),
        (Subject, "Docket.sol"),
        (Outcome, "Docket.sol"),
    ],
)
def test_a_choice_has_the_contracts_numbers(root: Path, choice: type[IntEnum], source: str) -> None:
    body = re.search(rf"enum {choice.__name__} \{{(.*?)\}}", (root / "contracts/src" / source).read_text(), re.DOTALL)
    assert body is not None
    theirs = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper(): at for at, name in enumerate(re.findall(r"\w+", body[1]))}
    ours = {one.name: one.value for one in choice}
    assert ours == {name: theirs[name] for name in ours}


@pytest.mark.parametrize("flag", [Flag.CACHED, Flag.SUPPORT])
def test_a_flag_that_moves_money_is_the_contracts(root: Path, flag: Flag) -> None:
    source = (root / "contracts/src/Splits.sol").read_text()
    assert f"constant {flag.name} = {flag.value};" in source
