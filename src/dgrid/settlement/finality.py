"""When an epoch is past all doubt: its quality root pays, or no verdict on it can come any more. Pure."""

from dgrid.chain.view import ChainView
from dgrid.core.identity import Address
from dgrid.poq.economics import detection_seconds
from dgrid.settlement.payouts import root_pays_from_s


def is_checked(view: ChainView, epoch: tuple[Address, int], *, now_s: int) -> bool:
    """Whether a gateway's epoch is judged for good, or so long over that its stakes may have left."""
    gateway, number = epoch
    return _is_judged(view, epoch, now_s=now_s) or view.is_void(gateway, number) or _is_long_over(view, number, now_s)


def _is_judged(view: ChainView, epoch: tuple[Address, int], *, now_s: int) -> bool:
    draw = view.draws.get(epoch)
    if draw is None:
        return False
    return any(root_pays_from_s(view, posted) <= now_s for _, posted in view.quality_roots.between(draw.round))


def _is_long_over(view: ChainView, epoch: int, now_s: int) -> bool:
    """The network may have no judges: then time alone ends the doubt, as it ends the unbonding of stake."""
    doubted_s = detection_seconds(view.parameters.at(epoch), epoch_seconds=view.facts.epoch_seconds)
    return view.clock.opens_at_ms(epoch) // 1000 + doubted_s <= now_s
