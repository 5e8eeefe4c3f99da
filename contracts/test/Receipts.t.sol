// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleSum} from "../src/MerkleSum.sol";
import {LeafProof} from "../src/Types.sol";
import {vm} from "./Vm.sol";
import {World} from "./World.sol";

/// @notice What of a record its place in an anchored root vouches for.
contract ReceiptsTest is World {
    function setUp() public override {
        super.setUp();
        book.write(_bill(node, 100e18));
        book.write(_bill(otherNode, 50e18));
        book.close();
    }

    function _proof() private view returns (LeafProof memory) {
        return book.proof(0, 0, 1);
    }

    function test_a_record_lies_in_the_root_of_its_own_epoch_gateway_and_token() public view {
        vm.assertTrue(exposed.includes(_proof()));
        LeafProof memory other = _proof();
        other.root.epoch += 1;
        vm.assertFalse(exposed.includes(other));
        other = _proof();
        other.root.gateway = node;
        vm.assertFalse(exposed.includes(other));
        other = _proof();
        other.root.token = address(escrow);
        vm.assertFalse(exposed.includes(other));
    }

    function test_a_record_lies_where_every_sum_adds_up_to_the_pot() public view {
        LeafProof memory other = _proof();
        other.root.pot += 1;
        vm.assertFalse(exposed.includes(other));
        other = _proof();
        other.root.recordsRoot = keccak256("another");
        vm.assertFalse(exposed.includes(other));
        other = _proof();
        other.leaf.shares.fee += 1;
        vm.assertFalse(exposed.includes(other));
        other = _proof();
        other.inclusion.recordPath[0].sum += 1;
        vm.assertFalse(exposed.includes(other));
    }

    /// @dev No lane's fees have more bits than a root can sign for.
    function test_a_lane_whose_fees_overflow_is_refused() public {
        LeafProof memory other = _proof();
        other.inclusion.recordPath[0].sum = type(uint128).max;
        vm.expectRevert(MerkleSum.SumOverflow.selector);
        exposed.includes(other);
    }
}
