// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BPS} from "./Types.sol";

struct Terms {
    uint128 inPrice;
    uint128 outPrice;
    address[] payees;
    uint16[] bps;
}

/// @title What creators ask for their models, and who shares it
/// @notice A version never changes: a receipt names the version it was priced by, and is paid by that version's table.
contract Listings {
    error UnknownListing(bytes32 listingId, uint32 version);
    error OnlyOwner(address owner, address caller);
    error WrongPayeeCount(uint256 payees, uint256 shares);
    error ZeroPayee();
    error ZeroShare();
    error SplitNotWhole(uint256 sum);

    event Listed(
        bytes32 indexed listingId,
        uint32 version,
        address indexed owner,
        bytes32 modelId,
        uint128 inPrice,
        uint128 outPrice,
        address[] payees,
        uint16[] bps
    );

    struct Payee {
        address account;
        uint16 bps;
    }

    struct Version {
        uint128 inPrice;
        uint128 outPrice;
        Payee[] payees;
    }

    struct Listing {
        address owner;
        uint32 version;
        bytes32 modelId;
    }

    uint256 private constant MAX_PAYEES = 16;

    uint256 public count;

    mapping(bytes32 listingId => Listing) private _listings;
    mapping(bytes32 listingId => mapping(uint32 version => Version)) private _versions;

    /// @notice Lists a model at a creator's price per 10^6 tokens. The shares are basis points and sum to 10,000.
    function list(bytes32 modelId, uint128 inPrice, uint128 outPrice, address[] calldata payees, uint16[] calldata bps)
        external
        returns (bytes32 listingId)
    {
        listingId = keccak256(abi.encode(block.chainid, address(this), ++count));
        _checkSplit(payees, bps);

        _listings[listingId] = Listing({owner: msg.sender, version: 1, modelId: modelId});
        _store(listingId, 1, inPrice, outPrice, payees, bps);

        emit Listed(listingId, 1, msg.sender, modelId, inPrice, outPrice, payees, bps);
    }

    /// @notice Adds a version. The older ones stay payable.
    function revise(
        bytes32 listingId,
        uint128 inPrice,
        uint128 outPrice,
        address[] calldata payees,
        uint16[] calldata bps
    ) external returns (uint32 version) {
        Listing storage listing_ = _listings[listingId];
        require(listing_.version != 0, UnknownListing(listingId, 0));
        require(msg.sender == listing_.owner, OnlyOwner(listing_.owner, msg.sender));
        _checkSplit(payees, bps);

        version = ++listing_.version;
        _store(listingId, version, inPrice, outPrice, payees, bps);

        emit Listed(listingId, version, msg.sender, listing_.modelId, inPrice, outPrice, payees, bps);
    }

    function listing(bytes32 listingId) external view returns (Listing memory) {
        return _listings[listingId];
    }

    function terms(bytes32 listingId, uint32 version) external view returns (Terms memory found) {
        Version storage stored = _versions[listingId][version];
        uint256 length = stored.payees.length;
        require(length != 0, UnknownListing(listingId, version));
        found = Terms(stored.inPrice, stored.outPrice, new address[](length), new uint16[](length));
        for (uint256 i = 0; i < length; ++i) {
            Payee memory payee = stored.payees[i];
            (found.payees[i], found.bps[i]) = (payee.account, payee.bps);
        }
    }

    function _store(
        bytes32 listingId,
        uint32 version,
        uint128 inPrice,
        uint128 outPrice,
        address[] calldata payees,
        uint16[] calldata bps
    ) private {
        Version storage stored = _versions[listingId][version];
        (stored.inPrice, stored.outPrice) = (inPrice, outPrice);
        for (uint256 i = 0; i < payees.length; ++i) {
            stored.payees.push(Payee(payees[i], bps[i]));
        }
    }

    function _checkSplit(address[] calldata payees, uint16[] calldata bps) private pure {
        bool fits = payees.length == bps.length && payees.length != 0 && payees.length <= MAX_PAYEES;
        require(fits, WrongPayeeCount(payees.length, bps.length));
        uint256 sum = 0;
        for (uint256 i = 0; i < payees.length; ++i) {
            require(payees[i] != address(0), ZeroPayee());
            require(bps[i] != 0, ZeroShare());
            sum += bps[i];
        }
        require(sum == BPS, SplitNotWhole(sum));
    }
}
