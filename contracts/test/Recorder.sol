// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Record} from "../src/Demands.sol";
import {Parameter} from "../src/Parameter.sol";
import {Dispatch, EpochRoot, Hashes, Leaf, NodeReceipt, Seal, Usage} from "../src/Types.sol";
import {Bill} from "./Book.sol";
import {Trees} from "./Trees.sol";
import {vm} from "./Vm.sol";
import {World} from "./World.sol";

/// @dev An answer: what was counted, what is billed of it, at which prices.
struct Work {
    uint32 countedIn;
    uint32 countedOut;
    uint32 tokensIn;
    uint32 tokensOut;
    uint128 inPrice;
    uint128 outPrice;
    uint32 flags;
    bool listed;
}

/// @notice A gateway that keeps whole records of what a node with a key did, split as agreed unless a test amends them.
abstract contract Recorder is World {
    uint256 internal constant WORKER_KEY = 0x40DE;
    uint32 internal constant CACHED = 4;
    uint32 internal constant SUPPORT = 8;
    uint128 internal constant MARGIN_BPS = 1_000;

    address internal worker = vm.addr(WORKER_KEY);

    function _work() internal pure returns (Work memory) {
        return Work(1_000, 2_000, 1_000, 2_000, 2e15, 4e15, 0, true);
    }

    function _gross(Work memory work) internal pure returns (uint128) {
        return uint128((uint256(work.tokensIn) * work.inPrice + uint256(work.tokensOut) * work.outPrice) / 1e6);
    }

    /// @dev The price of the listed model, 5e12 and 6e12 a million.
    function _creators(Work memory work) internal pure returns (uint128) {
        return work.listed ? uint128((uint256(work.tokensIn) * 5e12 + uint256(work.tokensOut) * 6e12) / 1e6) : 0;
    }

    /// @dev Writes a leaf into the open epoch and keeps what it hashes.
    function _write(Work memory work) internal returns (Record memory record) {
        uint128 gross = _gross(work);
        Bill memory bill = _bill(worker, 0);
        if (work.listed) (bill.listingId, bill.version) = (listingId, 1);
        bill.toListing = _creators(work);
        bill.toProtocol = uint128(uint256(gross) * parameters.at(Parameter.ProtocolBps, book.epoch()) / 10_000);
        bill.toNode = gross - bill.toProtocol;
        bill.toGateway = gross * MARGIN_BPS / 10_000;
        return _bind(book.write(bill), work);
    }

    function _bind(Leaf memory leaf, Work memory work) internal returns (Record memory record) {
        record.dispatch = Dispatch({
            requestId: leaf.requestId,
            forwardedHash: keccak256("forwarded"),
            gateway: gateway,
            node: leaf.parties.node,
            modelId: leaf.parties.modelId,
            modelDigest: keccak256("weights"),
            token: address(token),
            inPrice: work.inPrice,
            outPrice: work.outPrice,
            seed: 7,
            nonce: leaf.place.sequence,
            deadline: 1_800_000_100_000,
            configHash: keccak256("config"),
            lastReceipt: bytes32(0)
        });
        bytes32 dispatchHash = exposed.hash(record.dispatch);
        record.nodeReceipt =
            NodeReceipt(dispatchHash, keccak256("output"), keccak256("evidence"), work.countedIn, work.countedOut);
        record.usage = Usage(work.tokensIn, work.tokensOut, 0, 0, work.flags, 40, 900, 1_800_000_001_000);
        record.hashes = Hashes(keccak256("request"), keccak256("route"), keccak256("wire"), keccak256("label"));
        record.proof.leaf = leaf;
        _amend(record);
    }

    /// @dev Puts the record as it now is into its place, all hashes renewed.
    function _amend(Record memory record) internal {
        Leaf memory leaf = record.proof.leaf;
        leaf.usageHash = exposed.hash(record.usage);
        leaf.hashesHash = exposed.hash(record.hashes);
        leaf.nodeReceiptHash = exposed.hash(record.nodeReceipt);
        record.nodeSeal = _sealOf(WORKER_KEY, leaf.nodeReceiptHash);
        book.amend(leaf);
    }

    function _sealOf(uint256 key, bytes32 structHash) internal view returns (Seal memory) {
        bytes32 root = Trees.leafOf(structHash, 0).hash;
        bytes32 batch = keccak256(abi.encode(keccak256("Batch(bytes32 root)"), root));
        return Seal(0, 1, new bytes32[](0), _sign(key, settlement.domainSeparator(), batch));
    }

    /// @dev Closes the open epoch and gives the record its proof.
    function _close(Record memory record) internal returns (EpochRoot memory root) {
        root = _closeAndAnchor();
        _prove(record);
    }

    function _prove(Record memory record) internal view {
        Leaf memory leaf = record.proof.leaf;
        record.proof = book.proof(leaf.place.epoch, leaf.place.lane, leaf.place.sequence);
    }
}
