"""What an answer to a demand showed, read from the call that brought it: a record's way up to its root."""

from dgrid.chain.abi import AbiError
from dgrid.chain.contracts import Contracts
from dgrid.chain.demands import Demand
from dgrid.chain.rpc import Rpc, log_of
from dgrid.core.identity import to_hex
from dgrid.settlement.proofs import LeafProof
from dgrid.settlement.records import EpochRecords

EVENT = "Answered"


async def shown_proof(rpc: Rpc, contracts: Contracts, *, demand: Demand, records: EpochRecords) -> LeafProof | None:
    """The way that an answer showed of one of these records. Raises ChainUnavailable, RpcError.

    None when it showed something else: an absence, a record that is not among these, or by way of another contract.
    """
    demands = contracts.demands
    topic = next(topic for topic, event in demands.interface.events.items() if event.name == EVENT)
    block, topics = hex(demand.ended_block), [to_hex(topic), to_hex(demand.id)]
    wanted = {"fromBlock": block, "toBlock": block, "address": to_hex(demands.address), "topics": topics}
    logs = [log_of(one) for one in await rpc.call("eth_getLogs", [wanted])]
    sent = await rpc.call("eth_getTransactionByHash", [to_hex(logs[0].transaction_hash)]) if logs else None
    data = b"" if sent is None else bytes.fromhex(sent["input"].removeprefix("0x"))
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
