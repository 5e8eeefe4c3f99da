// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bonds} from "./Bonds.sol";
import {Parameter} from "./Parameter.sol";
import {Receipts} from "./Receipts.sol";
import {Signatures} from "./Signatures.sol";
import {EpochRoot, LeafProof, Role, StoredSignature} from "./Types.sol";

/// @dev `pots` is what all its roots say was charged, `collected` what payers' channels delivered of it, `funds` what of
/// that is still here, `released` what of it quality roots took. `nextEpoch` is one past the last anchored epoch.
/// `voidFrom` is one past the first epoch whose roots no longer count, zero while there is none.
struct Account {
    uint128 funds;
    uint128 pots;
    uint128 collected;
    uint64 nextEpoch;
    uint64 voidFrom;
    uint128 released;
}

/// @dev Claims against a root are paid from `finalAt` and `finalBlock`, whichever comes later.
struct Anchor {
    bytes32 digest;
    uint64 anchoredAt;
    uint64 anchoredBlock;
    uint64 finalAt;
    uint64 finalBlock;
}

/// @title One root per gateway and epoch
/// @notice The chain keeps a root's digest; its fields are an event. Epochs only go forward, each root names the one
/// before, and a root counts only if enough archives hold its records. A late root is welcome: lateness only lets
/// payees claim by default meanwhile.
abstract contract Epochs is Bonds {
    using Receipts for EpochRoot;

    error WrongRootToken(address token);
    error EmptyRoot();
    error EpochNotOver(uint64 epoch, uint256 endsAt);
    error EpochNotNew(uint64 epoch, uint64 nextEpoch);
    error WrongPrevious(bytes32 previous, bytes32 expected);
    error GatewayConvicted(address gateway);
    error BondTooLow(uint128 bond, uint256 minimum);
    error WrongRootSignature(address gateway);
    error ArchivesNotAscending(address archive);
    error ArchiveNotActive(address archive);
    error WrongStoredSignature(address archive);
    error QuorumNotReached(uint256 stored, uint256 quorum);
    error NotAnchored(address gateway, uint64 epoch);
    error NotIncluded();
    error RootVoid(address gateway, uint64 epoch);
    error ChallengeOpen(uint256 fromTimestamp, uint256 fromBlock);

    /// @dev With its signature and its archives' promises, whoever sends it: each answers for what it signed.
    event Anchored(
        address indexed gateway,
        uint64 indexed epoch,
        bytes32 digest,
        EpochRoot root,
        bytes signature,
        StoredSignature[] stored
    );

    mapping(address gateway => Account) internal _accounts;
    mapping(address gateway => mapping(uint64 epoch => Anchor)) internal _anchors;

    /// @notice Anchors a gateway's root. Whoever sends it pays the gas; only the gateway's key can have made it.
    /// @param stored signatures of registered archives, in ascending order of their addresses
    function anchor(EpochRoot calldata root, bytes calldata signature, StoredSignature[] calldata stored) external {
        bytes32 digest = root.hash();
        Account storage account_ = _accounts[root.gateway];
        uint64 nextEpoch = account_.nextEpoch;
        require(root.token == address(token), WrongRootToken(root.token));
        require(root.laneCount != 0, EmptyRoot());
        require(block.timestamp >= endOf(root.epoch), EpochNotOver(root.epoch, endOf(root.epoch)));
        require(root.epoch >= nextEpoch, EpochNotNew(root.epoch, nextEpoch));
        bytes32 last = nextEpoch == 0 ? bytes32(0) : _anchors[root.gateway][nextEpoch - 1].digest;
        require(root.previous == last, WrongPrevious(root.previous, last));
        require(account_.voidFrom == 0, GatewayConvicted(root.gateway));
        _checkBond(root.gateway);
        bool signed = Signatures.byKey(root.gateway, _hashTypedDataV4(digest), signature);
        require(signed, WrongRootSignature(root.gateway));
        _checkStored(root.blobId, stored);

        _anchors[root.gateway][root.epoch] = Anchor({
            digest: digest,
            anchoredAt: uint64(block.timestamp),
            anchoredBlock: uint64(block.number),
            finalAt: uint64(block.timestamp + _now(Parameter.ChallengeSeconds)),
            finalBlock: uint64(block.number + _now(Parameter.ChallengeBlocks))
        });
        account_.nextEpoch = root.epoch + 1;
        account_.pots += root.pot;

        emit Anchored(root.gateway, root.epoch, digest, root, signature, stored);
    }

    function digestOf(address gateway, uint64 epoch) external view returns (bytes32) {
        return _anchors[gateway][epoch].digest;
    }

    /// @notice Zeros while there is no root.
    function anchorOf(address gateway, uint64 epoch) external view returns (Anchor memory) {
        return _anchors[gateway][epoch];
    }

    function account(address gateway) external view returns (Account memory) {
        return _accounts[gateway];
    }

    function fundsOf(address gateway) external view returns (uint128) {
        return _accounts[gateway].funds;
    }

    /// @notice Whether roots of this epoch were voided by a conviction.
    function isVoid(address gateway, uint64 epoch) public view returns (bool) {
        uint64 voidFrom = _accounts[gateway].voidFrom;
        return voidFrom != 0 && epoch >= voidFrom - 1;
    }

    function _requireStanding(LeafProof calldata proof) internal view {
        EpochRoot calldata root = proof.root;
        bool anchored = root.hash() == _anchors[root.gateway][root.epoch].digest;
        require(anchored, NotAnchored(root.gateway, root.epoch));
        require(!isVoid(root.gateway, root.epoch), RootVoid(root.gateway, root.epoch));
        require(Receipts.includes(root, proof.leaf, Receipts.hash(proof.leaf), proof.inclusion), NotIncluded());
    }

    function _requireFinal(EpochRoot calldata root) internal view {
        Anchor storage found = _anchors[root.gateway][root.epoch];
        (uint64 finalAt, uint64 finalBlock) = (found.finalAt, found.finalBlock);
        require(block.timestamp >= finalAt && block.number >= finalBlock, ChallengeOpen(finalAt, finalBlock));
    }

    function _checkBond(address gateway) private view {
        uint128 bond = _bondStaying(gateway);
        uint256 minimum = _now(Parameter.MinimumBond);
        require(bond >= minimum, BondTooLow(bond, minimum));
    }

    function _checkStored(bytes32 blobId, StoredSignature[] calldata stored) private view {
        address last = address(0);
        for (uint256 i = 0; i < stored.length; ++i) {
            address archive = stored[i].archive;
            require(archive > last, ArchivesNotAscending(archive));
            require(registry.isActive(Role.Archive, archive), ArchiveNotActive(archive));
            bytes32 digest = _hashTypedDataV4(Receipts.storedHash(archive, blobId));
            require(Signatures.byKey(archive, digest, stored[i].signature), WrongStoredSignature(archive));
            last = archive;
        }
        uint256 quorum = _now(Parameter.StoredQuorum);
        require(stored.length >= quorum, QuorumNotReached(stored.length, quorum));
    }
}
