// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Listings, Terms} from "../src/Listings.sol";
import {vm} from "./Vm.sol";

contract ListingsTest {
    Listings private _listings = new Listings();

    function _table(uint256 count, uint16 first) private pure returns (address[] memory payees, uint16[] memory bps) {
        (payees, bps) = (new address[](count), new uint16[](count));
        for (uint256 i = 0; i < count; ++i) {
            (payees[i], bps[i]) = (address(uint160(0x100 + i)), 1);
        }
        if (count != 0) bps[0] = first;
    }

    function _list() private returns (bytes32) {
        (address[] memory payees, uint16[] memory bps) = _table(2, 9_999);
        return _listings.list(keccak256("model"), 7, 8, payees, bps);
    }

    function test_a_listing_begins_at_version_one() public {
        bytes32 id = _list();
        Terms memory terms = _listings.terms(id, 1);
        vm.assertEq(terms.inPrice, 7);
        vm.assertEq(terms.outPrice, 8);
        vm.assertEq(terms.payees[1], address(0x101));
        vm.assertEq(terms.bps[0], 9_999);
        vm.assertEq(_listings.listing(id).owner, address(this));
        vm.assertEq(_listings.listing(id).modelId, keccak256("model"));
    }

    function test_the_same_model_may_be_listed_twice() public {
        vm.assertNotEq(_list(), _list());
        vm.assertEq(_listings.count(), 2);
    }

    function test_a_revision_leaves_older_versions_as_they_were() public {
        bytes32 id = _list();
        (address[] memory payees, uint16[] memory bps) = _table(3, 9_998);
        vm.expectEmit();
        emit Listings.Listed(id, 2, address(this), keccak256("model"), 70, 80, payees, bps);
        vm.assertEq(_listings.revise(id, 70, 80, payees, bps), 2);
        vm.assertEq(_listings.terms(id, 1).inPrice, 7);
        vm.assertEq(_listings.terms(id, 1).payees.length, 2);
        vm.assertEq(_listings.terms(id, 2).payees.length, 3);
    }

    function test_only_the_owner_revises() public {
        bytes32 id = _list();
        (address[] memory payees, uint16[] memory bps) = _table(2, 9_999);
        vm.prank(address(0xBAD));
        vm.expectRevert(abi.encodeWithSelector(Listings.OnlyOwner.selector, address(this), address(0xBAD)));
        _listings.revise(id, 1, 1, payees, bps);
    }

    function test_refuses_what_is_not_listed() public {
        bytes32 id = _list();
        (address[] memory payees, uint16[] memory bps) = _table(2, 9_999);
        vm.expectRevert(abi.encodeWithSelector(Listings.UnknownListing.selector, bytes32(0), 0));
        _listings.revise(bytes32(0), 1, 1, payees, bps);
        vm.expectRevert(abi.encodeWithSelector(Listings.UnknownListing.selector, id, 2));
        _listings.terms(id, 2);
    }

    function test_refuses_a_split_that_is_not_whole() public {
        (address[] memory payees, uint16[] memory bps) = _table(2, 9_998);
        vm.expectRevert(abi.encodeWithSelector(Listings.SplitNotWhole.selector, 9_999));
        _listings.list(0, 1, 1, payees, bps);
        bps[0] = 10_000;
        vm.expectRevert(abi.encodeWithSelector(Listings.SplitNotWhole.selector, 10_001));
        _listings.list(0, 1, 1, payees, bps);
    }

    function test_refuses_no_payees_too_many_or_uneven_tables() public {
        (address[] memory payees, uint16[] memory bps) = _table(0, 0);
        vm.expectRevert(abi.encodeWithSelector(Listings.WrongPayeeCount.selector, 0, 0));
        _listings.list(0, 1, 1, payees, bps);
        (payees, bps) = _table(17, 9_984);
        vm.expectRevert(abi.encodeWithSelector(Listings.WrongPayeeCount.selector, 17, 17));
        _listings.list(0, 1, 1, payees, bps);
        (payees, bps) = _table(2, 9_999);
        vm.expectRevert(abi.encodeWithSelector(Listings.WrongPayeeCount.selector, 2, 1));
        _listings.list(0, 1, 1, payees, new uint16[](1));
    }

    function test_refuses_nobody_and_nothing_as_a_part() public {
        (address[] memory payees, uint16[] memory bps) = _table(2, 9_999);
        payees[1] = address(0);
        vm.expectRevert(Listings.ZeroPayee.selector);
        _listings.list(0, 1, 1, payees, bps);
        (payees[1], bps[0], bps[1]) = (address(1), 10_000, 0);
        vm.expectRevert(Listings.ZeroShare.selector);
        _listings.list(0, 1, 1, payees, bps);
    }

    function test_sixteen_payees_are_allowed() public {
        (address[] memory payees, uint16[] memory bps) = _table(16, 9_985);
        vm.assertEq(_listings.terms(_listings.list(0, 1, 1, payees, bps), 1).bps.length, 16);
    }
}
