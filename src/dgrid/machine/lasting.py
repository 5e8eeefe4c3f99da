"""Work beside what a process serves: what fails is said, and begins anew after a pause.

A role that goes on serving must not fall silent elsewhere: a gateway that closes no epoch, or an archive that answers
no demand, is convicted for it. Refuses to tell a full disk from a fault of ours: either may pass.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

AGAIN_S, AGAIN_S_MAX = 1.0, 30.0


async def lasting(work: Callable[[], Awaitable[None]]) -> None:
    """Does a work to its end, however often it has to begin."""
    pause_s = AGAIN_S
    while True:
        try:
            await work()
        except Exception:
            logger.exception("a background task failed; it begins anew in %.0f s", pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, AGAIN_S_MAX)
        else:
            return
