// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {QualityRoot} from "../src/QualityCourt.sol";
import {ChannelConfig, EpochRoot, InferenceReceipt, Step} from "../src/Types.sol";
import {vm} from "./Vm.sol";

/// @notice Messages as JSON, the way Python writes them: bytes as lower-case hex, amounts above 64 bits as strings.
library Json {
    function object(string memory body) internal pure returns (string memory) {
        return string.concat("{", body, "}");
    }

    function list(string memory body) internal pure returns (string memory) {
        return string.concat("[", body, "]");
    }

    function raw(string memory name, string memory value) internal pure returns (string memory) {
        return string.concat('"', name, '":', value);
    }

    function text(string memory value) internal pure returns (string memory) {
        return string.concat('"', value, '"');
    }

    function field(string memory name, bytes32 value) internal pure returns (string memory) {
        return raw(name, text(vm.toString(value)));
    }

    function field(string memory name, address value) internal pure returns (string memory) {
        return raw(name, text(vm.toString(abi.encodePacked(value))));
    }

    function field(string memory name, bytes memory value) internal pure returns (string memory) {
        return raw(name, text(vm.toString(value)));
    }

    function amount(string memory name, uint256 value) internal pure returns (string memory) {
        return raw(name, text(vm.toString(value)));
    }

    function number(string memory name, uint256 value) internal pure returns (string memory) {
        return raw(name, vm.toString(value));
    }

    function join(string memory a, string memory b) internal pure returns (string memory) {
        return string.concat(a, ",\n", b);
    }

    function step(Step memory value) internal pure returns (string memory) {
        return object(string.concat(field("hash", value.hash), ",", amount("sum", value.sum)));
    }

    function steps(Step[] memory values) internal pure returns (string memory body) {
        for (uint256 i = 0; i < values.length; ++i) {
            body = string.concat(body, i == 0 ? "" : ",", step(values[i]));
        }
        return list(body);
    }

    function receipt(InferenceReceipt memory r) internal pure returns (string memory body) {
        body = join(field("requestId", r.requestId), field("parentReceipt", r.parentReceipt));
        body = join(body, field("nodeReceiptHash", r.nodeReceiptHash));
        body = join(body, raw("parties", object(_parties(r))));
        body = join(body, raw("place", object(_place(r))));
        body = join(body, raw("usage", object(_usage(r))));
        body = join(body, raw("shares", object(_shares(r))));
        body = join(body, raw("totals", object(_totals(r))));
        body = join(body, raw("previous", object(_previous(r))));
        body = join(body, raw("hashes", object(_hashes(r))));
        return object(body);
    }

    function epochRoot(EpochRoot memory root) internal pure returns (string memory body) {
        body = join(field("gateway", root.gateway), number("epoch", root.epoch));
        body = join(body, field("token", root.token));
        body = join(body, field("recordsRoot", root.recordsRoot));
        body = join(body, number("laneCount", root.laneCount));
        body = join(body, field("blobId", root.blobId));
        body = join(body, amount("pot", root.pot));
        return object(join(body, field("previous", root.previous)));
    }

    function qualityRoot(QualityRoot memory root) internal pure returns (string memory body) {
        body = join(number("round", root.round), field("token", root.token));
        body = join(body, field("credibilityRoot", root.credibilityRoot));
        body = join(body, field("payoutsRoot", root.payoutsRoot));
        body = join(body, number("payoutsCount", root.payoutsCount));
        body = join(body, amount("payoutsTotal", root.payoutsTotal));
        body = join(body, field("releasesHash", root.releasesHash));
        body = join(body, field("blobId", root.blobId));
        return object(join(body, field("previous", root.previous)));
    }

    function channelConfig(ChannelConfig memory config) internal pure returns (string memory body) {
        body = join(field("payer", config.payer), field("payerAuthorizer", config.payerAuthorizer));
        body = join(body, field("receiver", config.receiver));
        body = join(body, field("receiverAuthorizer", config.receiverAuthorizer));
        body = join(body, field("token", config.token));
        body = join(body, number("withdrawDelay", config.withdrawDelay));
        return object(join(body, field("salt", config.salt)));
    }

    function _parties(InferenceReceipt memory r) private pure returns (string memory body) {
        body = join(field("channelId", r.parties.channelId), field("payer", r.parties.payer));
        body = join(body, field("gateway", r.parties.gateway));
        body = join(body, field("node", r.parties.node));
        body = join(body, field("modelId", r.parties.modelId));
        body = join(body, field("listingId", r.parties.listingId));
        body = join(body, number("listingVersion", r.parties.listingVersion));
        return join(body, field("token", r.parties.token));
    }

    function _place(InferenceReceipt memory r) private pure returns (string memory) {
        string memory body = join(number("epoch", r.place.epoch), number("lane", r.place.lane));
        return join(body, number("sequence", r.place.sequence));
    }

    function _usage(InferenceReceipt memory r) private pure returns (string memory body) {
        body = join(number("tokensIn", r.usage.tokensIn), number("tokensOut", r.usage.tokensOut));
        body = join(body, number("grade", r.usage.grade));
        body = join(body, number("privacy", r.usage.privacy));
        body = join(body, number("flags", r.usage.flags));
        body = join(body, number("ttftMs", r.usage.ttftMs));
        body = join(body, number("totalMs", r.usage.totalMs));
        return join(body, number("servedAt", r.usage.servedAt));
    }

    function _shares(InferenceReceipt memory r) private pure returns (string memory body) {
        body = join(amount("fee", r.shares.fee), amount("node", r.shares.node));
        body = join(body, amount("listing", r.shares.listing));
        body = join(body, amount("protocol", r.shares.protocol));
        return join(body, amount("gateway", r.shares.gateway));
    }

    function _totals(InferenceReceipt memory r) private pure returns (string memory body) {
        body = join(amount("payer", r.totals.payer), amount("node", r.totals.node));
        body = join(body, amount("listing", r.totals.listing));
        body = join(body, amount("protocol", r.totals.protocol));
        return join(body, amount("gateway", r.totals.gateway));
    }

    function _previous(InferenceReceipt memory r) private pure returns (string memory) {
        string memory body = join(amount("payer", r.previous.payer), amount("node", r.previous.node));
        return join(body, amount("listing", r.previous.listing));
    }

    function _hashes(InferenceReceipt memory r) private pure returns (string memory) {
        string memory body = join(field("request", r.hashes.request), field("route", r.hashes.route));
        body = join(body, field("wire", r.hashes.wire));
        return join(body, field("label", r.hashes.label));
    }
}
