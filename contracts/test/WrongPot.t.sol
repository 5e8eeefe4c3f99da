// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SumTrail} from "../src/Challenges.sol";
import {EpochRoot, LaneLeaf, LaneProof, Leaf, Step} from "../src/Types.sol";
import {ChallengeWorld} from "./ChallengeWorld.sol";
import {Trees} from "./Trees.sol";
import {vm} from "./Vm.sol";

/// @notice Sums that are not the sums below them.
contract WrongPotTest is ChallengeWorld {
    using Trees for Step[];

    /// @dev The trail of an honest tree, from the node at `level` and `index` of a lane.
    function _trail(uint64 epoch, uint32 lane, uint8 level, uint64 index) private view returns (SumTrail memory trail) {
        Step[] memory nodes = book.recordLevel(epoch, lane);
        LaneProof memory laneProof = book.laneProof(epoch, lane);
        trail.lane = lane;
        trail.count = uint64(nodes.length);
        (trail.index, trail.level) = (index, level);
        Step[] memory below;
        for (uint8 i = 0; i < level; ++i) {
            (below, nodes) = (nodes, nodes.parents());
        }
        trail.sum = nodes[index].sum;
        trail.recordPath = nodes.pathOf(index);
        (trail.laneFees, trail.laneSum) = (laneProof.laneLeaf.fees, laneProof.laneLeaf.fees);
        trail.lanePath = laneProof.lanePath;
        if (level == 0) {
            trail.left = exposed.hash(book.leafAt(epoch, lane, index));
            return trail;
        }
        (trail.left, trail.leftSum) = (below[2 * index].hash, below[2 * index].sum);
        (trail.right, trail.rightSum) = (below[2 * index + 1].hash, below[2 * index + 1].sum);
    }

    function _anchorLie(EpochRoot memory root) private {
        book.commit(root);
        _anchor(root);
    }

    function test_a_pot_above_the_sum_convicts() public {
        book.write(_bill(node, 7e18));
        book.write(_bill(node, 8e18));
        EpochRoot memory root = book.close();
        root.pot += 1;
        SumTrail memory trail = _trail(0, 0, 0, 1);
        _anchorLie(root);
        _expectConvicted(0, POT);
        challenges.proveWrongPot(root, trail);
        _assertConvicted(0);
    }

    function test_lane_fees_that_are_not_the_lanes_sum_convict() public {
        book.write(_bill(node, 7e18));
        book.write(_bill(node, 8e18));
        EpochRoot memory root = book.close();
        LaneLeaf memory lane = book.laneProof(0, 0).laneLeaf;
        lane.fees += 5;
        Step memory leaf = Trees.leafOf(exposed.laneHash(lane), lane.fees);
        (root.recordsRoot, root.pot) = (leaf.hash, leaf.sum);
        SumTrail memory trail = _trail(0, 0, 0, 0);
        (trail.laneFees, trail.laneSum) = (lane.fees, lane.fees);
        _anchorLie(root);
        _expectConvicted(0, POT);
        challenges.proveWrongPot(root, trail);
        _assertConvicted(0);
    }

    function test_a_lane_counted_with_another_sum_than_its_fees_convicts() public {
        book.write(_bill(node, 7e18));
        EpochRoot memory root = book.close();
        LaneLeaf memory lane = book.laneProof(0, 0).laneLeaf;
        Step memory leaf = Trees.leafOf(exposed.laneHash(lane), lane.fees + 5);
        (root.recordsRoot, root.pot) = (leaf.hash, leaf.sum);
        SumTrail memory trail = _trail(0, 0, 0, 0);
        trail.laneSum = lane.fees + 5;
        _anchorLie(root);
        _expectConvicted(0, POT);
        challenges.proveWrongPot(root, trail);
        _assertConvicted(0);
    }

    /// @dev Four leaves; the tree above counts the left pair with one unit more than it holds.
    function _brokenPair() private returns (EpochRoot memory root, SumTrail memory trail) {
        for (uint256 i = 0; i < 4; ++i) {
            book.write(_bill(node, 7e18));
        }
        root = book.close();
        Step[] memory pairs = book.recordLevel(0, 0).parents();
        trail = _trail(0, 0, 1, 0);
        pairs[0].sum += 1;
        trail.sum = pairs[0].sum;
        Step memory top = pairs.rootOf();
        LaneLeaf memory lane = LaneLeaf(0, 4, top.hash, top.sum);
        root.recordsRoot = Trees.leafOf(exposed.laneHash(lane), lane.fees).hash;
        (root.pot, trail.laneFees, trail.laneSum) = (lane.fees, lane.fees, lane.fees);
    }

    function test_a_pair_counted_with_another_sum_convicts() public {
        (EpochRoot memory root, SumTrail memory trail) = _brokenPair();
        _anchorLie(root);
        _expectConvicted(0, POT);
        challenges.proveWrongPot(root, trail);
        _assertConvicted(0);
    }

    function test_a_record_counted_with_another_amount_than_its_fee_convicts() public {
        Leaf memory signed = book.write(_bill(node, 7e18));
        EpochRoot memory root = book.close();
        uint128 counted = signed.shares.fee + 3;
        Step memory leaf = Trees.leafOf(exposed.hash(signed), counted);
        LaneLeaf memory lane = LaneLeaf(0, 1, leaf.hash, counted);
        root.recordsRoot = Trees.leafOf(exposed.laneHash(lane), counted).hash;
        root.pot = counted;
        SumTrail memory trail = _trail(0, 0, 0, 0);
        (trail.sum, trail.laneFees, trail.laneSum) = (counted, counted, counted);
        _anchorLie(root);
        _expectNoEvidence();
        challenges.proveWrongPot(root, trail);
        _expectConvicted(0, POT);
        challenges.proveWrongFee(root, signed, trail);
        _assertConvicted(0);
    }

    function test_an_honest_tree_adds_up_from_every_node() public {
        _honestBook();
        EpochRoot memory root = book.rootAt(0);
        for (uint8 level = 0; level < 4; ++level) {
            for (uint64 index = 0; index < (uint64(5) >> level); ++index) {
                SumTrail memory trail = _trail(0, 0, level, index);
                _expectNoEvidence();
                challenges.proveWrongPot(root, trail);
                if (level != 0) continue;
                Leaf memory leaf = book.leafAt(0, 0, index);
                _expectNoEvidence();
                challenges.proveWrongFee(root, leaf, trail);
            }
        }
        SumTrail memory second = _trail(0, 2, 1, 0);
        _expectNoEvidence();
        challenges.proveWrongPot(root, second);
    }

    /// @dev The top of a lane's tree has no parent that binds its sum: what the accuser says of it must not count.
    function testFuzz_an_accuser_cannot_make_a_sum_up(uint128 by, uint8 field) public {
        by = 1 + by % 1e18;
        book.write(_bill(node, 7e18));
        book.write(_bill(node, 8e18));
        EpochRoot memory root = _closeAndAnchor();
        SumTrail memory trail = _trail(0, 0, 1, 0);
        if (field % 6 == 0) trail.sum += by;
        if (field % 6 == 1) trail.leftSum += by;
        if (field % 6 == 2) trail.rightSum += by;
        if (field % 6 == 3) trail.laneFees += by;
        if (field % 6 == 4) trail.laneSum += by;
        if (field % 6 == 5) trail.count += 1;
        vm.expectRevert();
        challenges.proveWrongPot(root, trail);
        vm.assertFalse(settlement.isVoid(gateway, 0));
    }

    function test_a_wrong_fee_needs_the_record_itself() public {
        book.write(_bill(node, 7e18));
        EpochRoot memory root = _closeAndAnchor();
        Leaf memory leaf = book.leafAt(0, 0, 0);
        leaf.shares.fee += 1;
        SumTrail memory trail = _trail(0, 0, 0, 0);
        _expectNoEvidence();
        challenges.proveWrongFee(root, leaf, trail);
    }
}
