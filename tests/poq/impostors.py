"""How long an impostor earns before it is convicted, exactly: what the published bound is held against."""

from math import comb

from dgrid.core.money import BPS
from dgrid.poq.temptation import SQUARED_BPS, Temptation


def requests_until_convicted(temptation: Temptation, *, detections: int, certainty_bps: int) -> int:
    """After how many cheated requests that many detections have happened with that certainty (below 10,000).

    Exact: the smallest n with P(Binomial(n, p·δ) ≥ detections) ≥ certainty. Raises ValueError where it never comes.
    """
    if temptation.check_bps * temptation.hit_bps <= 0 or not 0 <= certainty_bps < BPS:
        raise ValueError("who is never checked is never convicted, and nothing is ever certain")
    low, high = detections, detections
    while not _convicted(high, temptation, detections=detections, certainty_bps=certainty_bps):
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        if _convicted(middle, temptation, detections=detections, certainty_bps=certainty_bps):
            high = middle
        else:
            low = middle + 1
    return high


def _convicted(requests: int, temptation: Temptation, *, detections: int, certainty_bps: int) -> bool:
    """Whether so many detections among the requests are certain enough; in whole numbers over 10⁸ to the n."""
    hit = temptation.check_bps * temptation.hit_bps
    miss = SQUARED_BPS - hit
    fewer: int = sum(comb(requests, k) * hit**k * miss ** (requests - k) for k in range(detections))
    whole: int = SQUARED_BPS**requests
    return fewer * BPS <= (BPS - certainty_bps) * whole
