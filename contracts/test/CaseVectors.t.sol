// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Case, Stage} from "../src/Docket.sol";
import {Jury} from "../src/Juries.sol";
import {Dispatch, InferenceRequest, NodeReceipt, Role} from "../src/Types.sol";
import {Courthouse} from "./Courthouse.sol";
import {Json} from "./Json.sol";
import {vm} from "./Vm.sol";

/// @notice Known answers of the courthouse, and of the papers a receipt binds, that Python's tests must reproduce: what
/// the contracts said when it happened. Written anew as those of `Vectors.t.sol` are.
contract CaseVectorsTest is Courthouse {
    string private constant FILE = "test/case_vectors.json";

    function test_committed_vectors_are_what_the_courthouse_says() public {
        uint256 deciding = block.number + 3;
        bytes32 id = _accuse(_refund(payer, 1e17));
        vm.roll(deciding + 1);
        vm.setBlockhash(deciding, keccak256("chance"));
        cases.fixSeed(id);
        _enrolAll(id);
        _hearVotes(id, Stage.First, 1, 1);

        string memory body = Json.join(Json.raw("case", _caseVector(id)), Json.raw("seed", _seedVector(id)));
        body = Json.join(body, Json.raw("seats", _seatVectors(id)));
        body = Json.join(body, Json.raw("vote", _voteVector(id)));
        body = Json.join(body, Json.raw("demand", _demandVector()));
        body = Json.join(body, _paperVectors());
        body = string.concat(Json.object(body), "\n");
        if (vm.envOr("DGRID_WRITE_VECTORS", false)) vm.writeFile(FILE, body);
        vm.assertEq(vm.readFile(FILE), body);
    }

    function _caseVector(bytes32 id) private view returns (string memory body) {
        Case memory found = _case(id);
        body = Json.join(Json.number("subject", uint256(found.subject)), Json.field("accused", found.accused));
        body = Json.join(body, Json.field("matter", found.matter));
        body = Json.join(body, Json.field("evidence", found.evidence));
        return Json.object(Json.join(body, Json.join(Json.number("nth", 0), Json.field("id", id))));
    }

    function _seedVector(bytes32 id) private view returns (string memory body) {
        body = Json.join(Json.number("stage", uint256(Stage.First)), Json.field("chance", keccak256("chance")));
        return Json.object(Json.join(body, Json.field("seed", _jury(id, Stage.First).seed)));
    }

    function _seatVectors(bytes32 id) private view returns (string memory body) {
        Jury memory jury = _jury(id, Stage.First);
        for (uint256 i = 0; i < jury.seats.length; ++i) {
            address evaluator = jury.seats[i].evaluator;
            string memory seat = Json.join(
                Json.field("evaluator", evaluator),
                Json.amount("stake", registry.member(Role.Evaluator, evaluator).stake)
            );
            seat = Json.object(Json.join(seat, Json.amount("rank", jury.seats[i].rank)));
            body = string.concat(body, i == 0 ? "" : ",", seat);
        }
        return Json.list(body);
    }

    /// @dev One that the contract took when it was opened.
    function _voteVector(bytes32 id) private view returns (string memory body) {
        address juror = _juror(id, Stage.First, 0);
        vm.assertEq(_jury(id, Stage.First).opened, 1);
        body = Json.join(Json.field("evaluator", juror), Json.number("stage", uint256(Stage.First)));
        body = Json.join(body, Json.raw("guilty", "true"));
        body = Json.join(body, Json.join(Json.field("evidence", BLOB), Json.field("salt", SALT)));
        return Json.object(Json.join(body, Json.field("hash", _vote(juror, id, Stage.First, true))));
    }

    function _demandVector() private view returns (string memory body) {
        body = Json.join(Json.field("gateway", gateway), Json.number("epoch", 7));
        body = Json.join(body, Json.join(Json.number("lane", 2), Json.number("sequence", 31)));
        return Json.object(Json.join(body, Json.field("id", demands.idOf(gateway, 7, 2, 31))));
    }

    /// @dev The messages' fields count up from one, each in its own type.
    function _paperVectors() private view returns (string memory body) {
        Dispatch memory dispatch = Dispatch(
            bytes32(uint256(1)),
            bytes32(uint256(2)),
            address(3),
            address(4),
            bytes32(uint256(5)),
            bytes32(uint256(6)),
            address(7),
            8,
            9,
            10,
            11,
            12,
            bytes32(uint256(13)),
            bytes32(uint256(14))
        );
        NodeReceipt memory nodeReceipt =
            NodeReceipt(bytes32(uint256(1)), bytes32(uint256(2)), bytes32(uint256(3)), 4, 5);
        InferenceRequest memory request = InferenceRequest(
            bytes32(uint256(1)), address(2), bytes32(uint256(3)), 4, 5, 6, bytes32(uint256(7)), 8, 9, address(10)
        );
        body = Json.join(
            Json.field("dispatchHash", exposed.hash(dispatch)), Json.field("nodeReceiptHash", exposed.hash(nodeReceipt))
        );
        return Json.join(body, Json.field("requestHash", exposed.hash(request)));
    }
}
