// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    EpochRoot,
    Inclusion,
    Kind,
    LaneLeaf,
    LaneProof,
    Leaf,
    LeafProof,
    NO_PREVIOUS,
    Parties,
    Place,
    Previous,
    Seal,
    Shares,
    Step,
    Totals
} from "../src/Types.sol";
import {Exposed} from "./Exposed.sol";
import {Trees} from "./Trees.sol";
import {vm} from "./Vm.sol";

/// @dev What a test says of a request; the book knows the rest.
struct Bill {
    uint32 lane;
    bytes32 channelId;
    address payer;
    address node;
    bytes32 listingId;
    uint32 version;
    uint128 toNode;
    uint128 toListing;
    uint128 toProtocol;
    uint128 toGateway;
}

/// @notice A gateway's records: writes leaves with true places and totals, closes epochs, proves and seals. It can be
/// made to lie by amending a leaf before its epoch is closed.
contract Book {
    using Trees for Step[];

    address public immutable gateway;
    address public immutable token;
    uint256 private immutable _key;
    bytes32 private immutable _domain;
    Exposed private immutable _exposed;

    uint64 public epoch;
    bytes32 public lastDigest;
    uint32 public lanes = 1;

    mapping(uint64 epoch => mapping(uint32 lane => Leaf[])) private _leaves;
    mapping(uint64 epoch => EpochRoot) private _roots;
    mapping(uint64 epoch => mapping(uint32 lane => LaneLeaf)) private _laneLeaves;
    mapping(bytes32 party => uint128) private _totals;
    mapping(bytes32 party => uint128) private _previousPlusOne;

    constructor(uint256 key, address token_, bytes32 domain, Exposed exposed) {
        (_key, gateway, token, _domain, _exposed) = (key, vm.addr(key), token_, domain, exposed);
    }

    function write(Bill memory bill) public returns (Leaf memory leaf) {
        if (bill.lane >= lanes) lanes = bill.lane + 1;
        leaf.requestId = keccak256(abi.encode(gateway, epoch, bill.lane, _leaves[epoch][bill.lane].length));
        leaf.nodeReceiptHash = keccak256("node receipt");
        leaf.usageHash = keccak256("usage");
        leaf.hashesHash = keccak256("hashes");
        leaf.parties = Parties(
            bill.channelId, bill.payer, gateway, bill.node, keccak256("dgrid-nano"), bill.listingId, bill.version, token
        );
        leaf.place = Place(epoch, bill.lane, uint64(_leaves[epoch][bill.lane].length));
        uint128 fee = bill.toNode + bill.toListing + bill.toProtocol + bill.toGateway;
        leaf.shares = Shares(fee, bill.toNode, bill.toListing, bill.toProtocol, bill.toGateway);
        _continue(leaf, bill);
        _leaves[epoch][bill.lane].push(leaf);
    }

    /// @notice Puts another leaf in a place of the open epoch.
    function amend(Leaf memory leaf) external {
        _leaves[leaf.place.epoch][leaf.place.lane][leaf.place.sequence] = leaf;
    }

    /// @notice Takes the lane's last leaf out of the open epoch.
    function drop(uint32 lane) external {
        _leaves[epoch][lane].pop();
    }

    function moveTo(uint64 epoch_) external {
        epoch = epoch_;
    }

    /// @notice Builds the open epoch's root and opens the next epoch.
    function close() external returns (EpochRoot memory root) {
        Step[] memory level = new Step[](lanes);
        for (uint32 lane = 0; lane < lanes; ++lane) {
            level[lane] = _closeLane(lane);
        }
        Step memory top = level.rootOf();
        bytes32 blob = keccak256(abi.encode("blob", gateway, epoch));
        root = EpochRoot(gateway, epoch, token, top.hash, lanes, blob, top.sum, lastDigest);
        commit(root);
    }

    /// @notice Takes a root as it is, true or not, and opens the next epoch.
    function commit(EpochRoot memory root) public {
        _roots[root.epoch] = root;
        lastDigest = _exposed.hash(root);
        epoch = root.epoch + 1;
    }

    function rootAt(uint64 epoch_) external view returns (EpochRoot memory) {
        return _roots[epoch_];
    }

    function leafAt(uint64 epoch_, uint32 lane, uint64 sequence) public view returns (Leaf memory) {
        return _leaves[epoch_][lane][sequence];
    }

    function countAt(uint64 epoch_, uint32 lane) public view returns (uint64) {
        return uint64(_leaves[epoch_][lane].length);
    }

    function proof(uint64 epoch_, uint32 lane, uint64 sequence) public view returns (LeafProof memory) {
        Inclusion memory inclusion = Inclusion(
            countAt(epoch_, lane), recordLevel(epoch_, lane).pathOf(sequence), laneLevel(epoch_).pathOf(lane)
        );
        return LeafProof(_roots[epoch_], leafAt(epoch_, lane, sequence), inclusion);
    }

    function laneProof(uint64 epoch_, uint32 lane) external view returns (LaneProof memory) {
        EpochRoot memory root = _roots[epoch_];
        if (lane >= root.laneCount) return LaneProof(root, lane, LaneLeaf(0, 0, 0, 0), new Step[](0));
        return LaneProof(root, lane, _laneLeaves[epoch_][lane], laneLevel(epoch_).pathOf(lane));
    }

    function recordLevel(uint64 epoch_, uint32 lane) public view returns (Step[] memory level) {
        Leaf[] storage leaves = _leaves[epoch_][lane];
        level = new Step[](leaves.length);
        for (uint256 i = 0; i < level.length; ++i) {
            level[i] = Trees.leafOf(_exposed.hash(leaves[i]), leaves[i].shares.fee);
        }
    }

    function laneLevel(uint64 epoch_) public view returns (Step[] memory level) {
        level = new Step[](_roots[epoch_].laneCount);
        for (uint32 lane = 0; lane < level.length; ++lane) {
            LaneLeaf memory found = _laneLeaves[epoch_][lane];
            level[lane] = Trees.leafOf(_exposed.laneHash(found), found.fees);
        }
    }

    /// @notice Seals one leaf among `others` unrelated messages.
    function seal(Leaf memory leaf, uint256 others) external view returns (Seal memory) {
        Step[] memory level = new Step[](others + 1);
        for (uint256 i = 0; i < others; ++i) {
            level[i] = Trees.leafOf(keccak256(abi.encode("other", i)), 0);
        }
        level[others] = Trees.leafOf(_exposed.hash(leaf), 0);
        bytes32 batch = keccak256(abi.encode(keccak256("Batch(bytes32 root)"), level.rootOf().hash));
        return Seal(uint64(others), uint64(others + 1), level.pathOf(others).hashesOf(), sign(batch));
    }

    function seal(Leaf memory leaf) external view returns (Seal memory) {
        return this.seal(leaf, 0);
    }

    function signRoot(EpochRoot memory root) external view returns (bytes memory) {
        return sign(_exposed.hash(root));
    }

    function sign(bytes32 structHash) public view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_key, keccak256(abi.encodePacked(hex"1901", _domain, structHash)));
        return abi.encodePacked(r, s, v);
    }

    function _closeLane(uint32 lane) private returns (Step memory) {
        LaneLeaf memory found = LaneLeaf(lane, countAt(epoch, lane), bytes32(0), 0);
        if (found.count != 0) {
            Step memory top = recordLevel(epoch, lane).rootOf();
            (found.root, found.fees) = (top.hash, top.sum);
        }
        _laneLeaves[epoch][lane] = found;
        return Trees.leafOf(_exposed.laneHash(found), found.fees);
    }

    function _continue(Leaf memory leaf, Bill memory bill) private {
        Shares memory shares = leaf.shares;
        uint32 lane = bill.lane;
        uint128 place = (uint128(epoch) << 64) | leaf.place.sequence;
        bytes32 listing = keccak256(abi.encode(bill.listingId, bill.version));
        bool listed = bill.listingId != bytes32(0);
        Previous memory previous;
        Totals memory totals;
        (totals.payer, previous.payer) = _add(keccak256(abi.encode(lane, "payer", bill.channelId)), shares.fee, place);
        (totals.node, previous.node) = _add(keccak256(abi.encode(lane, "node", bill.node)), shares.node, place);
        (totals.listing, previous.listing) =
            listed ? _add(keccak256(abi.encode(lane, "listing", listing)), shares.listing, place) : (0, NO_PREVIOUS);
        (totals.protocol,) = _add(keccak256(abi.encode(lane, "protocol")), shares.protocol, place);
        (totals.gateway,) = _add(keccak256(abi.encode(lane, "gateway")), shares.gateway, place);
        (leaf.totals, leaf.previous) = (totals, previous);
    }

    function _add(bytes32 party, uint128 share, uint128 place) private returns (uint128 total, uint128 previous) {
        uint128 before = _previousPlusOne[party];
        previous = before == 0 ? NO_PREVIOUS : before - 1;
        total = _totals[party] + share;
        (_totals[party], _previousPlusOne[party]) = (total, place + 1);
    }
}
