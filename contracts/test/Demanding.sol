// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Demands, Record} from "../src/Demands.sol";
import {EpochRoot, LaneProof, StoredSignature} from "../src/Types.sol";
import {Recorder} from "./Recorder.sol";
import {vm} from "./Vm.sol";

/// @notice Somebody who asks for records, and somebody who has them.
abstract contract Demanding is Recorder {
    uint128 internal constant DEMAND_DEPOSIT = 1e18;
    uint128 internal constant PENALTY = 20e18;
    uint256 internal constant SUPPLY = 1_000_000_000e18;

    address internal asker = address(0xA5CE);
    address internal helper = address(0x4E19);
    EpochRoot internal demanded;

    function setUp() public override {
        super.setUp();
        _fund(asker, 100e18);
        vm.prank(asker);
        token.approve(address(demands), type(uint256).max);
    }

    /// @dev Three whole records in lane 0 of epoch 0; the middle one.
    function _anchored() internal returns (Record memory record) {
        _write(_work());
        record = _write(_work());
        _write(_work());
        demanded = _close(record);
    }

    function _demand(uint64 sequence) internal returns (bytes32) {
        vm.prank(asker);
        return demands.demand(demanded, 0, sequence);
    }

    function _answer(Record memory record) internal {
        vm.prank(helper);
        demands.answer(record);
    }

    function _withheld(uint64 sequence, uint256 archives) internal {
        demands.proveWithheld(demanded, 0, sequence, _stored(demanded.blobId, archives));
    }

    function _notWithheld(uint64 sequence, uint256 archives, bytes memory reason) internal {
        StoredSignature[] memory stored = _stored(demanded.blobId, archives);
        vm.expectRevert(reason);
        demands.proveWithheld(demanded, 0, sequence, stored);
    }

    function _answerAbsent(uint64 sequence) internal {
        LaneProof memory lane = book.laneProof(0, 0);
        vm.prank(helper);
        demands.answerAbsent(lane, sequence);
    }

    function _passDemand() internal {
        vm.warp(block.timestamp + 20);
    }

    function _held() internal view returns (uint256) {
        return token.balanceOf(address(demands));
    }

    /// @dev By two roots for one epoch.
    function _convictOtherwise() internal {
        EpochRoot memory other = demanded;
        other.pot += 1;
        vm.prank(reporter);
        challenges.proveTwoRoots(demanded, book.signRoot(demanded), other, book.signRoot(other));
    }
}
