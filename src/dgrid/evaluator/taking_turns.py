"""Whose turn it is to send what any evaluator may send: one after the other, so that two seldom pay for one thing.

The order follows from a lot that all of them know. Should the first one fail, the next sends it a moment later.
"""

from collections.abc import Sequence
from typing import Final

from dgrid.chain.events import Role
from dgrid.chain.view import ChainView
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak

APART_S: Final = 3  # between one evaluator's turn and the next
NEVER_S: Final = 2**31


def place_in_turn(evaluators: Sequence[Address], evaluator: Address, *, lot: bytes) -> int:
    """How many of the evaluators come before this one: the lowest H(lot ‖ address) is the first. It must be of them."""
    return sorted(evaluators, key=lambda address: keccak(lot + address)).index(evaluator)


def turn_s(view: ChainView, evaluator: Address, *, lot: bytes) -> int:
    """After how many seconds it is an evaluator's turn among all that are active; NEVER_S where it is not active."""
    if not view.is_active(Role.EVALUATOR, evaluator):
        return NEVER_S
    evaluators = [member.address for member in view.active(Role.EVALUATOR)]
    return APART_S * place_in_turn(evaluators, evaluator, lot=lot)
