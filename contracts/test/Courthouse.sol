// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Case, Outcome, Refund, Stage, Subject} from "../src/Docket.sol";
import {Jury, Seat} from "../src/Juries.sol";
import {Role} from "../src/Types.sol";
import {Courtroom} from "./Courtroom.sol";
import {vm} from "./Vm.sol";

/// @notice The small network with enough evaluators for two juries: thirteen that run the model, of which five also
/// judge rounds. Three sit first, five on appeal; two of three convict.
abstract contract Courthouse is Courtroom {
    bytes32 internal constant MODEL = keccak256("weights of the claimed model");
    bytes32 internal constant BLOB = keccak256("evidence");
    uint256 internal constant JURORS = 13;
    uint128 internal constant CASE_BOND = 10e18;
    uint256 internal constant SUPPLY = 1_000_000_000e18;

    address internal opener = address(0x09E4);
    address internal appellant = address(0xA99E);
    address[] internal jurors;

    function setUp() public virtual override {
        super.setUp();
        _join(Role.Node, node, 0);
        for (uint256 i = 0; i < JURORS; ++i) {
            address juror = i < EVALUATORS ? _evaluator(i) : address(uint160(0x7000 + i));
            if (i >= EVALUATORS) _join(Role.Evaluator, juror, 0);
            jurors.push(juror);
            _declare(juror);
        }
        _rich(opener);
        _rich(appellant);
        vm.warp(block.timestamp + 1);
    }

    function _rich(address who) internal {
        _fund(who, 1_000e18);
        vm.prank(who);
        token.approve(address(cases), type(uint256).max);
    }

    function _declare(address evaluator) internal {
        bytes32[] memory digests = new bytes32[](1);
        digests[0] = MODEL;
        vm.prank(evaluator);
        registry.declareModels(Role.Evaluator, digests);
    }

    function _noRefunds() internal pure returns (Refund[] memory) {
        return new Refund[](0);
    }

    function _refund(address to, uint96 amount) internal pure returns (Refund[] memory refunds) {
        refunds = new Refund[](1);
        refunds[0] = Refund(to, amount);
    }

    // The way of a case.

    function _accuse() internal returns (bytes32) {
        return _accuse(_noRefunds());
    }

    function _accuse(Refund[] memory refunds) internal returns (bytes32) {
        vm.prank(opener);
        return cases.open(Subject.Identity, node, MODEL, BLOB, refunds);
    }

    function _accuseGateway() internal returns (bytes32) {
        vm.prank(opener);
        return cases.open(Subject.Undisclosed, gateway, keccak256("leaf"), BLOB, _noRefunds());
    }

    function _seed(bytes32 id) internal {
        vm.roll(block.number + 4);
        cases.fixSeed(id);
    }

    function _enrol(bytes32 id, address juror) internal returns (bool enrolled) {
        vm.prank(juror);
        try cases.enrol(id) {
            return true;
        } catch {
            return false;
        }
    }

    /// @dev All that may.
    function _enrolAll(bytes32 id) internal {
        for (uint256 i = 0; i < jurors.length; ++i) {
            _enrol(id, jurors[i]);
        }
    }

    function _jury(bytes32 id, Stage stage) internal view returns (Jury memory) {
        (, Jury memory first, Jury memory second) = cases.caseOf(id);
        return stage == Stage.First ? first : second;
    }

    function _case(bytes32 id) internal view returns (Case memory found) {
        (found,,) = cases.caseOf(id);
    }

    function _juror(bytes32 id, Stage stage, uint256 seat) internal view returns (address) {
        return _jury(id, stage).seats[seat].evaluator;
    }

    function _vote(address juror, bytes32 id, Stage stage, bool guilty) internal pure returns (bytes32) {
        return keccak256(abi.encode(juror, id, stage, guilty, BLOB, SALT));
    }

    function _commitVote(bytes32 id, Stage stage, address juror, bool guilty) internal {
        vm.prank(juror);
        cases.commitVote(id, _vote(juror, id, stage, guilty));
    }

    function _revealVote(bytes32 id, address juror, bool guilty) internal {
        vm.prank(juror);
        cases.revealVote(id, guilty, BLOB, SALT);
    }

    /// @dev Seats the jury and lets the seats in `opening` vote, those in `guilty` guilty; ends when votes are open.
    function _try(bytes32 id, Stage stage, uint256 opening, uint256 guilty) internal {
        _seed(id);
        _enrolAll(id);
        _hearVotes(id, stage, opening, guilty);
    }

    function _hearVotes(bytes32 id, Stage stage, uint256 opening, uint256 guilty) internal {
        Jury memory jury = _jury(id, stage);
        vm.warp(jury.enrolUntil);
        for (uint256 i = 0; i < jury.seats.length; ++i) {
            if (opening >> i & 1 == 1) _commitVote(id, stage, jury.seats[i].evaluator, guilty >> i & 1 == 1);
        }
        vm.warp(jury.voteUntil);
        for (uint256 i = 0; i < jury.seats.length; ++i) {
            if (opening >> i & 1 == 1) _revealVote(id, jury.seats[i].evaluator, guilty >> i & 1 == 1);
        }
        vm.warp(jury.unsealUntil);
    }

    function _appeal(bytes32 id) internal {
        vm.prank(appellant);
        cases.appeal(id);
    }

    function _passAppeal() internal {
        vm.warp(block.timestamp + 15);
    }

    /// @dev A case from its opening to its verdict, without an appeal.
    function _decided(bytes32 id, uint256 opening, uint256 guilty) internal {
        _try(id, Stage.First, opening, guilty);
        _passAppeal();
        cases.execute(id);
    }

    // What is asked of it.

    function _assertOutcome(bytes32 id, Outcome outcome) internal view {
        vm.assertEq(uint256(_case(id).outcome), uint256(outcome), "outcome");
    }

    function _assertHeld(uint256 amount) internal view {
        vm.assertEq(token.balanceOf(address(cases)), amount, "cases hold the open bonds");
    }

    function _stakeOf(address juror) internal view returns (uint128) {
        return registry.stakeOf(Role.Evaluator, juror);
    }
}

/// @notice A case that is open: the node is accused, and nobody has judged it yet.
abstract contract OpenCase is Courthouse {
    bytes32 internal _id;

    function setUp() public override {
        super.setUp();
        _id = _accuse();
    }

    /// @dev What a member was paid so far: it held nothing before.
    function _paid(Stage stage, uint256 seat) internal view returns (uint256) {
        return token.balanceOf(_juror(_id, stage, seat));
    }
}
