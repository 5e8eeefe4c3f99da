// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Demands} from "../src/Demands.sol";
import {EpochRoot, LaneLeaf, LaneProof, Step} from "../src/Types.sol";
import {Bill} from "./Book.sol";
import {Demanding} from "./Demanding.sol";
import {Trees} from "./Trees.sol";
import {vm} from "./Vm.sol";

/// @notice Money in a lane that no record brought in. No record shows it, so no challenge of a sum does: it is asked for,
/// and nothing answers.
contract EmptyLanesTest is Demanding {
    using Trees for Step[];

    /// @dev Anchors a root of `count` lanes: records in 0 and 2, the lie at `index`, nothing in the others.
    function _anchorLie(uint32 index, LaneLeaf memory lie, uint32 count) private returns (LaneProof memory proof) {
        EpochRoot memory root = _closed();
        Step[] memory level = new Step[](count);
        for (uint32 i = 0; i < count; ++i) {
            LaneLeaf memory lane = i < root.laneCount ? book.laneProof(0, i).laneLeaf : LaneLeaf(i, 0, 0, 0);
            if (i == index) lane = lie;
            level[i] = Trees.leafOf(exposed.laneHash(lane), lane.fees);
        }
        Step memory top = level.rootOf();
        (root.recordsRoot, root.laneCount, root.pot) = (top.hash, count, top.sum);
        book.commit(root);
        _anchor(root);
        demanded = root;
        return LaneProof(root, index, lie, level.pathOf(index));
    }

    function _closed() private returns (EpochRoot memory) {
        for (uint32 lane = 0; lane < 3; lane += 2) {
            Bill memory bill = _bill(worker, 1e18);
            bill.lane = lane;
            book.write(bill);
        }
        return book.close();
    }

    function _ask(LaneProof memory lane, uint64 sequence) private {
        vm.prank(asker);
        demands.demand(demanded, lane.index, sequence);
    }

    function _refused(LaneProof memory lane, uint64 sequence) private {
        _ask(lane, sequence);
        vm.expectRevert(abi.encodeWithSelector(Demands.NotOfRecords.selector, lane.index));
        vm.prank(helper);
        demands.answerAbsent(lane, sequence);
    }

    function _convictedOf(LaneProof memory lane, uint64 sequence) private {
        _passDemand();
        uint256 before = token.balanceOf(asker);
        demands.proveWithheld(demanded, lane.index, sequence, _stored(demanded.blobId, 0));
        uint256 reward = uint256(BOND + STAKE) / 2 / 5;
        vm.assertTrue(settlement.isVoid(gateway, 0));
        vm.assertEq(token.balanceOf(asker) - before, DEMAND_DEPOSIT + reward);
    }

    function test_fees_without_records_have_no_answer_and_convict() public {
        LaneProof memory lie = _anchorLie(1, LaneLeaf(1, 0, 0, 5), 3);
        _refused(lie, 0);
        _convictedOf(lie, 0);
    }

    function testFuzz_no_lane_that_records_did_not_make_has_an_answer(LaneLeaf memory lie, uint64 sequence) public {
        (lie.lane, lie.count, lie.fees) = (lie.lane % 3, lie.count % 2, lie.fees % 2 ** 120);
        if (lie.root & bytes32(uint256(1)) == 0) lie.root = 0;
        bool honest = lie.lane == 1 && (lie.count != 0 || (lie.root == 0 && lie.fees == 0));
        if (honest) lie.lane = 2;
        _refused(_anchorLie(1, lie, 3), sequence);
    }

    /// @dev Its records may be there, but nobody could show one: a record's way up leads through its own lane.
    function test_a_lane_under_another_number_has_no_answer_at_any_place() public {
        LaneProof memory lie = _anchorLie(1, LaneLeaf(2, 4, keccak256("records"), 5), 3);
        _refused(lie, 3);
        _refused(lie, 4);
        _convictedOf(lie, 4);
    }

    /// @dev A root ends with a lane that has records: who knows nothing else of it asks there.
    function test_a_last_lane_without_records_has_no_answer() public {
        LaneProof memory lie = _anchorLie(3, LaneLeaf(3, 0, 0, 0), 4);
        _refused(lie, 0);
        _convictedOf(lie, 0);
    }

    function test_no_answer_leads_to_another_sum_than_the_pot() public {
        EpochRoot memory root = _closed();
        root.pot += 1;
        book.commit(root);
        _anchor(root);
        demanded = root;
        LaneProof memory lane = book.laneProof(0, 1);
        _refused(lane, 0);
        _convictedOf(lane, 0);
    }

    function test_an_idle_lane_of_an_honest_root_has_its_answer() public {
        LaneProof memory lane = _anchorLie(1, LaneLeaf(1, 0, 0, 0), 3);
        _ask(lane, 0);
        vm.prank(helper);
        demands.answerAbsent(lane, 0);
        vm.assertEq(token.balanceOf(helper), DEMAND_DEPOSIT);
    }
}
