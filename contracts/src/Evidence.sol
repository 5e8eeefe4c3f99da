// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleSum} from "./MerkleSum.sol";
import {Receipts} from "./Receipts.sol";
import {Settlement} from "./Settlement.sol";
import {EpochRoot, LaneLeaf, LaneProof, LeafProof} from "./Types.sol";

/// @title What an accuser may build on: roots that were anchored, and what they hold
/// @notice A void root will do: it still says what the gateway signed.
abstract contract Evidence {
    using Receipts for EpochRoot;

    error NotAnchored(address gateway, uint64 epoch);
    error NotIncluded();
    error NotEvidence();

    Settlement public immutable settlement;

    constructor(Settlement settlement_) {
        settlement = settlement_;
    }

    function _requireAnchored(EpochRoot calldata root) internal view {
        bool anchored = root.hash() == settlement.digestOf(root.gateway, root.epoch);
        require(anchored, NotAnchored(root.gateway, root.epoch));
    }

    function _requireIncluded(LeafProof calldata proof) internal view {
        _requireAnchored(proof.root);
        require(Receipts.includes(proof.root, proof.leaf, Receipts.hash(proof.leaf), proof.inclusion), NotIncluded());
    }

    /// @dev How many leaves the lane at the proof's index has; none if its root has no such lane.
    function _leavesIn(LaneProof calldata proof) internal pure returns (uint64) {
        if (proof.index >= proof.root.laneCount) return 0;
        _sumFrom(proof);
        return proof.laneLeaf.lane == proof.index ? proof.laneLeaf.count : 0;
    }

    /// @dev What the way up from the lane at the proof's index adds up to; it must lead to the root.
    function _sumFrom(LaneProof calldata proof) internal pure returns (uint256) {
        LaneLeaf calldata lane = proof.laneLeaf;
        bytes32 node = MerkleSum.leaf(MerkleSum.laneHash(lane), lane.fees);
        (bytes32 records, uint256 sum) =
            MerkleSum.climb(node, lane.fees, proof.index, proof.root.laneCount, proof.lanePath);
        require(records == proof.root.recordsRoot, NotIncluded());
        return sum;
    }
}
