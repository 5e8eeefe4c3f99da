"""What others asked of the network lately, as anchored epochs show it: canaries follow it in number, place and model.

The records are public and final, so that no gateway can talk an author into silence. What cannot be drawn (evaluators'
own questions, cached answers) is no traffic, and what the author asked is none either: canaries do not feed on
each other.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from dgrid.core.errors import CheckFailed, NetworkUnreachable
from dgrid.core.identity import Address
from dgrid.settlement.evidence import documents_of, leaf_facts
from dgrid.settlement.records import EpochRecords, Records
from dgrid.wire.typed import Domain

LOOKED_BACK: Final = 3  # epochs: a root comes within one or two after its epoch's end
MODELS_KEPT: Final = 1_000  # at most, from all lanes of all gateways alike


@dataclass(frozen=True, slots=True)
class Traffic:
    """How much was asked at each gateway, and which models answered: each name in proportion to how often it did."""

    by_gateway: Counter[Address] = field(default_factory=Counter)
    models: tuple[str, ...] = ()


class TrafficReader:
    """Reads the latest traffic of one network."""

    def __init__(self, records: Records, *, domain: Domain, own: Collection[bytes]) -> None:
        """`own` are the author's payers."""
        self._records, self._domain, self._own = records, domain, own
        self._counted: tuple[Sequence[bytes], Traffic] = (), Traffic()  # kept: who waits for traffic looks often

    async def before(self, epoch: int) -> Traffic:
        """Each gateway's last epoch of the few before this one; what no archive has at the moment is left out."""
        found: list[EpochRecords] = []
        seen: set[bytes] = set()
        for anchor in self._records.anchors(since=epoch - LOOKED_BACK):  # the newest first
            gateway = anchor.root.gateway
            if gateway in seen or anchor.root.epoch >= epoch:
                continue
            seen.add(gateway)
            try:
                found.append(await self._records.epoch(anchor))
            except (CheckFailed, NetworkUnreachable):
                continue
        digests = tuple(records.anchor.digest for records in found)
        if digests != self._counted[0]:
            self._counted = digests, await asyncio.to_thread(traffic_of, found, self._domain, own=self._own)
        return self._counted[1]


def traffic_of(epochs: Iterable[EpochRecords], domain: Domain, *, own: Collection[bytes]) -> Traffic:
    """What others asked in these epochs, as far as its records hold: what a gateway makes up is nobody's request."""
    by_gateway: Counter[Address] = Counter()
    models: list[str] = []
    for records in epochs:
        for key, document in documents_of(records, domain).items():
            leaf = leaf_facts(key, document)
            if leaf.is_open and leaf.payer not in own:
                by_gateway[Address(key.gateway)] += 1
                models.append(document.model)
    return Traffic(by_gateway, tuple(models[:: 1 + len(models) // MODELS_KEPT]))
