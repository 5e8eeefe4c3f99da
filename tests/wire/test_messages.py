"""What the numbers in signed messages mean: a receipt says tomorrow what it says today."""

from enum import IntEnum, IntFlag

import pytest

from dgrid.wire.messages import Flag, Grade, Privacy


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (Grade, {0: "SIGNED", 1: "CONSENSUS", 2: "JUDGED", 3: "TEE"}),
        (Privacy, {0: "COMMITTEE", 1: "PUBLIC", 2: "NONE", 3: "SEALED"}),
        (Flag, {1: "PARTIAL", 2: "SPLICED", 4: "CACHED", 8: "SUPPORT", 16: "NODE_COUNTED", 32: "STREAMED"}),
    ],
)
def test_a_number_keeps_its_meaning(choice: type[IntEnum | IntFlag], names: dict[int, str]) -> None:
    assert {one.value: one.name for one in choice} == names
