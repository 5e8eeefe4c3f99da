"""What an answer to a demand showed, read from its event: a record's way up to the root, or a lane's."""

from dgrid.chain.contracts import Contracts
from dgrid.chain.demands import Demand
from dgrid.chain.past_events import Arguments, past_events
from dgrid.chain.rpc import Rpc
from dgrid.core.merkle import Path, TreeNode
from dgrid.settlement.proofs import LaneWay, LeafProof
from dgrid.settlement.records import EpochRecords


async def shown_way(
    rpc: Rpc, contracts: Contracts, *, demand: Demand, records: EpochRecords
) -> LeafProof | LaneWay | None:
    """The way that an answer showed of one of these records, or that there is none; None when it showed what is not
    among these records. Raises ChainUnavailable, RpcError.
    """
    for name, read in (("RecordProven", _record_way), ("AbsenceProven", _lane_way)):
        found = await past_events(rpc, contracts.demands, name=name, topics=[demand.id], block=demand.ended_block)
        if found:
            return read(found[0], demand, records)
    return None


def _record_way(shown: Arguments, demand: Demand, records: EpochRecords) -> LeafProof | None:
    place = demand.place
    of_lane = records.blob.receipts.get(place.lane, [])
    if place.sequence >= len(of_lane):
        return None
    count, *paths = shown["inclusion"]
    ways = tuple(tuple(tuple(one) for one in path) for path in paths)
    proof = LeafProof(records.anchor.root.packed(), of_lane[place.sequence].packed(), count, *ways)
    return proof if proof.leads() else None


def _lane_way(shown: Arguments, demand: Demand, records: EpochRecords) -> LaneWay | None:
    path: Path = tuple(TreeNode(*one) for one in shown["lanePath"])
    way = LaneWay(demand.place.lane, path)
    return way if way.leads(records.anchor.root, records.tree) else None
