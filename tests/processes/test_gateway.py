"""What a gateway's operator is told of it besides what its clients see."""

import logging
from dataclasses import replace

import pytest
from tests.settlement.judged import BLANK

from dgrid.chain.events import Role
from dgrid.chain.view import ChainView, Member
from dgrid.core.identity import Address
from dgrid.core.money import WEI
from dgrid.processes.gateway import say_if_out_of_service

ME = Address(b"g" * 20)


def view_of(*, stake: int, active: bool, jailed_until_s: int = 0) -> ChainView:
    member = Member(Role.GATEWAY, ME, "http://g", stake * WEI, 0, bytes(32), bytes(32), active, jailed_until_s)
    return replace(BLANK, members={(Role.GATEWAY, ME): member})


def test_a_gateway_says_once_why_it_is_out_of_service_and_again_when_it_happens_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    in_service, low = view_of(stake=1_000, active=True), view_of(stake=980, active=False)
    jailed = view_of(stake=2_000, active=False, jailed_until_s=99)
    is_active, said = True, []
    with caplog.at_level(logging.ERROR):
        for view in (BLANK, in_service, low, low, in_service, jailed, jailed):
            is_active = say_if_out_of_service(view, gateway=ME, was_active=is_active)
            said.append(len(caplog.messages))
    assert said == [0, 0, 1, 1, 1, 2, 2]
    assert "980 DGAI is below the least" in caplog.messages[0]
    assert "`dgrid stake gateway`" in caplog.messages[0]
    assert "jailed" in caplog.messages[1]
    assert "`dgrid unjail gateway`" in caplog.messages[1]
    assert not is_active
