// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ChannelEscrow} from "../src/ChannelEscrow.sol";
import {Epochs} from "../src/Epochs.sol";
import {Receipts} from "../src/Receipts.sol";
import {Claim, Collection, DefaultClaim, Settlement} from "../src/Settlement.sol";
import {ChannelConfig, EpochRoot, Kind, Leaf, LeafProof} from "../src/Types.sol";
import {Bill, Book} from "./Book.sol";
import {vm} from "./Vm.sol";
import {OwnedWallet} from "./Wallets.sol";
import {World} from "./World.sol";

contract CollectTest is World {
    function _anchored() private returns (LeafProof memory) {
        book.write(_listedBill(node, 100e18, 6e18));
        book.write(_listedBill(otherNode, 50e18, 3e18));
        _closeAndAnchor();
        return book.proof(0, 0, 1);
    }

    function test_the_latest_receipt_collects_everything_before_it() public {
        LeafProof memory proof = _anchored();
        uint128 total = proof.leaf.totals.payer;
        vm.expectEmit();
        emit Settlement.Collected(gateway, channelId, 0, 0, total, total);
        vm.assertEq(_collectOne(proof), total);
        vm.assertEq(total, proof.root.pot);
        vm.assertEq(settlement.fundsOf(gateway), total);
        vm.assertEq(escrow.channel(channelId).drawn, total);
        _assertConserved();
    }

    function test_the_same_receipt_collects_once() public {
        LeafProof memory proof = _anchored();
        _collectOne(proof);
        Collection memory row = _collection(proof);
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.NothingToDraw.selector, channelId));
        settlement.collectOne(row);
        row = _collection(book.proof(0, 0, 0));
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.NothingToDraw.selector, channelId));
        settlement.collectOne(row);
    }

    function test_never_more_than_the_voucher_says() public {
        Collection memory row = _collection(_anchored());
        row.maxClaimableAmount = 60e18;
        row.signature = _voucher(PAYER_KEY, channelId, 60e18);
        vm.assertEq(settlement.collectOne(row), 60e18);
        vm.assertGt(settlement.account(gateway).pots, settlement.account(gateway).collected);
    }

    function test_refuses_a_root_that_is_not_anchored() public {
        book.write(_bill(node, 1e18));
        book.close();
        Collection memory row = _collection(book.proof(0, 0, 0));
        vm.expectRevert(abi.encodeWithSelector(Epochs.NotAnchored.selector, gateway, 0));
        settlement.collectOne(row);
    }

    function test_refuses_a_root_with_a_field_changed() public {
        Collection memory row = _collection(_anchored());
        row.proof.root.pot += 1;
        vm.expectRevert(abi.encodeWithSelector(Epochs.NotAnchored.selector, gateway, 0));
        settlement.collectOne(row);
    }

    function test_refuses_a_leaf_that_the_root_does_not_hold() public {
        LeafProof memory honest = _anchored();
        Collection memory row = _collection(honest);
        row.proof.leaf.totals.payer += 1;
        vm.expectRevert(Epochs.NotIncluded.selector);
        settlement.collectOne(row);
        row = _collection(book.proof(0, 0, 0));
        row.proof.inclusion.recordPath[0].sum += 1;
        vm.expectRevert(Epochs.NotIncluded.selector);
        settlement.collectOne(row);
        row = _collection(book.proof(0, 0, 0));
        row.proof.leaf.place.epoch = 1;
        vm.expectRevert(Epochs.NotIncluded.selector);
        settlement.collectOne(row);
    }

    function test_refuses_a_channel_that_the_receipt_does_not_name() public {
        Collection memory row = _collection(_anchored());
        row.config.payerAuthorizer = payer;
        vm.expectRevert(abi.encodeWithSelector(Settlement.WrongChannel.selector, channelId));
        settlement.collectOne(row);
    }

    function test_refuses_another_gateways_channel() public {
        ChannelConfig memory other = _channel(payer, address(0x0DD), 0);
        bytes32 id = escrow.channelId(other);
        _fund(payer, 10e18);
        vm.prank(payer);
        escrow.deposit(other, 10e18);
        Bill memory bill = _bill(node, 1e18);
        bill.channelId = id;
        book.write(bill);
        _closeAndAnchor();
        Collection memory row = Collection(other, 10e18, _voucher(PAYER_KEY, id, 10e18), book.proof(0, 0, 0));
        vm.expectRevert(abi.encodeWithSelector(Settlement.ChannelOfOtherGateway.selector, address(0x0DD)));
        settlement.collectOne(row);
    }

    function test_refuses_a_void_root() public {
        Collection memory row = _collection(_anchored());
        vm.prank(address(challenges));
        settlement.convict(gateway, 0, 1, reporter);
        vm.expectRevert(abi.encodeWithSelector(Epochs.RootVoid.selector, gateway, 0));
        settlement.collectOne(row);
    }

    function test_one_bad_row_never_blocks_the_others() public {
        LeafProof memory proof = _anchored();
        Collection[] memory rows = new Collection[](4);
        for (uint256 i = 0; i < 4; ++i) {
            rows[i] = _collection(book.proof(0, 0, 1));
        }
        rows[0].signature = hex"00";
        rows[1].proof.leaf.totals.payer += 1;
        (rows[2].maxClaimableAmount, rows[2].signature) = (9e18, _voucher(PAYER_KEY, channelId, 9e18));
        vm.expectEmit();
        emit Settlement.RowRefused(
            0, abi.encodeWithSelector(ChannelEscrow.WrongVoucherSignature.selector, channelId, DEPOSIT)
        );
        vm.expectEmit();
        emit Settlement.RowRefused(1, abi.encodeWithSelector(Epochs.NotIncluded.selector));
        settlement.collect(rows);
        vm.assertEq(settlement.fundsOf(gateway), proof.leaf.totals.payer);
        _assertConserved();
    }

    /// @dev Else an estimate of the least gas that succeeds would find one with which every row is refused.
    function testFuzz_a_batch_short_of_gas_fails_whole(uint256 gas_, bool byWallet) public {
        book.write(_listedBill(node, 100e18, 6e18));
        ChannelConfig memory other = _channel(payer, gateway, 1);
        if (byWallet) other.payerAuthorizer = address(new OwnedWallet(payer));
        _fund(payer, DEPOSIT);
        vm.prank(payer);
        escrow.deposit(other, DEPOSIT);
        Bill memory bill = _bill(otherNode, 50e18);
        bill.channelId = escrow.channelId(other);
        book.write(bill);
        _closeAndAnchor();
        Collection[] memory rows = new Collection[](2);
        rows[0] = _collection(book.proof(0, 0, 0));
        bytes memory voucher = _voucher(PAYER_KEY, bill.channelId, DEPOSIT);
        rows[1] = Collection(other, DEPOSIT, voucher, book.proof(0, 0, 1));
        try settlement.collect{gas: 30_000 + gas_ % 500_000}(rows) {
            vm.assertEq(settlement.fundsOf(gateway), book.rootAt(0).pot);
        } catch {
            vm.assertEq(settlement.fundsOf(gateway), 0);
        }
    }

    function test_a_malformed_row_is_refused_like_any_other() public {
        LeafProof memory proof = _anchored();
        Claim[] memory rows = new Claim[](2);
        rows[0] = Claim(Kind.Payer, proof);
        rows[1] = Claim(Kind.Node, proof);
        _collectOne(proof);
        _passWindow();
        bytes memory call_ = abi.encodeCall(Settlement.claim, (rows));
        call_[4 + 32 * 5 - 1] = 0x09; // the first row's kind, out of its range
        (bool ok,) = address(settlement).call(call_);
        vm.assertTrue(ok);
        vm.assertEq(token.balanceOf(otherNode), 50e18);
    }

    function test_an_empty_batch_does_nothing() public {
        settlement.collect(new Collection[](0));
        settlement.claim(new Claim[](0));
    }

    function test_two_lanes_are_collected_side_by_side() public {
        book.write(_bill(node, 100e18));
        Bill memory second = _bill(node, 40e18);
        second.lane = 1;
        book.write(second);
        EpochRoot memory root = _closeAndAnchor();
        _collectOne(book.proof(0, 0, 0));
        _collectOne(book.proof(0, 1, 0));
        vm.assertEq(settlement.fundsOf(gateway), root.pot);
        vm.assertEq(escrow.drawnInLane(channelId, 1), 40e18 + 40e18 / 50 + 4e18);
    }
}

contract ClaimTest is World {
    function setUp() public override {
        super.setUp();
        book.write(_listedBill(node, 100e18, 6e18 + 1));
        book.write(_listedBill(otherNode, 50e18, 3e18));
        _closeAndAnchor();
    }

    function _first() private view returns (LeafProof memory) {
        return book.proof(0, 0, 0);
    }

    function _last() private view returns (LeafProof memory) {
        return book.proof(0, 0, 1);
    }

    function _collectAndWait() private {
        _collectOne(_last());
        _passWindow();
    }

    function _refused(bytes memory reason, Kind kind, LeafProof memory proof) private {
        vm.expectRevert(reason);
        settlement.claimOne(Claim(kind, proof));
    }

    function test_everyone_gets_exactly_their_share() public {
        _collectAndWait();
        vm.assertEq(_claimOne(Kind.Node, _first()), 100e18);
        vm.assertEq(_claimOne(Kind.Node, _last()), 50e18);
        vm.assertEq(_claimOne(Kind.Listing, _last()), 9e18 + 1);
        vm.assertEq(_claimOne(Kind.Gateway, _last()), 15e18);
        vm.assertEq(_claimOne(Kind.Protocol, _last()), 3e18);
        vm.assertEq(token.balanceOf(node), 100e18);
        vm.assertEq(token.balanceOf(otherNode), 50e18);
        vm.assertEq(token.balanceOf(creator), 6.3e18);
        vm.assertEq(token.balanceOf(coauthor), 2.7e18 + 1);
        vm.assertEq(token.balanceOf(gateway), 15e18);
        vm.assertEq(token.balanceOf(address(court)), 3e18);
        vm.assertEq(settlement.fundsOf(gateway), 0);
        vm.assertEq(settlement.bondOf(gateway), BOND);
        _assertConserved();
    }

    function test_the_latest_leaf_claims_what_earlier_ones_left() public {
        _collectAndWait();
        _claimOne(Kind.Node, _first());
        book.write(_bill(node, 11e18));
        book.write(_bill(node, 22e18));
        book.moveTo(2);
        book.write(_bill(node, 33e18));
        _closeAndAnchor();
        _passWindow();
        LeafProof memory proof = book.proof(2, 0, 0);
        vm.assertEq(proof.leaf.totals.node, 166e18);
        vm.expectEmit();
        emit Settlement.Claimed(gateway, node, 0, 0, 66e18, 166e18);
        vm.assertEq(_claimOne(Kind.Node, proof), 66e18);
        bytes32 key = bytes32(uint256(uint160(node)));
        vm.assertEq(settlement.claimedOf(gateway, 0, 0, key), 166e18);
    }

    function test_nothing_is_claimed_twice() public {
        _collectAndWait();
        _claimOne(Kind.Node, _first());
        bytes32 key = bytes32(uint256(uint160(node)));
        _refused(
            abi.encodeWithSelector(Settlement.NothingToClaim.selector, gateway, Kind.Node, key), Kind.Node, _first()
        );
    }

    function test_claims_wait_for_seconds_and_for_blocks() public {
        _collectOne(_last());
        (uint64 timestamp, uint64 blockNumber) =
            (settlement.anchorOf(gateway, 0).finalAt, settlement.anchorOf(gateway, 0).finalBlock);
        bytes memory refusal = abi.encodeWithSelector(Epochs.ChallengeOpen.selector, timestamp, blockNumber);
        vm.warp(timestamp);
        _refused(refusal, Kind.Node, _first());
        vm.roll(blockNumber);
        vm.warp(timestamp - 1);
        _refused(refusal, Kind.Node, _first());
        vm.warp(timestamp);
        _claimOne(Kind.Node, _first());
    }

    function test_refuses_a_payers_total_and_a_listing_that_is_not_there() public {
        _collectAndWait();
        _refused(abi.encodeWithSelector(Settlement.NotClaimable.selector, Kind.Payer), Kind.Payer, _first());
        book.moveTo(2);
        book.write(_bill(node, 1e18));
        _closeAndAnchor();
        _passWindow();
        LeafProof memory unlisted = book.proof(2, 0, 0);
        _refused(abi.encodeWithSelector(Receipts.NoSuchParty.selector, Kind.Listing), Kind.Listing, unlisted);
    }

    function test_a_void_root_pays_nobody() public {
        _collectAndWait();
        vm.prank(address(challenges));
        settlement.convict(gateway, 0, 1, reporter);
        _refused(abi.encodeWithSelector(Epochs.RootVoid.selector, gateway, 0), Kind.Node, _first());
    }

    function test_one_bad_row_never_blocks_the_others() public {
        _collectAndWait();
        Claim[] memory rows = new Claim[](4);
        rows[0] = Claim(Kind.Payer, _first());
        rows[1] = Claim(Kind.Node, _first());
        rows[2] = Claim(Kind.Node, _first());
        rows[3] = Claim(Kind.Listing, _last());
        vm.expectEmit();
        emit Settlement.RowRefused(0, abi.encodeWithSelector(Settlement.NotClaimable.selector, Kind.Payer));
        settlement.claim(rows);
        vm.assertEq(token.balanceOf(node), 100e18);
        vm.assertEq(token.balanceOf(creator), 6.3e18);
    }

    function test_a_listing_is_paid_by_the_version_of_its_receipts() public {
        address[] memory payees = new address[](1);
        uint16[] memory bps = new uint16[](1);
        (payees[0], bps[0]) = (address(0xFACE), 10_000);
        vm.prank(creator);
        listings.revise(listingId, 1, 1, payees, bps);
        _collectAndWait();
        _claimOne(Kind.Listing, _last());
        vm.assertEq(token.balanceOf(address(0xFACE)), 0);
        book.moveTo(2);
        Bill memory bill = _listedBill(node, 1e18, 2e18);
        bill.version = 2;
        book.write(bill);
        _closeAndAnchor();
        _passWindow();
        vm.assertEq(_claimOne(Kind.Listing, book.proof(2, 0, 0)), 2e18);
        vm.assertEq(token.balanceOf(address(0xFACE)), 2e18);
    }

    function test_a_payer_who_leaves_before_collection_costs_the_bond_and_not_the_nodes() public {
        vm.prank(payer);
        escrow.requestWithdraw(config, DEPOSIT);
        vm.warp(block.timestamp + DELAY);
        escrow.finalizeWithdraw(config);
        vm.assertEq(token.balanceOf(payer), DEPOSIT);
        Collection memory row = _collection(_last());
        vm.expectRevert(abi.encodeWithSelector(ChannelEscrow.NothingToDraw.selector, channelId));
        settlement.collectOne(row);
        vm.roll(block.number + 2);
        vm.assertEq(_claimOne(Kind.Node, _first()), 100e18);
        vm.assertEq(_claimOne(Kind.Node, _last()), 50e18);
        vm.assertEq(_claimOne(Kind.Listing, _last()), 9e18 + 1);
        vm.assertEq(settlement.bondOf(gateway), BOND - 159e18 - 1);
        vm.assertEq(settlement.lineOf(gateway, node), LINE - 100e18);
        vm.assertEq(settlement.bond(gateway).lines, 2 * LINE - 150e18);
        bytes32 key = bytes32(uint256(uint160(gateway)));
        _refused(
            abi.encodeWithSelector(Settlement.NothingToClaim.selector, gateway, Kind.Gateway, key),
            Kind.Gateway,
            _last()
        );
        _refused(
            abi.encodeWithSelector(Settlement.NothingToClaim.selector, gateway, Kind.Protocol, bytes32(0)),
            Kind.Protocol,
            _last()
        );
        _assertConserved();
    }

    function test_gateway_and_protocol_wait_for_what_is_not_collected() public {
        Collection memory row = _collection(_last());
        uint128 missing = 10e18;
        row.maxClaimableAmount = _last().root.pot - missing;
        row.signature = _voucher(PAYER_KEY, channelId, row.maxClaimableAmount);
        settlement.collectOne(row);
        _passWindow();
        vm.assertEq(_claimOne(Kind.Gateway, _last()), 15e18 - missing);
        bytes memory refusal =
            abi.encodeWithSelector(Settlement.NothingToClaim.selector, gateway, Kind.Protocol, bytes32(0));
        _refused(refusal, Kind.Protocol, _last());
        _claimOne(Kind.Node, _first());
        _claimOne(Kind.Node, _last());
        _claimOne(Kind.Listing, _last());
        vm.assertEq(settlement.bondOf(gateway), BOND);
        _collectOne(_last());
        vm.assertEq(_claimOne(Kind.Gateway, _last()), missing);
        vm.assertEq(_claimOne(Kind.Protocol, _last()), 3e18);
        vm.assertEq(settlement.fundsOf(gateway), 0);
    }

    function test_a_node_is_made_whole_only_up_to_its_line() public {
        book.moveTo(2);
        book.write(_bill(otherNode, LINE));
        _closeAndAnchor();
        _passWindow();
        vm.assertEq(_claimOne(Kind.Node, book.proof(2, 0, 0)), LINE);
        vm.assertEq(settlement.lineOf(gateway, otherNode), 0);
        vm.assertEq(settlement.lineOf(gateway, node), LINE);
        vm.assertEq(_claimOne(Kind.Node, _first()), 100e18);
        vm.assertEq(settlement.bondOf(gateway), BOND - LINE - 100e18);
        _collectOne(_last());
        vm.assertEq(_claimOne(Kind.Node, book.proof(2, 0, 0)), 50e18);
        _assertConserved();
    }

    function test_a_creator_is_made_whole_from_what_no_line_reserves() public {
        _line(node, BOND - LINE - 4e18);
        _passWindow();
        vm.assertEq(_claimOne(Kind.Listing, _last()), 4e18);
        vm.assertEq(settlement.bondOf(gateway), settlement.bond(gateway).lines);
        _collectOne(_last());
        vm.assertEq(_claimOne(Kind.Listing, _last()), 5e18 + 1);
    }

    function test_after_a_slash_all_lines_are_worth_the_same_fraction() public {
        _line(node, BOND - LINE);
        book.moveTo(1);
        book.write(_bill(node, BOND));
        book.write(_bill(otherNode, BOND));
        _closeAndAnchor();
        _passWindow();
        vm.prank(address(challenges));
        settlement.convict(gateway, 3, 1, reporter);
        vm.assertEq(settlement.bondOf(gateway), BOND / 2);
        vm.assertEq(_claimOne(Kind.Node, book.proof(1, 0, 1)), LINE / 2);
        vm.assertEq(_claimOne(Kind.Node, book.proof(1, 0, 0)), (BOND - LINE) / 2);
        vm.assertEq(settlement.bondOf(gateway), 0);
        vm.assertEq(settlement.bond(gateway).lines, 0);
        _assertConserved();
    }
}

contract BaseShareTest is World {
    function _baseShareBps() internal pure override returns (uint16) {
        return 8_000;
    }

    function test_a_node_claims_the_base_share_of_its_lifetime_total() public {
        book.write(_bill(node, 101));
        book.write(_bill(node, 101));
        _closeAndAnchor();
        _collectOne(book.proof(0, 0, 1));
        _passWindow();
        vm.assertEq(_claimOne(Kind.Node, book.proof(0, 0, 0)), 80);
        vm.assertEq(_claimOne(Kind.Node, book.proof(0, 0, 1)), 81);
        vm.assertEq(settlement.fundsOf(gateway), book.rootAt(0).pot - 161);
    }
}

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
        settlement.claimByDefault(_default(Kind.Node, _leaf));
        vm.assertEq(settlement.unprovenOf(gateway, node), 100e18);
        book.write(_bill(node, 5e18));
        _closeAndAnchor();
        _passWindow();
        LeafProof memory proof = book.proof(2, 0, 0);
        vm.assertEq(proof.leaf.totals.node, 105e18);
        vm.assertEq(_claimOne(Kind.Node, proof), 5e18);
        vm.assertEq(settlement.unprovenOf(gateway, node), 0);
        book.moveTo(30);
        book.write(_bill(node, 7e18));
        _closeAndAnchor();
        _passWindow();
        vm.assertEq(_claimOne(Kind.Node, book.proof(30, 0, 0)), 7e18);
        vm.assertEq(settlement.unprovenOf(gateway, node), 0);
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
