// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Challenges} from "../src/Challenges.sol";
import {Convictions} from "../src/Convictions.sol";
import {Record} from "../src/Demands.sol";
import {Evidence} from "../src/Evidence.sol";
import {Parameter} from "../src/Parameter.sol";
import {Splits} from "../src/Splits.sol";
import {InferenceRequest, Leaf, LeafProof} from "../src/Types.sol";
import {Recorder, Work} from "./Recorder.sol";
import {vm} from "./Vm.sol";

contract SplitsTest is Recorder {
    function _accuse(Record memory record) private {
        splits.proveBadSplit(record.proof, record.usage, record.nodeReceipt, record.dispatch);
    }

    function _convicted(Record memory record) private {
        _close(record);
        vm.prank(reporter);
        _accuse(record);
        vm.assertTrue(settlement.isVoid(gateway, record.proof.root.epoch), "convicted");
        vm.assertGt(token.balanceOf(reporter), 0);
    }

    function _acquitted(Record memory record) private {
        _close(record);
        vm.expectRevert(Evidence.NotEvidence.selector);
        _accuse(record);
    }

    // What is fair.

    function testFuzz_no_honest_split_convicts(Work memory work, bool partly) public {
        work.flags = work.flags & ~(CACHED | SUPPORT);
        (work.inPrice, work.outPrice) = (work.inPrice % 2 ** 80, work.outPrice % 2 ** 80);
        if (!partly) (work.tokensIn, work.tokensOut) = (work.countedIn, work.countedOut);
        if (work.tokensIn > work.countedIn) work.tokensIn = work.countedIn;
        if (work.tokensOut > work.countedOut) work.tokensOut = work.countedOut;
        _acquitted(_write(work));
    }

    function test_a_receipt_of_no_fee_is_fair() public {
        Work memory work = _work();
        (work.tokensIn, work.tokensOut) = (0, 0);
        Record memory record = _write(work);
        vm.assertEq(record.proof.leaf.shares.fee, 0);
        _acquitted(record);
    }

    function test_a_receipt_without_a_listing_is_fair() public {
        Work memory work = _work();
        work.listed = false;
        _acquitted(_write(work));
    }

    /// @dev What took long was begun when the old share counted; what is billed later may count by the new.
    function test_around_a_change_both_shares_of_the_protocol_are_fair() public {
        _decide(Parameter.ProtocolBps, 400);
        book.moveTo(2);
        Record memory record = _write(_work());
        vm.assertEq(record.proof.leaf.shares.protocol, _gross(_work()) / 25);
        _acquitted(record);
        Record memory slow = _write(_work()); // epoch 3
        _shift(slow, _gross(_work()) / 25, _gross(_work()) / 50);
        _close(slow);
        vm.prank(reporter);
        _accuse(slow);
        vm.assertTrue(settlement.isVoid(gateway, 3), "the old share a whole epoch late");
    }

    function test_the_old_share_is_fair_in_the_epoch_of_the_change() public {
        _decide(Parameter.ProtocolBps, 400);
        book.moveTo(2);
        Record memory record = _write(_work());
        _shift(record, _gross(_work()) / 25, _gross(_work()) / 50);
        _acquitted(record);
    }

    function test_the_highest_margin_is_fair_and_a_unit_more_is_not() public {
        Record memory record = _write(_work());
        uint128 most = _gross(_work()) / 5;
        record.proof.leaf.shares.fee += most - record.proof.leaf.shares.gateway;
        record.proof.leaf.shares.gateway = most;
        _amend(record);
        _acquitted(record);
        record = _write(_work());
        record.proof.leaf.shares.fee += most + 1 - record.proof.leaf.shares.gateway;
        record.proof.leaf.shares.gateway = most + 1;
        _amend(record);
        _convicted(record);
    }

    function test_a_lowered_margin_counts_from_the_epoch_after() public {
        _decide(Parameter.MaximumMarginBps, 900);
        book.moveTo(2);
        _acquitted(_write(_work())); // at 1,000, as in epoch 1
        _convicted(_write(_work()));
    }

    function test_a_cached_answer_may_cost_less_and_pays_no_node() public {
        Work memory work = _work();
        work.flags = CACHED;
        Record memory record = _write(work);
        (record.proof.leaf.shares.node, record.proof.leaf.shares.protocol) = (0, 0);
        record.proof.leaf.shares.fee = record.proof.leaf.shares.gateway + record.proof.leaf.shares.listing;
        record.proof.leaf.requestId = keccak256("a later request");
        _amend(record);
        _acquitted(record);
    }

    function test_a_supporting_answer_may_cost_less() public {
        Work memory work = _work();
        work.flags = SUPPORT;
        Record memory record = _write(work);
        record.proof.leaf.shares.fee -= record.proof.leaf.shares.node;
        record.proof.leaf.shares.node = 0;
        _amend(record);
        _acquitted(record);
    }

    // What is not.

    function testFuzz_no_other_share_of_any_party_is_fair(uint8 who, uint128 by, bool more) public {
        Record memory record = _write(_work());
        by = 1 + by % 1e12;
        if (who % 4 == 0) record.proof.leaf.shares.node = _moved(record.proof.leaf.shares.node, by, more);
        if (who % 4 == 1) record.proof.leaf.shares.listing = _moved(record.proof.leaf.shares.listing, by, more);
        if (who % 4 == 2) record.proof.leaf.shares.protocol = _moved(record.proof.leaf.shares.protocol, by, more);
        if (who % 4 == 3) record.proof.leaf.shares.fee = _moved(record.proof.leaf.shares.fee, by, more);
        if (who % 4 != 3) _sumUp(record);
        _amend(record);
        _convicted(record);
    }

    function test_moving_from_the_node_to_the_protocol_convicts() public {
        Record memory record = _write(_work());
        _shift(record, record.proof.leaf.shares.protocol, record.proof.leaf.shares.protocol + 1);
        _convicted(record);
    }

    function test_more_tokens_in_than_the_node_counted_convict() public {
        Work memory work = _work();
        work.countedIn -= 1;
        _convicted(_write(work));
    }

    function test_more_tokens_out_than_the_node_counted_convict() public {
        Work memory work = _work();
        work.countedOut -= 1;
        _convicted(_write(work));
    }

    function testFuzz_anothers_dispatch_convicts(uint8 which) public {
        Record memory record = _write(_work());
        if (which % 5 == 0) record.dispatch.requestId = keccak256("another request");
        if (which % 5 == 1) record.dispatch.gateway = address(1);
        if (which % 5 == 2) record.dispatch.node = otherNode;
        if (which % 5 == 3) record.dispatch.token = address(1);
        if (which % 5 == 4) record.dispatch.modelId = keccak256("another model");
        record.nodeReceipt.dispatchHash = exposed.hash(record.dispatch);
        _amend(record);
        _convicted(record);
    }

    function test_a_flag_is_no_licence_to_charge_more() public {
        Work memory work = _work();
        work.flags = SUPPORT;
        Record memory record = _write(work);
        uint128 most = _gross(work) + _creators(work) + _gross(work) / 5;
        record.proof.leaf.shares.gateway += most + 1 - record.proof.leaf.shares.fee;
        record.proof.leaf.shares.fee = most + 1;
        _amend(record);
        _convicted(record);
    }

    function test_a_cached_answer_that_pays_its_node_convicts() public {
        Work memory work = _work();
        work.flags = CACHED;
        _convicted(_write(work));
    }

    function test_a_flagged_fee_that_is_not_its_parts_convicts() public {
        Work memory work = _work();
        work.flags = SUPPORT;
        Record memory record = _write(work);
        record.proof.leaf.shares.fee -= 1;
        _amend(record);
        _convicted(record);
    }

    function test_a_version_that_was_never_listed_earns_nothing() public {
        Record memory record = _write(_work());
        record.proof.leaf.parties.listingVersion = 2;
        _amend(record);
        _convicted(record);
    }

    function test_a_listing_that_is_none_earns_nothing() public {
        Work memory work = _work();
        Record memory record = _write(work);
        record.proof.leaf.parties.listingId = bytes32(0);
        _amend(record);
        _convicted(record);
    }

    function test_an_unknown_version_that_charges_nothing_is_fair() public {
        Record memory record = _write(_work());
        record.proof.leaf.parties.listingVersion = 9;
        record.proof.leaf.shares.fee -= record.proof.leaf.shares.listing;
        record.proof.leaf.shares.listing = 0;
        _amend(record);
        _acquitted(record);
    }

    // What is no evidence.

    function test_refuses_other_papers_than_the_receipt_names() public {
        Record memory record = _write(_work());
        _close(record);
        record.usage.ttftMs += 1;
        vm.expectRevert(Splits.NotOpened.selector);
        _accuse(record);
        record.usage.ttftMs -= 1;
        record.nodeReceipt.tokensIn += 1;
        vm.expectRevert(Splits.NotOpened.selector);
        _accuse(record);
        record.nodeReceipt.tokensIn -= 1;
        record.dispatch.inPrice += 1;
        vm.expectRevert(Splits.NotOpened.selector);
        _accuse(record);
    }

    function test_refuses_a_leaf_that_no_root_holds() public {
        Record memory record = _write(_work());
        _close(record);
        record.proof.leaf.shares.node += 1;
        vm.expectRevert(Evidence.NotIncluded.selector);
        _accuse(record);
        record.proof.root.pot += 1;
        vm.expectRevert(abi.encodeWithSelector(Evidence.NotAnchored.selector, gateway, 0));
        _accuse(record);
    }

    function test_convicts_once() public {
        Work memory work = _work();
        work.countedIn -= 1;
        Record memory record = _write(work);
        _convicted(record);
        vm.expectRevert(abi.encodeWithSelector(Convictions.AlreadyConvicted.selector, gateway, 0));
        _accuse(record);
    }

    function test_deploys_only_where_challenges_expects_it() public {
        vm.expectRevert(abi.encodeWithSelector(Splits.WrongPrediction.selector, address(splits)));
        new Splits(challenges);
    }

    function test_nobody_else_convicts_through_challenges() public {
        vm.expectRevert(abi.encodeWithSelector(Challenges.NotAJudge.selector, reporter));
        vm.prank(reporter);
        challenges.convictFor(gateway, 0, 5, reporter);
    }

    // The payer's signed maximum.

    function _request(uint128 maxFee) private view returns (InferenceRequest memory request) {
        request.requestHash = keccak256("request");
        (request.payer, request.gateway, request.maxFee) = (payer, gateway, maxFee);
        request.deadline = 1_800_000_100_000;
    }

    /// @dev Two receipts of one request, in different lanes and epochs, of about 1.1e13 each.
    function _twoOf(InferenceRequest memory request) private returns (LeafProof[] memory proofs) {
        bytes32 id = keccak256(abi.encodePacked(hex"1901", settlement.domainSeparator(), exposed.hash(request)));
        proofs = new LeafProof[](2);
        for (uint64 i = 0; i < 2; ++i) {
            Record memory record = _write(_work());
            record.proof.leaf.requestId = id;
            record.dispatch.requestId = id;
            _amend(record);
            _close(record);
            proofs[i] = record.proof;
        }
    }

    function test_receipts_above_their_payers_maximum_convict() public {
        uint128 fee = _gross(_work()) + _gross(_work()) / 10 + _creators(_work());
        InferenceRequest memory request = _request(2 * fee - 1);
        LeafProof[] memory proofs = _twoOf(request);
        vm.prank(reporter);
        splits.proveAboveMaximum(request, proofs);
        vm.assertTrue(settlement.isVoid(gateway, 1));
        vm.assertFalse(settlement.isVoid(gateway, 0));
    }

    function test_receipts_within_their_payers_maximum_do_not() public {
        uint128 fee = _gross(_work()) + _gross(_work()) / 10 + _creators(_work());
        InferenceRequest memory request = _request(2 * fee);
        LeafProof[] memory proofs = _twoOf(request);
        vm.expectRevert(Evidence.NotEvidence.selector);
        splits.proveAboveMaximum(request, proofs);
    }

    function test_no_receipt_counts_twice() public {
        uint128 fee = _gross(_work()) + _gross(_work()) / 10 + _creators(_work());
        InferenceRequest memory request = _request(2 * fee);
        LeafProof[] memory proofs = _twoOf(request);
        proofs[1] = proofs[0];
        vm.expectRevert(Splits.PlacesNotAscending.selector);
        splits.proveAboveMaximum(request, proofs);
    }

    function test_refuses_receipts_of_another_request_or_gateway() public {
        InferenceRequest memory request = _request(1);
        LeafProof[] memory proofs = _twoOf(request);
        request.maxFee = 0;
        bytes memory reason = abi.encodeWithSelector(Splits.OtherRequest.selector, proofs[0].leaf.requestId);
        vm.expectRevert(reason);
        splits.proveAboveMaximum(request, proofs);
        request.maxFee = 1;
        proofs[0].leaf.parties.gateway = address(1);
        vm.expectRevert(reason);
        splits.proveAboveMaximum(request, proofs);
    }

    function test_no_receipts_are_no_evidence() public {
        vm.expectRevert(Evidence.NotEvidence.selector);
        splits.proveAboveMaximum(_request(0), new LeafProof[](0));
    }

    function _shift(Record memory record, uint128 from, uint128 to) private {
        Leaf memory leaf = record.proof.leaf;
        leaf.shares.node = leaf.shares.node + from - to;
        leaf.shares.protocol = to;
        _amend(record);
    }

    function _sumUp(Record memory record) private pure {
        Leaf memory leaf = record.proof.leaf;
        leaf.shares.fee = leaf.shares.node + leaf.shares.listing + leaf.shares.protocol + leaf.shares.gateway;
    }

    function _moved(uint128 value, uint128 by, bool more) private pure returns (uint128) {
        return more || by > value ? value + by : value - by;
    }
}
