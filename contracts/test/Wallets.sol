// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @notice A contract wallet with one owner.
contract OwnedWallet {
    address private immutable _owner;

    constructor(address owner) {
        _owner = owner;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        (address signer, ECDSA.RecoverError failed,) = ECDSA.tryRecoverCalldata(digest, signature);
        bool valid = failed == ECDSA.RecoverError.NoError && signer == _owner;
        return valid ? this.isValidSignature.selector : bytes4(0);
    }
}

/// @notice Says yes after long thought.
contract SlowWallet {
    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        uint256 start = gasleft();
        while (start - gasleft() < 90_000) {}
        return this.isValidSignature.selector;
    }
}

/// @notice Burns all the gas it is given.
contract HungryWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly {
            invalid()
        }
    }
}

/// @notice Answers with far more than was asked.
contract VerboseWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly {
            return(0x00, 20000)
        }
    }
}

/// @notice Answers with less than a word.
contract TerseWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly {
            mstore(0x00, shl(224, 0x1626ba7e))
            return(0x00, 4)
        }
    }
}
