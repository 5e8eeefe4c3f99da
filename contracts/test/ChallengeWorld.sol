// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Absence} from "../src/Challenges.sol";
import {Convictions} from "../src/Convictions.sol";
import {Evidence} from "../src/Evidence.sol";
import {Role} from "../src/Registry.sol";
import {LaneProof, LeafProof, Step} from "../src/Types.sol";
import {Bill} from "./Book.sol";
import {Trees} from "./Trees.sol";
import {vm} from "./Vm.sol";
import {World} from "./World.sol";

/// @notice The small network, and what a conviction of its gateway must look like.
abstract contract ChallengeWorld is World {
    using Trees for Step[];

    uint8 internal constant OMITTED = 1;
    uint8 internal constant DOUBLE = 2;
    uint8 internal constant BROKEN = 3;
    uint8 internal constant POT = 4;

    /// @dev Half of bond and of stake is slashed, a fifth of that rewarded.
    function _assertConvicted(uint64 epoch) internal view {
        uint256 slashed = (BOND + STAKE) / 2;
        vm.assertTrue(settlement.isVoid(gateway, epoch));
        vm.assertEq(settlement.bondOf(gateway), BOND / 2);
        vm.assertEq(registry.stakeOf(Role.Gateway, gateway), STAKE / 2);
        vm.assertEq(token.balanceOf(reporter), slashed / 5);
        vm.assertEq(token.totalSupply(), token.SUPPLY() - slashed * 4 / 5);
        _assertConserved();
    }

    function _expectConvicted(uint64 epoch, uint8 challenge) internal {
        uint128 slashed = (BOND + STAKE) / 2;
        vm.expectEmit();
        emit Convictions.Convicted(gateway, epoch, challenge, reporter, slashed, slashed / 5, slashed - slashed / 5);
        vm.prank(reporter);
    }

    function _expectNoEvidence() internal {
        vm.expectRevert(Evidence.NotEvidence.selector);
        vm.prank(reporter);
    }

    function _none() internal pure returns (LeafProof[] memory) {
        return new LeafProof[](0);
    }

    function _one(LeafProof memory proof) internal pure returns (LeafProof[] memory proofs) {
        proofs = new LeafProof[](1);
        proofs[0] = proof;
    }

    function _idle(LaneProof memory proof) internal pure returns (LaneProof[] memory proofs) {
        proofs = new LaneProof[](1);
        proofs[0] = proof;
    }

    function _noIdle() internal pure returns (LaneProof[] memory) {
        return new LaneProof[](0);
    }

    /// @dev What the book's tree holds at a place, as an accuser reads it out of the blob.
    function _absence(uint64 epoch, uint32 lane, uint64 sequence) internal view returns (Absence memory absence) {
        absence.lane = book.laneProof(epoch, lane);
        if (sequence >= book.countAt(epoch, lane)) return absence;
        absence.found = exposed.hash(book.leafAt(epoch, lane, sequence));
        absence.foundSum = book.leafAt(epoch, lane, sequence).shares.fee;
        absence.recordPath = book.recordLevel(epoch, lane).pathOf(sequence);
    }

    /// @dev Three lanes of a few leaves in epoch 0, the middle one idle, then one more epoch.
    function _honestBook() internal {
        for (uint128 i = 1; i < 6; ++i) {
            book.write(_listedBill(i % 2 == 0 ? node : otherNode, i * 1e18, i));
        }
        Bill memory bill = _bill(node, 9e18);
        bill.lane = 2;
        book.write(bill);
        book.write(bill);
        _closeAndAnchor();
        book.write(_bill(node, 1e18));
        book.write(bill);
        book.write(_listedBill(node, 2e18, 3));
        _closeAndAnchor();
    }
}
