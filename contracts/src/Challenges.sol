// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Evidence} from "./Evidence.sol";
import {MerkleSum} from "./MerkleSum.sol";
import {Receipts} from "./Receipts.sol";
import {Registry} from "./Registry.sol";
import {Seals} from "./Seals.sol";
import {Settlement} from "./Settlement.sol";
import {Signatures} from "./Signatures.sol";
import {EpochRoot, Kind, LaneLeaf, LaneProof, Leaf, LeafProof, NO_PREVIOUS, Place, Seal, Step} from "./Types.sol";

/// @dev What stands at a place instead of the leaf that was signed for it. `found` and `recordPath` are read only if the
/// lane is there and long enough.
struct Absence {
    LaneProof lane;
    bytes32 found;
    uint128 foundSum;
    Step[] recordPath;
}

/// @dev A node of a lane's tree, its sum as the tree above it counts it, and the sums up to the pot as they were
/// hashed. At level 0 `left` is the record's struct hash and the other three children's fields are zero.
struct SumTrail {
    uint32 lane;
    uint64 count;
    uint64 index;
    uint8 level;
    bytes32 left;
    uint128 leftSum;
    bytes32 right;
    uint128 rightSum;
    uint128 sum;
    Step[] recordPath;
    uint128 laneFees;
    uint128 laneSum;
    Step[] lanePath;
}

/// @title Evidence against a gateway, decided here
/// @notice Anyone may send it, at any time; it needs no answer. Three more judges decide what takes prices, time or a jury,
/// and convict through here. What a conviction does is Settlement's to carry out.
contract Challenges is Evidence {
    using Receipts for EpochRoot;
    using Receipts for Leaf;
    using Seals for Seal;

    error NotSealed(address gateway);
    error WrongToken(address token);
    error WrongPrediction(address predictedBySettlement);
    error NotAJudge(address caller);

    uint8 private constant OMITTED = 1;
    uint8 private constant DOUBLE = 2;
    uint8 private constant BROKEN_TOTAL = 3;
    uint8 private constant WRONG_POT = 4;

    address public immutable token;
    address public immutable splits;
    address public immutable demands;
    address public immutable cases;

    /// @dev Settlement was given this contract's address before it existed; the registry knows those of two judges.
    /// @param splits_ the address that Splits will have
    constructor(Settlement settlement_, address splits_) Evidence(settlement_) {
        require(settlement_.challenges() == address(this), WrongPrediction(settlement_.challenges()));
        Registry registry = settlement_.registry();
        (token, splits) = (address(settlement_.token()), splits_);
        (demands, cases) = (registry.demands(), registry.cases());
    }

    /// @notice What another judge found: bad splits, withheld records, what a jury decided.
    function convictFor(address gateway, uint64 epoch, uint8 challenge, address reporter) external {
        bool judge = msg.sender == splits || msg.sender == demands || msg.sender == cases;
        require(judge, NotAJudge(msg.sender));

        settlement.convict(gateway, epoch, challenge, reporter);
    }

    /// @notice 1. A receipt that the gateway sealed, and its place in the root is empty, altered or not there. With no
    /// root for its epoch, a root for a later one is evidence enough, and `absence` is not read.
    function proveOmitted(Leaf calldata leaf, Seal calldata seal, Absence calldata absence) external {
        bytes32 leafHash = leaf.hash();
        (address gateway, uint64 epoch) = (leaf.parties.gateway, leaf.place.epoch);
        _requireSealed(leaf, leafHash, seal);
        bool omitted = settlement.digestOf(gateway, epoch) == bytes32(0)
            ? epoch < settlement.account(gateway).nextEpoch
            : _isAbsent(leaf, leafHash, absence);
        require(omitted, NotEvidence());

        _convict(gateway, epoch, OMITTED);
    }

    /// @notice 2. Two receipts sealed for one place.
    function proveDoublePlace(
        Leaf calldata one,
        Seal calldata sealOfOne,
        Leaf calldata other,
        Seal calldata sealOfOther
    ) external {
        (bytes32 hashOfOne, bytes32 hashOfOther) = (one.hash(), other.hash());
        _requireSealed(one, hashOfOne, sealOfOne);
        _requireSealed(other, hashOfOther, sealOfOther);
        bool samePlace = one.parties.gateway == other.parties.gateway && one.place.lane == other.place.lane
            && Receipts.packed(one.place) == Receipts.packed(other.place);
        require(samePlace && hashOfOne != hashOfOther, NotEvidence());

        _convict(one.parties.gateway, one.place.epoch, DOUBLE);
    }

    /// @notice 2. Two roots signed for one epoch, anchored or not.
    function proveTwoRoots(
        EpochRoot calldata one,
        bytes calldata signatureOfOne,
        EpochRoot calldata other,
        bytes calldata signatureOfOther
    ) external {
        (bytes32 hashOfOne, bytes32 hashOfOther) = (one.hash(), other.hash());
        require(one.token == token, WrongToken(one.token));
        bool signed =
            _isSigned(one.gateway, hashOfOne, signatureOfOne) && _isSigned(one.gateway, hashOfOther, signatureOfOther);
        require(signed, NotSealed(one.gateway));
        bool sameEpoch = one.gateway == other.gateway && one.epoch == other.epoch && one.token == other.token;
        require(sameEpoch && hashOfOne != hashOfOther, NotEvidence());

        _convict(one.gateway, one.epoch, DOUBLE);
    }

    /// @notice 3. A total that is not the total at the party's previous leaf plus this leaf's share.
    /// @param earlier that previous leaf; empty where the leaf claims to be the party's first. A gateway's and the
    /// protocol's previous leaf is the one before it in the lane
    /// @param idle for those two, and the first leaf of an epoch: the roots between in which the lane was idle, newest
    /// first
    function proveBrokenTotal(
        Kind kind,
        LeafProof calldata later,
        LeafProof[] calldata earlier,
        LaneProof[] calldata idle
    ) external {
        _requireIncluded(later);
        require(_isBroken(kind, later, earlier, idle), NotEvidence());

        _convict(later.root.gateway, later.root.epoch, BROKEN_TOTAL);
    }

    /// @notice 3. A leaf whose `Previous` names a place that its lane never had. Without a root for that epoch, `lane`
    /// is not read.
    function proveMissingPrevious(Kind kind, LeafProof calldata later, LaneProof calldata lane) external {
        _requireIncluded(later);
        Receipts.partyKey(later.leaf.parties, kind); // a receipt without a listing has no listing's total to break
        uint128 previous = Receipts.previousOf(later.leaf.previous, kind);
        require(previous != NO_PREVIOUS, NotEvidence());
        address gateway = later.root.gateway;
        uint64 epoch = uint64(previous >> 64);
        bool missing = settlement.digestOf(gateway, epoch) == bytes32(0) && epoch < later.root.epoch;
        if (!missing) {
            _requireLane(lane, gateway, epoch, later.leaf.place.lane);
            missing = uint64(previous) >= _leavesIn(lane);
        }
        require(missing, NotEvidence());

        _convict(gateway, later.root.epoch, BROKEN_TOTAL);
    }

    /// @notice 3. A leaf of the same party that lies between a leaf and its `Previous`.
    function proveGap(Kind kind, LeafProof calldata later, LeafProof calldata between) external {
        _requireIncluded(later);
        _requireIncluded(between);
        require(_isBetween(kind, later, between), NotEvidence());

        _convict(later.root.gateway, later.root.epoch, BROKEN_TOTAL);
    }

    /// @notice 4. A sum somewhere between a record and the pot that is not the sum of what lies below it.
    function proveWrongPot(EpochRoot calldata root, SumTrail calldata trail) external {
        _requireAnchored(root);
        require(!_addsUp(root, trail), NotEvidence());

        _convict(root.gateway, root.epoch, WRONG_POT);
    }

    /// @notice 4. A record that the tree counts with another amount than its fee.
    function proveWrongFee(EpochRoot calldata root, Leaf calldata leaf, SumTrail calldata trail) external {
        _requireAnchored(root);
        _addsUp(root, trail);
        bool wrong = trail.level == 0 && trail.left == leaf.hash() && trail.sum != leaf.shares.fee;
        require(wrong, NotEvidence());

        _convict(root.gateway, root.epoch, WRONG_POT);
    }

    function _convict(address gateway, uint64 epoch, uint8 challenge) private {
        settlement.convict(gateway, epoch, challenge, msg.sender);
    }

    function _requireSealed(Leaf calldata leaf, bytes32 leafHash, Seal calldata seal) private view {
        require(leaf.parties.token == token, WrongToken(leaf.parties.token));
        bool sealedByGateway = seal.isBy(leaf.parties.gateway, leafHash, settlement.domainSeparator());
        require(sealedByGateway, NotSealed(leaf.parties.gateway));
    }

    function _isSigned(address signer, bytes32 structHash, bytes calldata signature) private view returns (bool) {
        bytes32 digest = MessageHashUtils.toTypedDataHash(settlement.domainSeparator(), structHash);
        return Signatures.byKey(signer, digest, signature);
    }

    function _requireLane(LaneProof calldata proof, address gateway, uint64 epoch, uint32 lane) private view {
        _requireAnchored(proof.root);
        bool sought = proof.root.gateway == gateway && proof.root.epoch == epoch && proof.index == lane;
        require(sought, NotIncluded());
    }

    function _isAbsent(Leaf calldata leaf, bytes32 leafHash, Absence calldata absence) private view returns (bool) {
        Place calldata place = leaf.place;
        _requireLane(absence.lane, leaf.parties.gateway, place.epoch, place.lane);
        uint64 count = _leavesIn(absence.lane);
        if (place.sequence >= count) return true;
        bytes32 node = MerkleSum.leaf(absence.found, absence.foundSum);
        (bytes32 laneRoot,) = MerkleSum.climb(node, absence.foundSum, place.sequence, count, absence.recordPath);
        require(laneRoot == absence.lane.laneLeaf.root, NotIncluded());
        return absence.found != leafHash || absence.foundSum != leaf.shares.fee;
    }

    function _isBroken(Kind kind, LeafProof calldata later, LeafProof[] calldata earlier, LaneProof[] calldata idle)
        private
        view
        returns (bool)
    {
        uint256 share = Receipts.shareOf(later.leaf.shares, kind);
        uint256 total = Receipts.totalOf(later.leaf.totals, kind);
        (bool first, bool otherParty) = kind == Kind.Gateway || kind == Kind.Protocol
            ? (_followsLane(later, earlier, idle), false)
            : _followsPrevious(kind, later, earlier);
        if (first) return total != share;
        return otherParty || total != Receipts.totalOf(earlier[0].leaf.totals, kind) + share;
    }

    /// @dev Checks that `earlier` is what `Previous` names, or is rightly empty.
    function _followsPrevious(Kind kind, LeafProof calldata later, LeafProof[] calldata earlier)
        private
        view
        returns (bool first, bool otherParty)
    {
        bytes32 party = Receipts.partyKey(later.leaf.parties, kind);
        uint128 previous = Receipts.previousOf(later.leaf.previous, kind);
        if (previous == NO_PREVIOUS) return (true, false);
        if (previous >= Receipts.packed(later.leaf.place)) return (false, true);
        require(earlier.length == 1 && _isInLane(earlier[0], later), NotEvidence());
        require(Receipts.packed(earlier[0].leaf.place) == previous, NotEvidence());
        return (false, Receipts.partyKey(earlier[0].leaf.parties, kind) != party);
    }

    /// @dev Checks that `earlier` is the leaf before `later` in its lane, or that there is none.
    function _followsLane(LeafProof calldata later, LeafProof[] calldata earlier, LaneProof[] calldata idle)
        private
        view
        returns (bool first)
    {
        Place calldata place = later.leaf.place;
        if (place.sequence != 0) {
            require(earlier.length == 1 && _isInLane(earlier[0], later), NotEvidence());
            bool adjacent = Receipts.packed(earlier[0].leaf.place) + 1 == Receipts.packed(place);
            require(adjacent, NotEvidence());
            return false;
        }
        bytes32 rootHash = later.root.previous;
        for (uint256 i = 0; i < idle.length; ++i) {
            bool silent = idle[i].root.hash() == rootHash && idle[i].index == place.lane && _leavesIn(idle[i]) == 0;
            require(silent, NotEvidence());
            rootHash = idle[i].root.previous;
        }
        if (rootHash == bytes32(0)) return true;
        require(earlier.length == 1 && _isInLane(earlier[0], later), NotEvidence());
        bool last =
            earlier[0].root.hash() == rootHash && earlier[0].leaf.place.sequence + 1 == earlier[0].inclusion.count;
        require(last, NotEvidence());
        return false;
    }

    function _isBetween(Kind kind, LeafProof calldata later, LeafProof calldata between) private pure returns (bool) {
        uint128 previous = Receipts.previousOf(later.leaf.previous, kind);
        uint128 place = Receipts.packed(between.leaf.place);
        bool sameLane = later.root.gateway == between.root.gateway && later.leaf.place.lane == between.leaf.place.lane;
        bool sameParty = Receipts.partyKey(later.leaf.parties, kind) == Receipts.partyKey(between.leaf.parties, kind);
        return sameLane && sameParty && place < Receipts.packed(later.leaf.place)
            && (previous == NO_PREVIOUS || previous < place);
    }

    function _isInLane(LeafProof calldata earlier, LeafProof calldata later) private view returns (bool) {
        _requireIncluded(earlier);
        return earlier.root.gateway == later.root.gateway && earlier.leaf.place.lane == later.leaf.place.lane;
    }

    /// @dev Every sum here is bound by a hash: the node's by its parent, or by its own hash at level 0. The top of a
    /// lane's tree has no parent, so its sum must be its children's, and is then held against the lane's fees.
    function _addsUp(EpochRoot calldata root, SumTrail calldata trail) private pure returns (bool) {
        uint256 below = trail.level == 0 ? trail.sum : uint256(trail.leftSum) + trail.rightSum;
        uint256 counted = trail.level != 0 && trail.recordPath.length == 0 ? below : trail.sum;
        (bytes32 laneRoot, uint256 fees) = MerkleSum.climb(
            _trailStart(trail), counted, trail.index, MerkleSum.widthAt(trail.count, trail.level), trail.recordPath
        );
        bytes32 lane = MerkleSum.laneHash(LaneLeaf(trail.lane, trail.count, laneRoot, trail.laneFees));
        (bytes32 records, uint256 pot) = MerkleSum.climb(
            MerkleSum.leaf(lane, trail.laneSum), trail.laneSum, trail.lane, root.laneCount, trail.lanePath
        );
        require(records == root.recordsRoot, NotIncluded());
        return below == counted && fees == trail.laneFees && trail.laneFees == trail.laneSum && pot == root.pot;
    }

    function _trailStart(SumTrail calldata trail) private pure returns (bytes32) {
        if (trail.level == 0) return MerkleSum.leaf(trail.left, trail.sum);
        return MerkleSum.inner(trail.left, trail.leftSum, trail.right, trail.rightSum);
    }
}
