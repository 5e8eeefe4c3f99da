"""What a contract's refusal says to people."""

from dgrid.chain.contracts import Reverted
from dgrid.core.money import WEI


def test_who_holds_too_little_is_told_so_in_dgai() -> None:
    refusal = Reverted("ERC20InsufficientBalance", {"sender": b"\x11" * 20, "balance": 2 * WEI, "needed": 5 * WEI})
    assert refusal.hint == f"0x{'11' * 20} holds 2 DGAI; this takes 5 DGAI"


def test_any_other_refusal_stands_for_itself() -> None:
    refusal = Reverted("WithdrawNotYet", {"availableAt": 12})
    assert (refusal.message, refusal.hint) == ("the contract refused: WithdrawNotYet(availableAt=12)", "")
