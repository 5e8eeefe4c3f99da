"""What an answer to a demand showed, read from the call that brought it: a record's way up to the root, or a lane's."""

import contextlib
from typing import Any

from dgrid.chain.abi import AbiError
from dgrid.chain.contracts import Contracts
from dgrid.chain.demands import Demand
from dgrid.chain.origins import call_behind
from dgrid.chain.rpc import Rpc
from dgrid.core.merkle import Path, TreeNode
from dgrid.settlement.proofs import LaneWay, LeafProof
from dgrid.settlement.records import EpochRecords

EVENT = "Answered"


async def shown_way(
    rpc: Rpc, contracts: Contracts, *, demand: Demand, records: EpochRecords
) -> LeafProof | LaneWay | None:
    """The way that an answer showed of one of these records, or that there is none. Raises ChainUnavailable, RpcError.

    None when it showed something else: what is not among these records, or by way of another contract.
    """
    demands = contracts.demands
    found = await call_behind(rpc, demands, event=EVENT, topics=[demand.id], block=demand.ended_block)
    data = found or b""
    for name, read in (("answer", _record_way), ("answerAbsent", _lane_way)):
        with contextlib.suppress(AbiError, ValueError):
            return read(demands.decode_call(name, data), demand, records)
    return None


def _record_way(arguments: tuple[Any, ...], demand: Demand, records: EpochRecords) -> LeafProof | None:
    place = demand.place
    of_lane = records.blob.receipts.get(place.lane, [])
    if place.sequence >= len(of_lane):
        return None
    (((_, _, (count, *paths)), *_),) = arguments
    ways = tuple(tuple(tuple(one) for one in path) for path in paths)
    proof = LeafProof(records.anchor.root.packed(), of_lane[place.sequence].packed(), count, *ways)
    return proof if proof.leads() else None


def _lane_way(arguments: tuple[Any, ...], demand: Demand, records: EpochRecords) -> LaneWay | None:
    (_, _, _, steps), _ = arguments
    path: Path = tuple(TreeNode(*one) for one in steps)
    way = LaneWay(demand.place.lane, path)
    return way if way.leads(records.anchor.root, records.tree) else None
