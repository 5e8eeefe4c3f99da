// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Seal} from "./Types.sol";
import {MerkleSum} from "./MerkleSum.sol";
import {Receipts} from "./Receipts.sol";
import {Signatures} from "./Signatures.sol";

/// @title One signature over many messages
/// @notice The signature is over the root of a Merkle tree of struct hashes; each message carries its path.
library Seals {
    function isBy(Seal calldata seal, address signer, bytes32 structHash, bytes32 domainSeparator)
        internal
        pure
        returns (bool)
    {
        bytes32 root = MerkleSum.climbFlat(MerkleSum.leaf(structHash, 0), seal.index, seal.count, seal.path);
        bytes32 digest = MessageHashUtils.toTypedDataHash(domainSeparator, Receipts.batchHash(root));
        return Signatures.byKey(signer, digest, seal.signature);
    }
}
