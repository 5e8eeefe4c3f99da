// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// The messages that more than one contract reads, field for field as they are signed (EIP-712).

/// @dev `Previous` of a party's first leaf in a lane: there is none before it.
uint128 constant NO_PREVIOUS = type(uint128).max;

uint256 constant BPS = 10_000;

/// @dev Payers that one case can order to be refunded.
uint256 constant MAX_REFUNDS = 16;

/// @dev Gateways from which one quality root can take releases: at up to 97,000 gas each, well below the 2^24 that a
/// transaction may use.
uint256 constant MAX_RELEASES = 64;

/// @dev What a member takes part as.
enum Role {
    Node,
    Evaluator,
    Gateway,
    Archive
}

/// @dev Whose running total a claim or a challenge speaks of. `Payer` is never claimed.
enum Kind {
    Node,
    Listing,
    Gateway,
    Protocol,
    Payer
}

struct Parties {
    bytes32 channelId;
    address payer;
    address gateway;
    address node;
    bytes32 modelId;
    bytes32 listingId;
    uint32 listingVersion;
    address token;
}

struct Place {
    uint64 epoch;
    uint32 lane;
    uint64 sequence;
}

struct Usage {
    uint32 tokensIn;
    uint32 tokensOut;
    uint8 grade;
    uint8 privacy;
    uint32 flags;
    uint32 ttftMs;
    uint32 totalMs;
    uint64 servedAt;
}

struct Shares {
    uint128 fee;
    uint128 node;
    uint128 listing;
    uint128 protocol;
    uint128 gateway;
}

struct Totals {
    uint128 payer;
    uint128 node;
    uint128 listing;
    uint128 protocol;
    uint128 gateway;
}

/// @dev Each is a place in the same lane, `epoch << 64 | sequence`, or NO_PREVIOUS.
struct Previous {
    uint128 payer;
    uint128 node;
    uint128 listing;
}

struct Hashes {
    bytes32 request;
    bytes32 route;
    bytes32 wire;
    bytes32 label;
}

/// @dev The whole receipt. No contract takes it as an argument; it is here as the definition that `Leaf` abridges.
struct InferenceReceipt {
    bytes32 requestId;
    bytes32 parentReceipt;
    bytes32 nodeReceiptHash;
    Parties parties;
    Place place;
    Usage usage;
    Shares shares;
    Totals totals;
    Previous previous;
    Hashes hashes;
}

/// @dev A receipt with the two groups that settlement never reads given as their struct hashes.
struct Leaf {
    bytes32 requestId;
    bytes32 parentReceipt;
    bytes32 nodeReceiptHash;
    Parties parties;
    Place place;
    bytes32 usageHash;
    Shares shares;
    Totals totals;
    Previous previous;
    bytes32 hashesHash;
}

/// @dev `previous` is the struct hash of the gateway's last root for that token, zero for the first.
struct EpochRoot {
    address gateway;
    uint64 epoch;
    address token;
    bytes32 recordsRoot;
    uint32 laneCount;
    bytes32 blobId;
    uint128 pot;
    bytes32 previous;
}

/// @dev A sibling in a Merkle sum tree.
struct Step {
    bytes32 hash;
    uint128 sum;
}

/// @dev From a leaf to `recordsRoot`: up its lane's tree of `count` leaves, then up the tree of lanes.
struct Inclusion {
    uint64 count;
    Step[] recordPath;
    Step[] lanePath;
}

struct LeafProof {
    EpochRoot root;
    Leaf leaf;
    Inclusion inclusion;
}

/// @dev What stands at a lane's index in the tree of lanes. Lane `i` stands at index `i`; a lane that wrote nothing
/// in an epoch has count 0, root 0, fees 0.
struct LaneLeaf {
    uint32 lane;
    uint64 count;
    bytes32 root;
    uint128 fees;
}

struct LaneProof {
    EpochRoot root;
    uint32 index;
    LaneLeaf laneLeaf;
    Step[] lanePath;
}

/// @dev One signature over many struct hashes. All sums of this tree are zero, so a path is hashes alone.
struct Seal {
    uint64 index;
    uint64 count;
    bytes32[] path;
    bytes signature;
}

struct StoredSignature {
    address archive;
    bytes signature;
}

struct ChannelConfig {
    address payer;
    address payerAuthorizer;
    address receiver;
    address receiverAuthorizer;
    address token;
    uint40 withdrawDelay;
    bytes32 salt;
}

struct Voucher {
    bytes32 channelId;
    uint128 maxClaimableAmount;
}

/// @dev A payer's order, when it signs itself. Its digest is the id of the request.
struct InferenceRequest {
    bytes32 requestHash;
    address payer;
    bytes32 modelId;
    uint8 grade;
    uint8 privacy;
    uint128 maxFee;
    bytes32 policyHash;
    uint64 nonce;
    uint64 deadline;
    address gateway;
}

/// @dev A gateway's order to a node.
struct Dispatch {
    bytes32 requestId;
    bytes32 forwardedHash;
    address gateway;
    address node;
    bytes32 modelId;
    bytes32 modelDigest;
    address token;
    uint128 inPrice;
    uint128 outPrice;
    uint64 seed;
    uint64 nonce;
    uint64 deadline;
    bytes32 configHash;
    bytes32 lastReceipt;
}

/// @dev What a node says it did. It knows neither the fee nor the wire, so it signs only its part.
struct NodeReceipt {
    bytes32 dispatchHash;
    bytes32 outputHash;
    bytes32 evidenceHash;
    uint32 tokensIn;
    uint32 tokensOut;
}
