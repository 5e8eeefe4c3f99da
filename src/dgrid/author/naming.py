"""By which name a canary asks for a model: so that models answer canaries as often as they answer everybody else.

Whom a virtual name leads to the gateway decides. So a model is drawn first, as often as it answered the traffic; a
virtual name stands for it only where the author's own latest canary of that name was answered by that model. A name of
which nothing is known is tried now and then, to learn whom it leads to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dgrid.author.chance import Chance

VIRTUAL_PERCENT: Final = 55
VIRTUAL: Final = (("auto", 8), ("auto:cheap", 1), ("auto:fast", 1), ("auto:best", 1))
VIRTUAL_NAMES: Final = frozenset(name for name, _ in VIRTUAL)


@dataclass(frozen=True, slots=True)
class Answering:
    """The models that answered the traffic, each as often as it did, and whom virtual names led to lately."""

    models: Sequence[str] = ()
    led_to: Mapping[str, str] = field(default_factory=dict)


def wanted(chance: Chance, answering: Answering) -> str:
    """The name that a canary asks for."""
    tried = _virtual(chance, [name for name, _ in VIRTUAL])
    if not answering.models or (chance.maybe(VIRTUAL_PERCENT) and tried not in answering.led_to):
        return tried
    model = chance.one(answering.models)
    leading = [name for name, _ in VIRTUAL if answering.led_to.get(name) == model]
    return _virtual(chance, leading) if leading and chance.maybe(VIRTUAL_PERCENT) else model


def _virtual(chance: Chance, names: Sequence[str]) -> str:
    return chance.weighted(names, [weight for name, weight in VIRTUAL if name in names])
