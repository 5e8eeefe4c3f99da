"""Demands for records, as the chain tells of them: a pure fold, part of `view`."""

from dataclasses import dataclass, replace
from enum import StrEnum

from dgrid.chain.abi import tuple_of
from dgrid.chain.events import Demanded, DemandEvent, RecordShown, RecordWithheld
from dgrid.core.identity import Address
from dgrid.core.keccak import keccak
from dgrid.core.places import Place

_PLACE = tuple_of([{"type": kind, "name": kind} for kind in ("address", "uint64", "uint32", "uint64")])


class DemandState(StrEnum):
    """How far a demand has come."""

    OPEN = "open"
    ANSWERED = "answered"
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class Demand:
    """Somebody asked on chain for what stands at a place; once for ever."""

    id: bytes
    demander: Address
    gateway: Address
    place: Place
    until_ms: int
    state: DemandState = DemandState.OPEN
    ended_block: int = 0  # in which it was answered


def demand_id(gateway: Address, place: Place) -> bytes:
    """A demand's name: there is one a place."""
    return keccak(_PLACE.encode((gateway, *place)))


def change_demands(demands: dict[bytes, Demand], event: DemandEvent) -> None:
    """Takes one event in."""
    match event:
        case Demanded():
            place = Place(event.epoch, event.lane, event.sequence)
            demands[event.id] = Demand(event.id, event.demander, event.gateway, place, event.until_ms)
        case RecordShown():
            demands[event.id] = replace(demands[event.id], state=DemandState.ANSWERED, ended_block=event.at.block)
        case RecordWithheld():
            demands[event.id] = replace(demands[event.id], state=DemandState.WITHHELD)
