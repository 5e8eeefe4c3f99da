// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @title Who signed
/// @notice 65 bytes, low s only. What must stay provable for ever (receipts, roots, storage) takes keys alone, because
/// a contract wallet can change its mind about a signature; a payer's voucher takes contract wallets too.
library Signatures {
    /// @dev Enough for a wallet of several owners, too little to starve the other rows of a batch.
    uint256 internal constant WALLET_GAS = 100_000;

    function byKey(address signer, bytes32 digest, bytes calldata signature) internal pure returns (bool) {
        (address recovered, ECDSA.RecoverError failed,) = ECDSA.tryRecoverCalldata(digest, signature);
        return failed == ECDSA.RecoverError.NoError && recovered == signer && signer != address(0);
    }

    function byKeyOrWallet(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        return byKey(signer, digest, signature) || (signer.code.length != 0 && _byWallet(signer, digest, signature));
    }

    /// @dev Copies one word of the answer and no more: a hostile wallet cannot make the caller pay for a long one.
    function _byWallet(address wallet, bytes32 digest, bytes calldata signature) private view returns (bool) {
        // With less, it would be our caller's thrift that makes a good signature fail: end as if the gas were gone.
        if (gasleft() < WALLET_GAS + WALLET_GAS / 32) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        bytes memory question = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        bool answered;
        bytes32 word;
        assembly ("memory-safe") {
            answered := staticcall(WALLET_GAS, wallet, add(question, 0x20), mload(question), 0x00, 0x20)
            answered := and(answered, gt(returndatasize(), 0x1f))
            word := mload(0x00)
        }
        return answered && word == bytes32(IERC1271.isValidSignature.selector);
    }
}
