// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bonds} from "../src/Bonds.sol";
import {Claim, DefaultClaim, Settlement} from "../src/Settlement.sol";
import {Kind, Leaf, LeafProof} from "../src/Types.sol";
import {Book} from "./Book.sol";
import {vm} from "./Vm.sol";
import {World} from "./World.sol";

/// @notice What payees get of an epoch whose root never came, or was voided.
contract DefaultTest is World {
    Leaf private _leaf;
    uint256 private _from;

    function setUp() public override {
        super.setUp();
        _leaf = book.write(_listedBill(node, 100e18, 6e18));
        _from = settlement.endOf(0) + 180;
    }

    function _refused(bytes memory reason, DefaultClaim memory row) private {
        vm.expectRevert(reason);
        settlement.claimByDefault(row);
    }

    function test_a_gateway_that_never_closes_pays_from_its_bond() public {
        vm.warp(_from);
        vm.expectEmit();
        emit Settlement.Claimed(gateway, node, 0, 0, 100e18, 100e18);
        vm.assertEq(settlement.claimByDefault(_default(Kind.Node, _leaf)), 100e18);
        vm.assertEq(settlement.claimByDefault(_default(Kind.Listing, _leaf)), 6e18);
        vm.assertEq(settlement.bondOf(gateway), BOND - 106e18);
        vm.assertEq(settlement.lineOf(gateway, node), LINE - 100e18);
        vm.assertEq(token.balanceOf(creator), 4.2e18);
        _assertConserved();
    }

    function test_waits_until_the_root_is_overdue() public {
        vm.warp(_from - 1);
        _refused(abi.encodeWithSelector(Settlement.RootExpected.selector, _from), _default(Kind.Node, _leaf));
    }

    function test_refuses_where_a_root_stands() public {
        _closeAndAnchor();
        vm.warp(_from + 1 days);
        _refused(abi.encodeWithSelector(Settlement.RootExpected.selector, _from), _default(Kind.Node, _leaf));
    }

    function test_a_voided_root_opens_it_at_once() public {
        _closeAndAnchor();
        _collectOne(book.proof(0, 0, 0));
        vm.prank(address(challenges));
        settlement.convict(gateway, 0, 1, reporter);
        vm.assertEq(settlement.claimByDefault(_default(Kind.Node, _leaf)), 100e18);
        vm.assertEq(settlement.bondOf(gateway), BOND / 2);
        vm.assertEq(settlement.fundsOf(gateway), _leaf.shares.fee - 100e18);
    }

    function test_gateway_protocol_and_payer_have_no_default() public {
        vm.warp(_from);
        for (uint8 kind = 2; kind < 5; ++kind) {
            _refused(abi.encodeWithSelector(Settlement.NotClaimable.selector, Kind(kind)), _default(Kind(kind), _leaf));
        }
    }

    function test_refuses_what_the_gateway_did_not_seal() public {
        vm.warp(_from);
        DefaultClaim memory row = _default(Kind.Node, _leaf);
        row.leaf.totals.node += 1;
        _refused(abi.encodeWithSelector(Settlement.NotSealed.selector, gateway), row);
        Book stranger = new Book(0xBAD, address(token), settlement.domainSeparator(), exposed);
        row = DefaultClaim(Kind.Node, _leaf, stranger.seal(_leaf));
        _refused(abi.encodeWithSelector(Settlement.NotSealed.selector, gateway), row);
    }

    function test_refuses_another_token() public {
        vm.warp(_from);
        Leaf memory leaf = _leaf;
        leaf.parties.token = address(1);
        _refused(abi.encodeWithSelector(Settlement.WrongToken.selector, address(1)), _default(Kind.Node, leaf));
    }

    function test_a_receipt_from_a_larger_batch_will_do() public {
        vm.warp(_from);
        vm.assertEq(settlement.claimByDefault(DefaultClaim(Kind.Node, _leaf, book.seal(_leaf, 63))), 100e18);
    }

    function test_nothing_is_paid_twice_by_default() public {
        vm.warp(_from);
        settlement.claimByDefault(_default(Kind.Node, _leaf));
        bytes32 key = bytes32(uint256(uint160(node)));
        _refused(
            abi.encodeWithSelector(Settlement.NothingToClaim.selector, gateway, Kind.Node, key),
            _default(Kind.Node, _leaf)
        );
    }

    function test_a_late_root_pays_only_what_default_did_not() public {
        Leaf memory later = book.write(_bill(node, 40e18));
        vm.warp(_from);
        settlement.claimByDefault(_default(Kind.Node, _leaf));
        _closeAndAnchor();
        _collectOne(book.proof(0, 0, 1));
        _passWindow();
        vm.assertEq(_claimOne(Kind.Node, book.proof(0, 0, 1)), 40e18);
        vm.assertEq(later.totals.node, 140e18);
        vm.assertEq(token.balanceOf(node), 140e18);
    }

    function test_no_line_no_default() public {
        Leaf memory leaf = book.write(_bill(address(0x4003), 1e18));
        vm.warp(_from);
        bytes32 key = bytes32(uint256(0x4003));
        _refused(
            abi.encodeWithSelector(Settlement.NothingToClaim.selector, gateway, Kind.Node, key),
            _default(Kind.Node, leaf)
        );
    }

    /// @dev A gateway and a node of its own could seal ever larger totals for epochs they never close. Together they
    /// get the line once, out of funds or bond, until a root proves the totals.
    function test_a_colluding_pair_gets_its_line_once() public {
        book.moveTo(1);
        book.write(_bill(otherNode, 1_000e18));
        _closeAndAnchor();
        _collectOne(book.proof(1, 0, 0));
        uint128 funds = settlement.fundsOf(gateway);
        _line(node, 600e18);
        vm.warp(block.timestamp + 300);
        settlement.applyLine(gateway, node);
        uint256 paid = 0;
        for (uint256 i = 1; i < 5; ++i) {
            Leaf memory fake = _leaf;
            fake.totals.node = uint128(i * 500e18);
            fake.place.epoch = 0;
            try settlement.claimByDefault(_default(Kind.Node, fake)) returns (uint128 amount) {
                paid += amount;
            } catch {}
        }
        vm.assertEq(paid, 600e18);
        vm.assertEq(settlement.unprovenOf(gateway, node), 600e18);
        vm.assertEq(settlement.fundsOf(gateway), funds - 600e18);
        vm.roll(block.number + 2);
        vm.assertEq(_claimOne(Kind.Node, book.proof(1, 0, 0)), 1_000e18);
        _assertConserved();
    }

    function test_a_root_gives_the_line_back() public {
        book.moveTo(1);
        book.write(_bill(otherNode, 1_000e18));
        _closeAndAnchor();
        _collectOne(book.proof(1, 0, 0));
        vm.warp(_from);
        vm.expectEmit();
        emit Bonds.UnprovenChanged(gateway, node, 100e18);
        settlement.claimByDefault(_default(Kind.Node, _leaf));
        vm.assertEq(settlement.unprovenOf(gateway, node), 100e18);
        book.write(_bill(node, 5e18));
        _closeAndAnchor();
        _passWindow();
        LeafProof memory proof = book.proof(2, 0, 0);
        vm.assertEq(proof.leaf.totals.node, 105e18);
        vm.expectEmit();
        emit Bonds.UnprovenChanged(gateway, node, 0);
        vm.assertEq(_claimOne(Kind.Node, proof), 5e18);
        vm.assertEq(settlement.unprovenOf(gateway, node), 0);
        book.moveTo(30);
        book.write(_bill(node, 7e18));
        _closeAndAnchor();
        _passWindow();
        vm.assertEq(_claimOne(Kind.Node, book.proof(30, 0, 0)), 7e18);
        vm.assertEq(settlement.unprovenOf(gateway, node), 0);
    }

    function test_a_root_that_proves_nothing_of_it_gives_no_line_back() public {
        book.moveTo(1);
        book.write(_bill(otherNode, 1_000e18));
        book.write(_bill(node, 60e18));
        _closeAndAnchor();
        _collectOne(book.proof(1, 0, 1));
        _passWindow();
        LeafProof memory older = book.proof(1, 0, 1);
        vm.assertEq(_claimOne(Kind.Node, older), 160e18);
        book.moveTo(3);
        Leaf memory last = book.write(_bill(node, 40e18));
        vm.warp(settlement.endOf(3) + 180);
        vm.assertEq(settlement.claimByDefault(_default(Kind.Node, last)), 40e18);
        bytes32 key = bytes32(uint256(uint160(node)));
        vm.expectRevert(abi.encodeWithSelector(Settlement.NothingToClaim.selector, gateway, Kind.Node, key));
        settlement.claimOne(Claim(Kind.Node, older));
        vm.assertEq(settlement.unprovenOf(gateway, node), 40e18);
    }

    function test_a_root_gives_back_as_much_of_the_line_as_it_proves() public {
        book.moveTo(1);
        book.write(_bill(otherNode, 1_000e18));
        _closeAndAnchor();
        _collectOne(book.proof(1, 0, 0));
        book.write(_bill(node, 60e18));
        book.moveTo(3);
        Leaf memory last = book.write(_bill(node, 40e18));
        vm.warp(settlement.endOf(3) + 180);
        vm.assertEq(settlement.claimByDefault(_default(Kind.Node, last)), 200e18);
        vm.assertEq(settlement.lineOf(gateway, node), LINE - 200e18);
        book.moveTo(2);
        _closeAndAnchor();
        _passWindow();
        vm.assertEq(_claimOne(Kind.Node, book.proof(2, 0, 0)), 0);
        vm.assertEq(settlement.lineOf(gateway, node), LINE - 40e18);
        _closeAndAnchor();
        _passWindow();
        vm.assertEq(_claimOne(Kind.Node, book.proof(3, 0, 0)), 0);
        vm.assertEq(settlement.lineOf(gateway, node), LINE);
        vm.assertEq(token.balanceOf(node), 200e18);
        _assertConserved();
    }
}
