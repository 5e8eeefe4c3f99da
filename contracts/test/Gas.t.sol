// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SumTrail} from "../src/Challenges.sol";
import {Parameter} from "../src/Parameter.sol";
import {Role} from "../src/Registry.sol";
import {Claim, Collection, DefaultClaim} from "../src/Settlement.sol";
import {ChannelConfig, EpochRoot, Kind, Leaf, LeafProof, Seal, StoredSignature} from "../src/Types.sol";
import {Bill} from "./Book.sol";
import {vm} from "./Vm.sol";
import {World} from "./World.sol";

/// @notice What each call costs as a transaction of its own. The figures lie in snapshots/.
/// forge-config: default.isolate = true
contract GasTest is World {
    uint64 private constant LEAVES = 64;

    function _snap(string memory group, string memory name) private {
        vm.snapshotGasLastCall(group, name);
    }

    function _busyEpoch() private {
        for (uint256 i = 0; i < LEAVES; ++i) {
            book.write(_listedBill(i % 2 == 0 ? node : otherNode, 1e18, 1e16));
        }
    }

    function test_registry() public {
        address who = address(0x4004);
        _fund(who, 2 * STAKE);
        vm.prank(who);
        token.approve(address(registry), 2 * STAKE);
        vm.prank(who);
        registry.register(Role.Node, STAKE, "http://10.0.0.1:7430", keccak256("offer"), keccak256("key"), 0);
        _snap("Registry", "register");
        vm.prank(who);
        registry.unbond(Role.Node, STAKE);
        _snap("Registry", "unbond");
        vm.warp(block.timestamp + 300);
        vm.prank(who);
        registry.withdraw(Role.Node);
        _snap("Registry", "withdraw");
    }

    function test_delegation() public {
        address who = address(0x4005);
        _join(Role.Node, node, 0);
        _fund(who, 2 * STAKE);
        vm.prank(who);
        token.approve(address(registry), 2 * STAKE);
        vm.prank(who);
        registry.delegateStake(Role.Node, node, STAKE);
        _snap("Registry", "delegateStake: first of the pool");
        vm.warp(block.timestamp + 1);
        vm.prank(who);
        registry.delegateStake(Role.Node, node, STAKE);
        _snap("Registry", "delegateStake: again");
        uint256 shares = registry.delegationOf(Role.Node, node, who).shares;
        vm.prank(who);
        registry.undelegateStake(Role.Node, node, shares);
        _snap("Registry", "undelegateStake");
        vm.warp(block.timestamp + 300);
        vm.prank(who);
        registry.withdrawDelegation(Role.Node, node);
        _snap("Registry", "withdrawDelegation");
    }

    function test_parameters() public {
        _decide(Parameter.ProtocolBps, 250);
        _snap("Parameters", "set: 1 of 49");
    }

    function test_slash() public {
        _join(Role.Node, node, 0);
        vm.warp(block.timestamp + 1);
        address jury = registry.cases();
        vm.prank(jury);
        registry.slash(Role.Node, node, STAKE / 2, reporter);
        _snap("Registry", "slash: half of a stake");
        vm.prank(jury);
        registry.jail(Role.Node, node);
        _snap("Registry", "jail");
    }

    function test_escrow() public {
        ChannelConfig memory fresh = _channel(payer, gateway, 9);
        _fund(payer, 20e18);
        vm.prank(payer);
        escrow.deposit(fresh, 10e18);
        _snap("ChannelEscrow", "deposit: new channel");
        vm.prank(payer);
        escrow.deposit(fresh, 10e18);
        _snap("ChannelEscrow", "deposit: again");
        vm.prank(payer);
        escrow.requestWithdraw(fresh, 5e18);
        _snap("ChannelEscrow", "requestWithdraw");
        vm.warp(block.timestamp + DELAY);
        escrow.finalizeWithdraw(fresh);
        _snap("ChannelEscrow", "finalizeWithdraw");
    }

    function test_anchor() public {
        book.write(_bill(node, 1e18));
        _closeAndAnchor();
        _snap("Settlement", "anchor: first, 2 archives");
        book.write(_bill(node, 1e18));
        _closeAndAnchor();
        _snap("Settlement", "anchor: next, 2 archives");
        book.write(_bill(node, 1e18));
        EpochRoot memory root = book.close();
        _warpToEnd(root.epoch);
        settlement.anchor(root, book.signRoot(root), _stored(root.blobId, 3));
        _snap("Settlement", "anchor: next, 3 archives");
    }

    function test_collect_and_claim() public {
        _busyEpoch();
        _closeAndAnchor();
        _collectOne(book.proof(0, 0, LEAVES - 1));
        _snap("Settlement", "collectOne: first, 64 leaves");
        _passWindow();
        _claimOne(Kind.Node, book.proof(0, 0, LEAVES - 2));
        _snap("Settlement", "claimOne: node, first, 64 leaves");
        _claimOne(Kind.Listing, book.proof(0, 0, LEAVES - 1));
        _snap("Settlement", "claimOne: listing of two payees, first, 64 leaves");
        book.moveTo(3);
        _busyEpoch();
        _closeAndAnchor();
        _collectOne(book.proof(3, 0, LEAVES - 1));
        _snap("Settlement", "collectOne: again, 64 leaves");
        _passWindow();
        _claimOne(Kind.Node, book.proof(3, 0, LEAVES - 2));
        _snap("Settlement", "claimOne: node, again, 64 leaves");
    }

    function test_collect_many() public {
        uint256 count = 32;
        Collection[] memory rows = new Collection[](count);
        for (uint256 i = 0; i < count; ++i) {
            (rows[i].config, rows[i].maxClaimableAmount) = (_channel(payer, gateway, uint96(100 + i)), 10e18);
            _fund(payer, 10e18);
            vm.prank(payer);
            escrow.deposit(rows[i].config, 10e18);
            bytes32 id = escrow.channelId(rows[i].config);
            rows[i].signature = _voucher(PAYER_KEY, id, 10e18);
            Bill memory bill = _bill(node, 1e18);
            bill.channelId = id;
            book.write(bill);
        }
        _closeAndAnchor();
        for (uint64 i = 0; i < count; ++i) {
            rows[i].proof = book.proof(0, 0, i);
        }
        settlement.collect(rows);
        _snap("Settlement", "collect: 32 new channels");
    }

    function test_default() public {
        Leaf memory leaf = book.write(_bill(node, 1e18));
        vm.warp(settlement.endOf(0) + 180);
        DefaultClaim memory row = DefaultClaim(Kind.Node, leaf, book.seal(leaf, 63));
        settlement.claimByDefault(row);
        _snap("Settlement", "claimByDefault: node, seal of 64");
    }

    function test_challenges() public {
        Leaf memory one = book.write(_bill(node, 1e18));
        Leaf memory other = book.leafAt(0, 0, 0);
        other.totals.node += 1;
        (Seal memory sealOfOne, Seal memory sealOfOther) = (book.seal(one, 63), book.seal(other, 63));
        vm.prank(reporter);
        challenges.proveDoublePlace(one, sealOfOne, other, sealOfOther);
        _snap("Challenges", "proveDoublePlace: seals of 64");
    }

    function test_gap() public {
        _busyEpoch();
        Leaf memory leaf = book.leafAt(0, 0, LEAVES - 1);
        leaf.previous.payer = 0;
        book.amend(leaf);
        _closeAndAnchor();
        (LeafProof memory later, LeafProof memory between) = (book.proof(0, 0, LEAVES - 1), book.proof(0, 0, 9));
        vm.prank(reporter);
        challenges.proveGap(Kind.Payer, later, between);
        _snap("Challenges", "proveGap: 64 leaves");
    }
}
