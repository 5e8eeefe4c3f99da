// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleSum} from "../src/MerkleSum.sol";
import {Receipts} from "../src/Receipts.sol";
import {Seals} from "../src/Seals.sol";
import {Signatures} from "../src/Signatures.sol";
import {
    ChannelConfig,
    Dispatch,
    EpochRoot,
    Hashes,
    InferenceRequest,
    LaneLeaf,
    Leaf,
    LeafProof,
    NodeReceipt,
    Seal,
    Step,
    Usage
} from "../src/Types.sol";

/// @notice The libraries' internal functions, callable from memory.
contract Exposed {
    function hash(Leaf calldata leaf) external pure returns (bytes32) {
        return Receipts.hash(leaf);
    }

    function hash(EpochRoot calldata root) external pure returns (bytes32) {
        return Receipts.hash(root);
    }

    function hash(ChannelConfig calldata config) external pure returns (bytes32) {
        return Receipts.hash(config);
    }

    function hash(Usage calldata usage) external pure returns (bytes32) {
        return Receipts.hash(usage);
    }

    function hash(Hashes calldata hashes) external pure returns (bytes32) {
        return Receipts.hash(hashes);
    }

    function hash(NodeReceipt calldata nodeReceipt) external pure returns (bytes32) {
        return Receipts.hash(nodeReceipt);
    }

    function hash(Dispatch calldata dispatch) external pure returns (bytes32) {
        return Receipts.hash(dispatch);
    }

    function hash(InferenceRequest calldata request) external pure returns (bytes32) {
        return Receipts.hash(request);
    }

    function includes(LeafProof calldata proof) external pure returns (bool) {
        return Receipts.includes(proof.root, proof.leaf, Receipts.hash(proof.leaf), proof.inclusion);
    }

    function laneHash(LaneLeaf calldata lane) external pure returns (bytes32) {
        return MerkleSum.laneHash(lane);
    }

    function climb(bytes32 node, uint256 sum, uint256 index, uint256 width, Step[] calldata path)
        external
        pure
        returns (bytes32, uint256)
    {
        return MerkleSum.climb(node, sum, index, width, path);
    }

    function climbFlat(bytes32 node, uint256 index, uint256 width, bytes32[] calldata path)
        external
        pure
        returns (bytes32)
    {
        return MerkleSum.climbFlat(node, index, width, path);
    }

    function isBy(Seal calldata seal, address signer, bytes32 structHash, bytes32 domain) external pure returns (bool) {
        return Seals.isBy(seal, signer, structHash, domain);
    }

    function byKey(address signer, bytes32 digest, bytes calldata signature) external pure returns (bool) {
        return Signatures.byKey(signer, digest, signature);
    }

    function byKeyOrWallet(address signer, bytes32 digest, bytes calldata signature) external view returns (bool) {
        return Signatures.byKeyOrWallet(signer, digest, signature);
    }
}
