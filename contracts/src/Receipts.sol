// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    ChannelConfig,
    Dispatch,
    EpochRoot,
    Hashes,
    InferenceRequest,
    Inclusion,
    Kind,
    LaneLeaf,
    Leaf,
    NodeReceipt,
    Parties,
    Place,
    Previous,
    Shares,
    Step,
    Totals,
    Usage
} from "./Types.sol";
import {MerkleSum} from "./MerkleSum.sol";

/// @title EIP-712 struct hashes, and how a leaf is read
library Receipts {
    error NoSuchParty(Kind kind);

    bytes32 internal constant PARTIES_TYPEHASH = keccak256(
        "Parties(bytes32 channelId,address payer,address gateway,address node,bytes32 modelId,bytes32 listingId,"
        "uint32 listingVersion,address token)"
    );
    bytes32 internal constant PLACE_TYPEHASH = keccak256("Place(uint64 epoch,uint32 lane,uint64 sequence)");
    bytes32 internal constant SHARES_TYPEHASH =
        keccak256("Shares(uint128 fee,uint128 node,uint128 listing,uint128 protocol,uint128 gateway)");
    bytes32 internal constant TOTALS_TYPEHASH =
        keccak256("Totals(uint128 payer,uint128 node,uint128 listing,uint128 protocol,uint128 gateway)");
    bytes32 internal constant PREVIOUS_TYPEHASH = keccak256("Previous(uint128 payer,uint128 node,uint128 listing)");
    bytes32 internal constant RECEIPT_TYPEHASH = keccak256(
        "InferenceReceipt(bytes32 requestId,bytes32 parentReceipt,bytes32 nodeReceiptHash,Parties parties,Place place,"
        "Usage usage,Shares shares,Totals totals,Previous previous,Hashes hashes)"
        "Hashes(bytes32 request,bytes32 route,bytes32 wire,bytes32 label)"
        "Parties(bytes32 channelId,address payer,address gateway,address node,bytes32 modelId,bytes32 listingId,"
        "uint32 listingVersion,address token)" "Place(uint64 epoch,uint32 lane,uint64 sequence)"
        "Previous(uint128 payer,uint128 node,uint128 listing)"
        "Shares(uint128 fee,uint128 node,uint128 listing,uint128 protocol,uint128 gateway)"
        "Totals(uint128 payer,uint128 node,uint128 listing,uint128 protocol,uint128 gateway)"
        "Usage(uint32 tokensIn,uint32 tokensOut,uint8 grade,uint8 privacy,uint32 flags,uint32 ttftMs,uint32 totalMs,"
        "uint64 servedAt)"
    );
    bytes32 internal constant USAGE_TYPEHASH = keccak256(
        "Usage(uint32 tokensIn,uint32 tokensOut,uint8 grade,uint8 privacy,uint32 flags,uint32 ttftMs,uint32 totalMs,"
        "uint64 servedAt)"
    );
    bytes32 internal constant HASHES_TYPEHASH =
        keccak256("Hashes(bytes32 request,bytes32 route,bytes32 wire,bytes32 label)");
    bytes32 internal constant NODE_RECEIPT_TYPEHASH = keccak256(
        "NodeReceipt(bytes32 dispatchHash,bytes32 outputHash,bytes32 evidenceHash,uint32 tokensIn,uint32 tokensOut)"
    );
    bytes32 internal constant DISPATCH_TYPEHASH = keccak256(
        "Dispatch(bytes32 requestId,bytes32 forwardedHash,address gateway,address node,bytes32 modelId,"
        "bytes32 modelDigest,address token,uint128 inPrice,uint128 outPrice,uint64 seed,uint64 nonce,uint64 deadline,"
        "bytes32 configHash,bytes32 lastReceipt)"
    );
    bytes32 internal constant REQUEST_TYPEHASH = keccak256(
        "InferenceRequest(bytes32 requestHash,address payer,bytes32 modelId,uint8 grade,uint8 privacy,uint128 maxFee,"
        "bytes32 policyHash,uint64 nonce,uint64 deadline,address gateway)"
    );
    bytes32 internal constant EPOCH_ROOT_TYPEHASH = keccak256(
        "EpochRoot(address gateway,uint64 epoch,address token,bytes32 recordsRoot,uint32 laneCount,bytes32 blobId,"
        "uint128 pot,bytes32 previous)"
    );
    bytes32 internal constant STORED_TYPEHASH = keccak256("Stored(address archive,bytes32 blobId)");
    bytes32 internal constant BATCH_TYPEHASH = keccak256("Batch(bytes32 root)");
    bytes32 internal constant CHANNEL_CONFIG_TYPEHASH = keccak256(
        "ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,"
        "uint40 withdrawDelay,bytes32 salt)"
    );
    bytes32 internal constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)");

    // A struct of fixed-size fields encodes for the ABI exactly as EIP-712 wants it: each field in its own word.

    function hash(Leaf calldata leaf) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                RECEIPT_TYPEHASH,
                leaf.requestId,
                leaf.parentReceipt,
                leaf.nodeReceiptHash,
                keccak256(abi.encode(PARTIES_TYPEHASH, leaf.parties)),
                keccak256(abi.encode(PLACE_TYPEHASH, leaf.place)),
                leaf.usageHash,
                keccak256(abi.encode(SHARES_TYPEHASH, leaf.shares)),
                keccak256(abi.encode(TOTALS_TYPEHASH, leaf.totals)),
                keccak256(abi.encode(PREVIOUS_TYPEHASH, leaf.previous)),
                leaf.hashesHash
            )
        );
    }

    function hash(Usage calldata usage) internal pure returns (bytes32) {
        return keccak256(abi.encode(USAGE_TYPEHASH, usage));
    }

    function hash(Hashes calldata hashes) internal pure returns (bytes32) {
        return keccak256(abi.encode(HASHES_TYPEHASH, hashes));
    }

    function hash(NodeReceipt calldata nodeReceipt) internal pure returns (bytes32) {
        return keccak256(abi.encode(NODE_RECEIPT_TYPEHASH, nodeReceipt));
    }

    function hash(Dispatch calldata dispatch) internal pure returns (bytes32) {
        return keccak256(abi.encode(DISPATCH_TYPEHASH, dispatch));
    }

    function hash(InferenceRequest calldata request) internal pure returns (bytes32) {
        return keccak256(abi.encode(REQUEST_TYPEHASH, request));
    }

    function hash(EpochRoot calldata root) internal pure returns (bytes32) {
        return keccak256(abi.encode(EPOCH_ROOT_TYPEHASH, root));
    }

    function hash(ChannelConfig calldata config) internal pure returns (bytes32) {
        return keccak256(abi.encode(CHANNEL_CONFIG_TYPEHASH, config));
    }

    function storedHash(address archive, bytes32 blobId) internal pure returns (bytes32) {
        return keccak256(abi.encode(STORED_TYPEHASH, archive, blobId));
    }

    function voucherHash(bytes32 channelId, uint128 maxClaimableAmount) internal pure returns (bytes32) {
        return keccak256(abi.encode(VOUCHER_TYPEHASH, channelId, maxClaimableAmount));
    }

    function batchHash(bytes32 root) internal pure returns (bytes32) {
        return keccak256(abi.encode(BATCH_TYPEHASH, root));
    }

    /// @notice Whether the tree behind `root` holds the leaf at its place, and every sum on the way adds up to the pot.
    function includes(EpochRoot calldata root, Leaf calldata leaf, bytes32 leafHash, Inclusion calldata inclusion)
        internal
        pure
        returns (bool)
    {
        if (leaf.place.epoch != root.epoch || leaf.parties.gateway != root.gateway) return false;
        if (leaf.parties.token != root.token) return false;
        (bytes32 records, uint256 sum) = recordsRoot(
            MerkleSum.leaf(leafHash, leaf.shares.fee), leaf.shares.fee, leaf.place, root.laneCount, inclusion
        );
        return records == root.recordsRoot && sum == root.pot;
    }

    /// @notice Climbs from a lane's node at `place.sequence` to the tree of lanes' root, taking the lane's fees to be
    /// what its own tree proves.
    function recordsRoot(
        bytes32 node,
        uint256 sum,
        Place calldata place,
        uint32 laneCount,
        Inclusion calldata inclusion
    ) internal pure returns (bytes32, uint256) {
        (bytes32 laneRoot, uint256 fees) = MerkleSum.climb(
            node, sum, place.sequence, inclusion.count, inclusion.recordPath
        );
        require(fees <= type(uint128).max, MerkleSum.SumOverflow());
        LaneLeaf memory lane = LaneLeaf(place.lane, inclusion.count, laneRoot, uint128(fees));
        return MerkleSum.climb(
            MerkleSum.leaf(MerkleSum.laneHash(lane), lane.fees), fees, place.lane, laneCount, inclusion.lanePath
        );
    }

    /// @notice A leaf's place in its lane, packed as `Previous` packs it.
    function packed(Place calldata place) internal pure returns (uint128) {
        return (uint128(place.epoch) << 64) | place.sequence;
    }

    /// @notice Names the party whose total a leaf carries under `kind`. Zero for the protocol, which is one.
    function partyKey(Parties calldata parties, Kind kind) internal pure returns (bytes32) {
        if (kind == Kind.Node) return bytes32(uint256(uint160(parties.node)));
        if (kind == Kind.Listing) {
            require(parties.listingId != bytes32(0), NoSuchParty(kind));
            return keccak256(abi.encode(parties.listingId, parties.listingVersion));
        }
        if (kind == Kind.Gateway) return bytes32(uint256(uint160(parties.gateway)));
        if (kind == Kind.Payer) return parties.channelId;
        return bytes32(0);
    }

    function totalOf(Totals calldata totals, Kind kind) internal pure returns (uint128) {
        if (kind == Kind.Node) return totals.node;
        if (kind == Kind.Listing) return totals.listing;
        if (kind == Kind.Gateway) return totals.gateway;
        if (kind == Kind.Protocol) return totals.protocol;
        return totals.payer;
    }

    function shareOf(Shares calldata shares, Kind kind) internal pure returns (uint128) {
        if (kind == Kind.Node) return shares.node;
        if (kind == Kind.Listing) return shares.listing;
        if (kind == Kind.Gateway) return shares.gateway;
        if (kind == Kind.Protocol) return shares.protocol;
        return shares.fee;
    }

    /// @dev Gateway and protocol have no `Previous`: every leaf of the lane is theirs.
    function previousOf(Previous calldata previous, Kind kind) internal pure returns (uint128) {
        if (kind == Kind.Node) return previous.node;
        if (kind == Kind.Listing) return previous.listing;
        require(kind == Kind.Payer, NoSuchParty(kind));
        return previous.payer;
    }
}
