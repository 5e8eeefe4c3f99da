"""What a gateway that went out of service may still bring to an end: epochs that it had begun before.

Its stake fell below the least, or it was jailed, while payers and nodes had its receipts already. Their epochs are
stored and anchored as if nothing had happened, until so late that payees claim without a root. Refuses what it began
later, and whoever never was in service.
"""

from dgrid.chain.events import Role
from dgrid.chain.view import ChainView
from dgrid.core.identity import Address


def may_finish(view: ChainView, gateway: Address, *, epoch: int, now_s: int) -> bool:
    """Whether a gateway's epoch is still taken: the gateway is in service, or ends what it began in service."""
    member = view.members.get((Role.GATEWAY, gateway))
    if member is None or member.active:
        return member is not None
    was_begun = view.clock.opens_at_ms(epoch) < member.out_since_ms
    return was_begun and not view.is_void(gateway, epoch) and now_s < overdue_from_s(view, epoch)


def overdue_from_s(view: ChainView, epoch: int) -> int:
    """When receipts of an epoch without a root pay all the same (`Defaults`)."""
    return view.clock.closes_at_ms(epoch) // 1000 + view.parameters.at(epoch).default_seconds
