// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Demand, DemandState, Demands, Record} from "../src/Demands.sol";
import {Evidence} from "../src/Evidence.sol";
import {LaneProof, StoredSignature} from "../src/Types.sol";
import {Bill} from "./Book.sol";
import {Demanding} from "./Demanding.sol";
import {Work} from "./Recorder.sol";
import {vm} from "./Vm.sol";

/// @notice Who may ask for what, and what is an answer.
contract DemandsTest is Demanding {
    // Asking.

    function test_a_demand_takes_its_deposit_and_says_until_when() public {
        _anchored();
        bytes32 id = demands.idOf(gateway, 0, 0, 1);
        vm.assertEq(id, keccak256(abi.encode(gateway, uint64(0), uint32(0), uint64(1))));
        vm.expectEmit();
        emit Demands.Demanded(id, asker, gateway, 0, 0, 1, uint64(block.timestamp) + 20);
        _demand(1);
        Demand memory found = demands.demandOf(id);
        vm.assertTrue(found.state == DemandState.Open && found.demander == asker);
        vm.assertEq(found.deposit, DEMAND_DEPOSIT);
        vm.assertEq(_held(), DEMAND_DEPOSIT);
    }

    function test_a_place_is_asked_for_once() public {
        Record memory record = _anchored();
        bytes32 id = _demand(1);
        bytes memory reason = abi.encodeWithSelector(Demands.AlreadyDemanded.selector, id);
        vm.expectRevert(reason);
        _demand(1);
        _answer(record);
        vm.expectRevert(reason);
        _demand(1);
        vm.assertEq(_held(), 0);
    }

    function test_refuses_a_root_that_was_not_anchored() public {
        demanded = book.close();
        vm.expectRevert(abi.encodeWithSelector(Evidence.NotAnchored.selector, gateway, 0));
        _demand(0);
        demanded.gateway = otherNode;
        vm.expectRevert(abi.encodeWithSelector(Evidence.NotAnchored.selector, otherNode, 0));
        _demand(0);
    }

    function test_refuses_a_void_root() public {
        _anchored();
        _convictOtherwise();
        vm.expectRevert(abi.encodeWithSelector(Demands.RootVoid.selector, gateway, 0));
        _demand(0);
    }

    function test_refuses_a_lane_that_the_root_does_not_have() public {
        _anchored();
        vm.expectRevert(abi.encodeWithSelector(Demands.NoSuchLane.selector, 1, 1));
        vm.prank(asker);
        demands.demand(demanded, 1, 0);
    }

    function test_refuses_without_the_deposit() public {
        _anchored();
        vm.expectPartialRevert(bytes4(keccak256("ERC20InsufficientAllowance(address,uint256,uint256)")));
        vm.prank(address(0xB0B));
        demands.demand(demanded, 0, 0);
    }

    /// @dev After that the bond may be gone, and whoever kept the records may have let go of them.
    function test_a_demand_ends_before_the_bond_can_have_left() public {
        _anchored();
        uint256 anchoredAt = block.timestamp;
        vm.warp(anchoredAt + 280);
        _demand(0);
        vm.warp(anchoredAt + 281);
        vm.expectRevert(abi.encodeWithSelector(Demands.DemandTooLate.selector, anchoredAt + 300));
        _demand(1);
    }

    // Answering.

    function test_whoever_answers_with_the_whole_record_earns_the_deposit() public {
        Record memory record = _anchored();
        bytes32 id = _demand(1);
        vm.expectEmit();
        emit Demands.RecordProven(id, record.proof.inclusion);
        vm.expectEmit();
        emit Demands.Answered(id, helper, false);
        _answer(record);
        vm.assertEq(token.balanceOf(helper), DEMAND_DEPOSIT);
        vm.assertEq(_held(), 0);
        _passDemand();
        _notWithheld(1, 2, abi.encodeWithSelector(Demands.NotDemanded.selector, id));
    }

    function test_no_answer_is_paid_twice() public {
        Record memory record = _anchored();
        bytes32 id = _demand(1);
        _answer(record);
        vm.expectRevert(abi.encodeWithSelector(Demands.NotDemanded.selector, id));
        _answer(record);
    }

    /// @dev Its place is part of a leaf, so another leaf answers another demand, which there is not.
    function test_another_receipt_is_no_answer() public {
        _write(_work());
        Record memory other = _write(_work());
        demanded = _close(other);
        _demand(0);
        bytes memory reason = abi.encodeWithSelector(Demands.NotDemanded.selector, demands.idOf(gateway, 0, 0, 1));
        vm.expectRevert(reason);
        _answer(other);
        other.proof.leaf.place.sequence = 0;
        vm.expectRevert(Evidence.NotIncluded.selector);
        _answer(other);
    }

    function testFuzz_a_part_of_the_record_is_no_answer(uint8 which) public {
        Record memory record = _anchored();
        _demand(1);
        if (which % 6 == 0) record.usage.servedAt += 1;
        if (which % 6 == 1) record.hashes.wire = bytes32(0);
        if (which % 6 == 2) record.nodeReceipt.outputHash = bytes32(0);
        if (which % 6 == 3) record.dispatch.inPrice += 1;
        if (which % 6 == 4) record.nodeSeal = _sealOf(GATEWAY_KEY, record.proof.leaf.nodeReceiptHash);
        if (which % 6 == 5) record.nodeSeal.signature = hex"00";
        vm.expectRevert(Demands.IncompleteRecord.selector);
        _answer(record);
    }

    /// @dev A receipt that no node signed can be anchored, but not be shown.
    function test_an_invented_receipt_has_no_answer() public {
        Record memory record = _write(_work());
        record.nodeSeal = _sealOf(GATEWAY_KEY, record.proof.leaf.nodeReceiptHash);
        demanded = _close(record);
        _demand(0);
        vm.expectRevert(Demands.IncompleteRecord.selector);
        _answer(record);
        _passDemand();
        _withheld(0, 0);
        vm.assertTrue(settlement.isVoid(gateway, 0));
    }

    function test_an_answer_comes_in_time_or_not_at_all() public {
        Record memory record = _anchored();
        bytes32 id = _demand(1);
        uint64 until = demands.demandOf(id).until;
        vm.warp(until - 1);
        _notWithheld(1, 2, abi.encodeWithSelector(Demands.AnswerExpected.selector, until));
        vm.warp(until);
        vm.expectRevert(abi.encodeWithSelector(Demands.AnswerTooLate.selector, until));
        _answer(record);
        _withheld(1, 2);
    }

    function test_a_place_beyond_the_lanes_end_is_answered_by_its_length() public {
        _anchored();
        bytes32 id = _demand(3);
        vm.expectEmit();
        emit Demands.AbsenceProven(id, book.laneProof(0, 0).lanePath);
        _answerAbsent(3);
        vm.assertEq(token.balanceOf(helper), DEMAND_DEPOSIT);
    }

    function test_an_idle_lane_is_answered_by_its_length() public {
        Bill memory bill = _bill(worker, 1e18);
        bill.lane = 1;
        book.write(bill);
        demanded = _closeAndAnchor();
        _demand(0);
        _answerAbsent(0);
        vm.assertEq(token.balanceOf(helper), DEMAND_DEPOSIT);
    }

    function test_a_place_that_is_there_is_not_absent() public {
        _anchored();
        _demand(2);
        LaneProof memory lane = book.laneProof(0, 0);
        vm.expectRevert(abi.encodeWithSelector(Demands.NotAbsent.selector, 2, 3));
        demands.answerAbsent(lane, 2);
        lane.laneLeaf.count = 2;
        vm.expectRevert(Evidence.NotIncluded.selector);
        demands.answerAbsent(lane, 2);
        lane.root.pot += 1;
        vm.expectRevert(abi.encodeWithSelector(Evidence.NotAnchored.selector, gateway, 0));
        demands.answerAbsent(lane, 2);
    }

    function test_absence_of_what_nobody_asked_for_earns_nothing() public {
        _anchored();
        bytes32 id = demands.idOf(gateway, 0, 0, 9);
        LaneProof memory lane = book.laneProof(0, 0);
        vm.expectRevert(abi.encodeWithSelector(Demands.NotDemanded.selector, id));
        demands.answerAbsent(lane, 9);
    }

    // Masses.

    /// @dev Each demand brings its answer's price, so a flood pays those it is meant to drown.
    function test_a_flood_of_demands_pays_whoever_answers() public {
        Record[] memory records = new Record[](20);
        for (uint256 i = 0; i < 20; ++i) {
            records[i] = _write(_work());
        }
        demanded = _closeAndAnchor();
        for (uint64 i = 0; i < 20; ++i) {
            _demand(i);
        }
        vm.assertEq(_held(), 20 * uint256(DEMAND_DEPOSIT));
        for (uint256 i = 0; i < 20; ++i) {
            _prove(records[i]);
            _answer(records[i]);
        }
        vm.assertEq(token.balanceOf(helper), 20 * uint256(DEMAND_DEPOSIT));
        vm.assertEq(_held(), 0);
    }

    /// @dev An honest gateway has all its records, whatever was served, so no demand convicts it.
    function testFuzz_an_honest_gateway_answers_every_demand(Work[] memory works, uint64 asked) public {
        uint256 count = works.length > 6 ? 6 : works.length;
        if (count == 0) return;
        Record[] memory records = new Record[](count);
        for (uint256 i = 0; i < count; ++i) {
            works[i].inPrice %= 2 ** 80;
            works[i].outPrice %= 2 ** 80;
            records[i] = _write(works[i]);
        }
        demanded = _closeAndAnchor();
        asked = asked % uint64(count + 2);
        _demand(asked);
        if (asked >= count) return _answerAbsent(asked);
        _prove(records[asked]);
        _answer(records[asked]);
        _passDemand();
        StoredSignature[] memory none = new StoredSignature[](0);
        vm.expectPartialRevert(Demands.NotDemanded.selector);
        demands.proveWithheld(demanded, 0, asked, none);
    }

    function test_deploys_only_where_the_registry_expects_it() public {
        vm.expectRevert(abi.encodeWithSelector(Demands.WrongPrediction.selector, address(demands)));
        new Demands(challenges);
    }
}
