"""What an answer to a demand showed, read from the call that brought it: a record's way up to the root, or a lane's."""

from typing import Any

from dgrid.chain.abi import AbiError
from dgrid.chain.contracts import Contracts
from dgrid.chain.demands import Demand
from dgrid.chain.rpc import Rpc, log_of
from dgrid.core.identity import to_hex
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
    topic = next(topic for topic, event in demands.interface.events.items() if event.name == EVENT)
    block, topics = hex(demand.ended_block), [to_hex(topic), to_hex(demand.id)]
    wanted = {"fromBlock": block, "toBlock": block, "address": to_hex(demands.address), "topics": topics}
    logs = [log_of(one) for one in await rpc.call("eth_getLogs", [wanted])]
    sent = await rpc.call("eth_getTransactionByHash", [to_hex(logs[0].transaction_hash)]) if logs else None
    data = b"" if sent is None else bytes.fromhex(sent["input"].removeprefix("0x"))
    for name, read in (("answer", _record_way), ("answerAbsent", _lane_way)):
        shape = demands.interface.functions[name]
        if data[:4] == shape.selector:
            try:
                return read(shape.inputs.decode(data[4:], 0), demand, records)
            except (AbiError, ValueError):
                return None
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
