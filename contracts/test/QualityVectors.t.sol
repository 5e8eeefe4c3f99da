// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PayoutKind, Release} from "../src/Payouts.sol";
import {EvaluatorSignature, QualityRoot} from "../src/QualityCourt.sol";
import {Step} from "../src/Types.sol";
import {Courtroom, Row} from "./Courtroom.sol";
import {Json} from "./Json.sol";
import {Trees} from "./Trees.sol";
import {vm} from "./Vm.sol";

/// @notice Known answers of the court that Python's tests must reproduce: what it accepted in a round. Written anew as
/// those of `Vectors.t.sol` are.
contract QualityVectorsTest is Courtroom {
    using Trees for Step[];

    string private constant FILE = "test/quality_vectors.json";

    function test_committed_vectors_are_what_the_court_says() public {
        (, uint64 round) = _draw(100e18);
        _hear(round, 3, 3);
        _warpToPost(round);
        Row[] memory rows = _rows();
        QualityRoot memory root = _root(round, rows, _release(20e18));
        _post(root, _release(20e18), 2);
        _passChallenge();
        court.claim(_claims(rows));

        string memory body = Json.join(Json.number("chainId", block.chainid), Json.field("court", address(court)));
        body = Json.join(body, Json.field("domainSeparator", court.domainSeparator()));
        body = Json.join(body, Json.raw("commitment", _commitmentVector(round)));
        body = Json.join(body, Json.raw("root", _rootVector(root)));
        body = Json.join(body, Json.raw("payouts", _payoutVectors(rows)));
        body = string.concat(Json.object(body), "\n");
        if (vm.envOr("DGRID_WRITE_VECTORS", false)) vm.writeFile(FILE, body);
        vm.assertEq(vm.readFile(FILE), body);
    }

    function _rows() private view returns (Row[] memory rows) {
        rows = new Row[](3);
        rows[0] = Row(PayoutKind.Node, gateway, node, 15e18 + 1);
        rows[1] = Row(PayoutKind.Payer, gateway, payer, 5e18 - 1);
        rows[2] = Row(PayoutKind.Evaluator, address(0), _evaluator(0), 3e14);
    }

    function _commitmentVector(uint64 round) private view returns (string memory body) {
        body = Json.join(Json.field("evaluator", _evaluator(0)), Json.number("round", round));
        body = Json.join(body, Json.field("reportsRoot", _reports(0)));
        body = Json.join(body, Json.field("salt", SALT));
        return Json.object(Json.join(body, Json.field("hash", _commitment(_evaluator(0), round, _reports(0)))));
    }

    /// @dev The digest is the one that the court keeps; the signature one that it took.
    function _rootVector(QualityRoot memory root) private view returns (string memory body) {
        (, bytes32 digest) = court.lastRound();
        EvaluatorSignature memory signed = _signature(0, root);
        body = Json.join(Json.raw("message", Json.qualityRoot(root)), Json.field("hash", digest));
        body = Json.join(body, Json.field("releasedBy", gateway));
        body = Json.join(body, Json.amount("released", 20e18));
        body = Json.join(body, Json.field("signature", signed.signature));
        return Json.object(Json.join(body, Json.field("signer", signed.evaluator)));
    }

    function _payoutVectors(Row[] memory rows) private pure returns (string memory body) {
        for (uint256 i = 0; i < rows.length; ++i) {
            string memory row =
                Json.join(Json.number("kind", uint256(rows[i].kind)), Json.field("gateway", rows[i].gateway));
            row = Json.join(row, Json.field("payee", rows[i].payee));
            row = Json.join(row, Json.amount("total", rows[i].total));
            row = Json.object(Json.join(row, Json.raw("path", Json.steps(_level(rows).pathOf(i)))));
            body = string.concat(body, i == 0 ? "" : ",", row);
        }
        return Json.list(body);
    }
}
