"""What an answer to a demand showed, read from the call that brought it: a record's way up to its root."""

from dgrid.chain.abi import AbiError
from dgrid.chain.contracts import Contracts
from dgrid.chain.demands import Demand
from dgrid.chain.origins import call_behind
from dgrid.chain.rpc import Rpc
from dgrid.settlement.proofs import LeafProof
from dgrid.settlement.records import EpochRecords

EVENT = "Answered"


async def shown_proof(rpc: Rpc, contracts: Contracts, *, demand: Demand, records: EpochRecords) -> LeafProof | None:
    """The way that an answer showed of one of these records. Raises ChainUnavailable, RpcError.

    None when it showed something else: an absence, a record that is not among these, or by way of another contract.
    """
    demands = contracts.demands
    found = await call_behind(rpc, demands, event=EVENT, topics=[demand.id], block=demand.ended_block)
    data = found or b""
    shape, place = demands.interface.functions["answer"], demand.place
    of_lane = records.blob.receipts.get(place.lane, [])
    if data[:4] != shape.selector or place.sequence >= len(of_lane):
        return None
    try:
        (((_, _, (count, record_path, lane_path)), *_),) = shape.inputs.decode(data[4:], 0)
    except (AbiError, ValueError):
        return None
    ways = tuple(tuple(tuple(one) for one in path) for path in (record_path, lane_path))
    proof = LeafProof(records.anchor.root.packed(), of_lane[place.sequence].packed(), count, *ways)
    return proof if proof.leads() else None
