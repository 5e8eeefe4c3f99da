// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    EpochRoot,
    Hashes,
    InferenceReceipt,
    LaneLeaf,
    Leaf,
    NO_PREVIOUS,
    Parties,
    Place,
    Previous,
    Seal,
    Shares,
    Step,
    Totals,
    Usage
} from "../src/Types.sol";
import {Json} from "./Json.sol";
import {Trees} from "./Trees.sol";
import {vm} from "./Vm.sol";
import {World} from "./World.sol";

/// @notice Known answers that Python's tests must reproduce. `DGRID_WRITE_VECTORS=true forge test --match-contract
/// Vectors` writes them anew; otherwise the committed file must be what the contracts say.
contract VectorsTest is World {
    using Trees for Step[];

    string private constant FILE = "test/vectors.json";
    string private constant RECEIPT_TYPE =
        "InferenceReceipt(bytes32 requestId,bytes32 parentReceipt,bytes32 nodeReceiptHash,Parties parties,Place place,Usage usage,Shares shares,Totals totals,Previous previous,Hashes hashes)";
    string private constant HASHES_TYPE = "Hashes(bytes32 request,bytes32 route,bytes32 wire,bytes32 label)";
    string private constant PARTIES_TYPE =
        "Parties(bytes32 channelId,address payer,address gateway,address node,bytes32 modelId,bytes32 listingId,uint32 listingVersion,address token)";
    string private constant PLACE_TYPE = "Place(uint64 epoch,uint32 lane,uint64 sequence)";
    string private constant PREVIOUS_TYPE = "Previous(uint128 payer,uint128 node,uint128 listing)";
    string private constant SHARES_TYPE =
        "Shares(uint128 fee,uint128 node,uint128 listing,uint128 protocol,uint128 gateway)";
    string private constant TOTALS_TYPE =
        "Totals(uint128 payer,uint128 node,uint128 listing,uint128 protocol,uint128 gateway)";
    string private constant USAGE_TYPE =
        "Usage(uint32 tokensIn,uint32 tokensOut,uint8 grade,uint8 privacy,uint32 flags,uint32 ttftMs,uint32 totalMs,uint64 servedAt)";

    function test_committed_vectors_are_what_the_contracts_say() public {
        string memory body = Json.object(
            Json.join(Json.join(_domains(), _receiptVectors()), Json.join(_treeVectors(), _channelVectors()))
        );
        body = string.concat(body, "\n");
        if (vm.envOr("DGRID_WRITE_VECTORS", false)) vm.writeFile(FILE, body);
        vm.assertEq(vm.readFile(FILE), body);
    }

    /// @dev Written out from EIP-712's text, apart from the library: groups hashed one by one, member types sorted.
    function hashInFull(InferenceReceipt memory r) public pure returns (bytes32) {
        bytes memory types = abi.encodePacked(RECEIPT_TYPE, HASHES_TYPE, PARTIES_TYPE, PLACE_TYPE, PREVIOUS_TYPE);
        types = abi.encodePacked(types, SHARES_TYPE, TOTALS_TYPE, USAGE_TYPE);
        bytes memory head = abi.encode(keccak256(types), r.requestId, r.parentReceipt, r.nodeReceiptHash);
        bytes memory groups = abi.encode(
            keccak256(abi.encode(keccak256(bytes(PARTIES_TYPE)), r.parties)),
            keccak256(abi.encode(keccak256(bytes(PLACE_TYPE)), r.place)),
            usageHash(r.usage),
            keccak256(abi.encode(keccak256(bytes(SHARES_TYPE)), r.shares)),
            keccak256(abi.encode(keccak256(bytes(TOTALS_TYPE)), r.totals)),
            keccak256(abi.encode(keccak256(bytes(PREVIOUS_TYPE)), r.previous)),
            hashesHash(r.hashes)
        );
        return keccak256(bytes.concat(head, groups));
    }

    function testFuzz_a_leaf_hashes_as_the_whole_receipt(InferenceReceipt memory r) public view {
        vm.assertEq(exposed.hash(abridged(r)), hashInFull(r));
    }

    function abridged(InferenceReceipt memory r) public pure returns (Leaf memory) {
        return Leaf(
            r.requestId,
            r.parentReceipt,
            r.nodeReceiptHash,
            r.parties,
            r.place,
            usageHash(r.usage),
            r.shares,
            r.totals,
            r.previous,
            hashesHash(r.hashes)
        );
    }

    function usageHash(Usage memory usage) public pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(bytes(USAGE_TYPE)), usage));
    }

    function hashesHash(Hashes memory hashes) public pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(bytes(HASHES_TYPE)), hashes));
    }

    function _sample() private view returns (InferenceReceipt memory r) {
        r.requestId = keccak256("request id");
        r.parentReceipt = bytes32(0);
        r.nodeReceiptHash = keccak256("node receipt");
        r.parties = Parties(channelId, payer, gateway, node, keccak256("dgrid-nano"), listingId, 1, address(token));
        r.place = Place(7, 0, 4);
        r.usage = Usage(31, 128, 1, 2, 5, 42, 977, 1_800_000_153_021);
        r.shares = Shares(1_165e12, 980e12, 65e12, 20e12, 100e12);
        r.totals = Totals(5e18, 4e18 + 1, 3e17, 8e16 + 3, type(uint128).max);
        r.previous = Previous((7 << 64) | 3, (6 << 64) | 12, NO_PREVIOUS);
        r.hashes = Hashes(keccak256("request"), keccak256("route"), keccak256("wire"), keccak256("label"));
    }

    function _domains() private view returns (string memory body) {
        body = Json.join(Json.number("chainId", block.chainid), Json.field("settlement", address(settlement)));
        body = Json.join(body, Json.field("escrow", address(escrow)));
        body = Json.join(body, Json.field("domainSeparator", settlement.domainSeparator()));
        return Json.join(body, Json.field("escrowDomainSeparator", escrow.domainSeparator()));
    }

    function _receiptVectors() private view returns (string memory body) {
        InferenceReceipt memory r = _sample();
        Leaf memory leaf = abridged(r);
        bytes32 structHash = exposed.hash(leaf);
        Seal memory seal = book.seal(leaf, 2);
        body = Json.join(Json.raw("receipt", Json.receipt(r)), Json.field("receiptHash", structHash));
        body = Json.join(body, Json.field("usageHash", leaf.usageHash));
        body = Json.join(body, Json.field("hashesHash", leaf.hashesHash));
        body = Json.join(body, Json.field("receiptDigest", _digest(settlement.domainSeparator(), structHash)));
        Step[] memory path = new Step[](seal.path.length);
        for (uint256 i = 0; i < path.length; ++i) {
            path[i].hash = seal.path[i];
        }
        string memory sealed_ = Json.join(Json.number("index", seal.index), Json.number("count", seal.count));
        sealed_ = Json.join(sealed_, Json.raw("path", Json.steps(path)));
        sealed_ = Json.join(sealed_, Json.field("signature", seal.signature));
        return Json.join(body, Json.raw("seal", Json.object(Json.join(sealed_, Json.field("signer", gateway)))));
    }

    function _treeVectors() private view returns (string memory body) {
        Step[] memory items = new Step[](5);
        Step[] memory level = new Step[](5);
        string memory paths;
        for (uint256 i = 0; i < 5; ++i) {
            items[i] = Step(keccak256(abi.encode("item", i)), uint128(1e18 + i));
            level[i] = Trees.leafOf(items[i].hash, items[i].sum);
        }
        for (uint256 i = 0; i < 5; ++i) {
            paths = string.concat(paths, i == 0 ? "" : ",", Json.steps(level.pathOf(i)));
        }
        Step memory top = level.rootOf();
        body = Json.join(Json.raw("items", Json.steps(items)), Json.raw("root", Json.step(top)));
        body = Json.raw("sumTree", Json.object(Json.join(body, Json.raw("paths", Json.list(paths)))));
        return Json.join(body, _rootVectors(top));
    }

    function _rootVectors(Step memory laneTop) private view returns (string memory body) {
        LaneLeaf memory lane = LaneLeaf(0, 5, laneTop.hash, laneTop.sum);
        LaneLeaf memory idle = LaneLeaf(1, 0, bytes32(0), 0);
        Step[] memory level = new Step[](2);
        level[0] = Trees.leafOf(exposed.laneHash(lane), lane.fees);
        level[1] = Trees.leafOf(exposed.laneHash(idle), idle.fees);
        Step memory top = level.rootOf();
        EpochRoot memory root =
            EpochRoot(gateway, 7, address(token), top.hash, 2, keccak256("blob"), top.sum, keccak256("previous"));
        bytes32 structHash = exposed.hash(root);
        body = Json.raw("lanes", Json.list(string.concat(_lane(lane, level[0]), ",", _lane(idle, level[1]))));
        body = Json.join(body, Json.raw("epochRoot", Json.epochRoot(root)));
        body = Json.join(body, Json.field("epochRootHash", structHash));
        body = Json.join(body, Json.field("epochRootDigest", _digest(settlement.domainSeparator(), structHash)));
        return Json.join(body, Json.field("epochRootSignature", book.signRoot(root)));
    }

    function _lane(LaneLeaf memory lane, Step memory leaf) private view returns (string memory body) {
        body = Json.join(Json.number("lane", lane.lane), Json.number("count", lane.count));
        body = Json.join(body, Json.field("root", lane.root));
        body = Json.join(body, Json.amount("fees", lane.fees));
        body = Json.join(body, Json.field("item", exposed.laneHash(lane)));
        return Json.object(Json.join(body, Json.raw("leaf", Json.step(leaf))));
    }

    function _channelVectors() private view returns (string memory body) {
        bytes memory signature = _voucher(PAYER_KEY, channelId, 77e18);
        body = Json.join(Json.raw("channelConfig", Json.channelConfig(config)), Json.field("channelId", channelId));
        string memory voucher = Json.field("channelId", channelId);
        voucher = Json.object(Json.join(voucher, Json.amount("maxClaimableAmount", 77e18)));
        body = Json.join(body, Json.raw("voucher", voucher));
        body = Json.join(body, Json.field("voucherSignature", signature));
        return Json.join(body, Json.field("voucherSigner", payer));
    }

    function _digest(bytes32 domain, bytes32 structHash) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }
}
