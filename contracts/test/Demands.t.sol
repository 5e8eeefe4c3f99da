// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Convictions} from "../src/Convictions.sol";
import {Demand, DemandState, Demands, Record} from "../src/Demands.sol";
import {Evidence} from "../src/Evidence.sol";
import {Parameter} from "../src/Parameter.sol";
import {EpochRoot, LaneProof, Role, StoredSignature} from "../src/Types.sol";
import {Bill} from "./Book.sol";
import {Recorder, Work} from "./Recorder.sol";
import {vm} from "./Vm.sol";

contract DemandsTest is Recorder {
    uint128 private constant DEMAND_DEPOSIT = 1e18;
    uint128 private constant PENALTY = 10e18;
    uint256 private constant SUPPLY = 1_000_000_000e18;

    address private _asker = address(0xA5CE);
    address private _helper = address(0x4E19);
    EpochRoot private _root;

    function setUp() public override {
        super.setUp();
        _fund(_asker, 100e18);
        vm.prank(_asker);
        token.approve(address(demands), type(uint256).max);
    }

    /// @dev Three whole records in lane 0 of epoch 0; the middle one.
    function _anchored() private returns (Record memory record) {
        _write(_work());
        record = _write(_work());
        _write(_work());
        _root = _close(record);
    }

    function _demand(uint64 sequence) private returns (bytes32) {
        vm.prank(_asker);
        return demands.demand(_root, 0, sequence);
    }

    function _answer(Record memory record) private {
        vm.prank(_helper);
        demands.answer(record);
    }

    function _withheld(uint64 sequence, uint256 archives) private {
        demands.proveWithheld(_root, 0, sequence, _stored(_root.blobId, archives));
    }

    function _notWithheld(uint64 sequence, uint256 archives, bytes memory reason) private {
        StoredSignature[] memory stored = _stored(_root.blobId, archives);
        vm.expectRevert(reason);
        demands.proveWithheld(_root, 0, sequence, stored);
    }

    function _answerAbsent(uint64 sequence) private {
        LaneProof memory lane = book.laneProof(0, 0);
        vm.prank(_helper);
        demands.answerAbsent(lane, sequence);
    }

    function _passDemand() private {
        vm.warp(block.timestamp + 20);
    }

    function _held() private view returns (uint256) {
        return token.balanceOf(address(demands));
    }

    // Asking.

    function test_a_demand_takes_its_deposit_and_says_until_when() public {
        _anchored();
        bytes32 id = demands.idOf(gateway, 0, 0, 1);
        vm.assertEq(id, keccak256(abi.encode(gateway, uint64(0), uint32(0), uint64(1))));
        vm.expectEmit();
        emit Demands.Demanded(id, _asker, gateway, 0, 0, 1, uint64(block.timestamp) + 20);
        _demand(1);
        Demand memory found = demands.demandOf(id);
        vm.assertTrue(found.state == DemandState.Open && found.demander == _asker);
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
        _root = book.close();
        vm.expectRevert(abi.encodeWithSelector(Evidence.NotAnchored.selector, gateway, 0));
        _demand(0);
        _root.gateway = otherNode;
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
        vm.prank(_asker);
        demands.demand(_root, 1, 0);
    }

    function test_refuses_without_the_deposit() public {
        _anchored();
        vm.expectPartialRevert(bytes4(keccak256("ERC20InsufficientAllowance(address,uint256,uint256)")));
        vm.prank(address(0xB0B));
        demands.demand(_root, 0, 0);
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
        emit Demands.Answered(id, _helper, false);
        _answer(record);
        vm.assertEq(token.balanceOf(_helper), DEMAND_DEPOSIT);
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
        _root = _close(other);
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
        _root = _close(record);
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
        _demand(3);
        _answerAbsent(3);
        vm.assertEq(token.balanceOf(_helper), DEMAND_DEPOSIT);
    }

    function test_an_idle_lane_is_answered_by_its_length() public {
        Bill memory bill = _bill(worker, 1e18);
        bill.lane = 1;
        book.write(bill);
        _root = _closeAndAnchor();
        _demand(0);
        _answerAbsent(0);
        vm.assertEq(token.balanceOf(_helper), DEMAND_DEPOSIT);
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

    // Withholding.

    function test_silence_convicts_the_gateway_and_costs_its_archives() public {
        _anchored();
        bytes32 id = _demand(1);
        _passDemand();
        (uint128 slashed, uint256 before) = ((BOND + STAKE) / 2, token.balanceOf(_asker));
        vm.expectEmit();
        emit Demands.Withheld(id, _asker, true);
        vm.expectEmit();
        emit Convictions.Convicted(gateway, 0, 6, _asker, slashed, slashed / 5, slashed - slashed / 5);
        _withheld(1, 2);
        uint256 rewards = slashed / 5 + 2 * PENALTY / 5;
        vm.assertEq(token.balanceOf(_asker), before + DEMAND_DEPOSIT + rewards);
        vm.assertEq(registry.stakeOf(Role.Archive, _archive(0)), STAKE - PENALTY);
        vm.assertEq(registry.stakeOf(Role.Archive, _archive(1)), STAKE - PENALTY);
        vm.assertEq(registry.stakeOf(Role.Archive, _archive(2)), STAKE);
        vm.assertEq(token.totalSupply(), SUPPLY - (slashed - slashed / 5) - (2 * PENALTY - 2 * PENALTY / 5));
        vm.assertEq(_held(), 0);
    }

    /// @dev Else its accomplice would send the proof first, with no archives in it.
    function test_archives_left_out_are_slashed_afterwards_and_none_twice() public {
        _anchored();
        _demand(1);
        _demand(2);
        _passDemand();
        _withheld(1, 0);
        uint256 before = token.balanceOf(_asker);
        _withheld(1, 1);
        _withheld(1, 3);
        vm.assertEq(token.balanceOf(_asker), before + 3 * PENALTY / 5);
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(registry.stakeOf(Role.Archive, _archive(i)), STAKE - PENALTY);
        }
        _withheld(2, 3);
        vm.assertEq(registry.stakeOf(Role.Archive, _archive(0)), STAKE - PENALTY);
        vm.assertEq(_held(), 0);
    }

    function test_an_archive_that_left_is_reached_as_long_as_its_stake_is_here() public {
        _anchored();
        vm.prank(_archive(0));
        registry.unbond(Role.Archive, STAKE);
        _demand(1);
        _passDemand();
        _withheld(1, 1);
        vm.assertEq(registry.slashableOf(Role.Archive, _archive(0)), STAKE - PENALTY);
    }

    function test_who_did_not_sign_for_the_blob_is_not_slashed() public {
        _anchored();
        _demand(1);
        _passDemand();
        StoredSignature[] memory stored = _stored(keccak256("another blob"), 1);
        vm.expectRevert(abi.encodeWithSelector(Demands.WrongStoredSignature.selector, stored[0].archive));
        demands.proveWithheld(_root, 0, 1, stored);
        stored = _stored(_root.blobId, 1);
        stored[0].archive = _archive(2);
        vm.expectRevert(abi.encodeWithSelector(Demands.WrongStoredSignature.selector, _archive(2)));
        demands.proveWithheld(_root, 0, 1, stored);
    }

    /// @dev Another root's blob would reach other archives.
    function test_withholding_is_proved_against_the_anchored_root() public {
        _anchored();
        _demand(1);
        _passDemand();
        _root.blobId = keccak256("another blob");
        _notWithheld(1, 2, abi.encodeWithSelector(Evidence.NotAnchored.selector, gateway, 0));
    }

    function test_what_nobody_asked_for_is_not_withheld() public {
        _anchored();
        bytes32 id = demands.idOf(gateway, 0, 0, 1);
        _notWithheld(1, 2, abi.encodeWithSelector(Demands.NotDemanded.selector, id));
    }

    function test_a_root_voided_meanwhile_costs_nobody_more() public {
        _anchored();
        bytes32 id = _demand(1);
        _convictOtherwise();
        _passDemand();
        (uint256 before, uint256 supply) = (token.balanceOf(_asker), token.totalSupply());
        vm.expectEmit();
        emit Demands.Withheld(id, _asker, false);
        _withheld(1, 3);
        vm.assertEq(token.balanceOf(_asker), before + DEMAND_DEPOSIT);
        vm.assertEq(token.totalSupply(), supply);
        vm.assertEq(registry.stakeOf(Role.Archive, _archive(0)), STAKE);
        _notWithheld(1, 3, abi.encodeWithSelector(Demands.NotDemanded.selector, id));
    }

    /// @dev The deposit that was paid goes back, whatever one costs by then.
    function test_a_changed_deposit_leaves_open_demands_as_they_are() public {
        _anchored();
        _decide(Parameter.DemandDeposit, 50e18);
        _demand(1);
        vm.warp(block.timestamp + 3 * EPOCH);
        uint256 before = token.balanceOf(_asker);
        _withheld(1, 0);
        vm.assertEq(token.balanceOf(_asker), before + DEMAND_DEPOSIT + (BOND + STAKE) / 2 / 5);
        vm.assertEq(_held(), 0);
    }

    // An archive that was cheated.

    function test_two_roots_over_one_blob_clear_its_archives() public {
        _anchored();
        _demand(1);
        EpochRoot memory other = _root;
        other.recordsRoot = keccak256("what the blob really holds");
        bytes memory signature = book.signRoot(other);
        vm.expectEmit();
        emit Demands.Excused(gateway, 0, _root.blobId);
        demands.excuse(_root, other, signature);
        _passDemand();
        _withheld(1, 3);
        vm.assertTrue(settlement.isVoid(gateway, 0), "the gateway is convicted all the same");
        vm.assertEq(registry.stakeOf(Role.Archive, _archive(0)), STAKE);
    }

    function test_no_excuse_without_another_root_of_the_gateway_over_the_blob() public {
        _anchored();
        EpochRoot memory other = _root;
        bytes memory signature = book.signRoot(other);
        vm.expectRevert(Demands.NotAnExcuse.selector);
        demands.excuse(_root, other, signature);
        other.epoch = 5;
        vm.expectRevert(Demands.NotAnExcuse.selector);
        demands.excuse(_root, other, signature);
        other.blobId = keccak256("another blob");
        signature = book.signRoot(other);
        vm.expectRevert(Demands.NotAnExcuse.selector);
        demands.excuse(_root, other, signature);
        other = _root;
        other.gateway = vm.addr(WORKER_KEY);
        signature = _sign(WORKER_KEY, settlement.domainSeparator(), exposed.hash(other));
        vm.expectRevert(Demands.NotAnExcuse.selector);
        demands.excuse(_root, other, signature);
    }

    // Masses.

    /// @dev Each demand brings its answer's price, so a flood pays those it is meant to drown.
    function test_a_flood_of_demands_pays_whoever_answers() public {
        Record[] memory records = new Record[](20);
        for (uint256 i = 0; i < 20; ++i) {
            records[i] = _write(_work());
        }
        _root = _closeAndAnchor();
        for (uint64 i = 0; i < 20; ++i) {
            _demand(i);
        }
        vm.assertEq(_held(), 20 * uint256(DEMAND_DEPOSIT));
        for (uint256 i = 0; i < 20; ++i) {
            _prove(records[i]);
            _answer(records[i]);
        }
        vm.assertEq(token.balanceOf(_helper), 20 * uint256(DEMAND_DEPOSIT));
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
        _root = _closeAndAnchor();
        asked = asked % uint64(count + 2);
        _demand(asked);
        if (asked >= count) return _answerAbsent(asked);
        _prove(records[asked]);
        _answer(records[asked]);
        _passDemand();
        StoredSignature[] memory none = new StoredSignature[](0);
        vm.expectPartialRevert(Demands.NotDemanded.selector);
        demands.proveWithheld(_root, 0, asked, none);
    }

    function test_deploys_only_where_the_registry_expects_it() public {
        vm.expectRevert(abi.encodeWithSelector(Demands.WrongPrediction.selector, address(demands)));
        new Demands(challenges);
    }

    /// @dev By two roots for one epoch.
    function _convictOtherwise() private {
        EpochRoot memory other = _root;
        other.pot += 1;
        vm.prank(reporter);
        challenges.proveTwoRoots(_root, book.signRoot(_root), other, book.signRoot(other));
    }
}
