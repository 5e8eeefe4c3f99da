// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ballots} from "../src/Ballots.sol";
import {Outcome, Stage} from "../src/Docket.sol";
import {Juries, Jury} from "../src/Juries.sol";
import {Courthouse} from "./Courthouse.sol";
import {vm} from "./Vm.sol";

/// @notice One sealed vote each, opened by its own hand and in time; two of three convict.
contract BallotsTest is Courthouse {
    bytes32 private _id;
    address[3] private _seated;

    function setUp() public override {
        super.setUp();
        _id = _accuse();
        _seed(_id);
        _enrolAll(_id);
        for (uint256 i = 0; i < 3; ++i) {
            _seated[i] = _juror(_id, Stage.First, i);
        }
    }

    function _toVote() private {
        vm.warp(_jury(_id, Stage.First).enrolUntil);
    }

    function _toUnseal() private {
        vm.warp(_jury(_id, Stage.First).voteUntil);
    }

    function _refusedVote(address juror, bytes32 commitment, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(juror);
        cases.commitVote(_id, commitment);
    }

    function _refusedOpening(address juror, bool guilty, bytes32 salt, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(juror);
        cases.revealVote(_id, guilty, BLOB, salt);
    }

    function test_a_vote_is_sealed_then_opened() public {
        _toVote();
        vm.expectEmit();
        emit Ballots.VoteCommitted(_id, Stage.First, _seated[0]);
        _commitVote(_id, Stage.First, _seated[0], true);
        vm.assertEq(
            cases.voteOf(_id, Stage.First, _seated[0]),
            keccak256(abi.encode(_seated[0], _id, Stage.First, true, BLOB, SALT))
        );
        _toUnseal();
        vm.expectEmit();
        emit Ballots.VoteRevealed(_id, Stage.First, _seated[0], true, BLOB);
        _revealVote(_id, _seated[0], true);
        vm.assertEq(cases.voteOf(_id, Stage.First, _seated[0]), bytes32(uint256(1)));
        Jury memory jury = _jury(_id, Stage.First);
        vm.assertEq(jury.opened, 1);
        vm.assertEq(jury.guilty, 1);
    }

    function test_votes_come_in_their_window() public {
        Jury memory jury = _jury(_id, Stage.First);
        bytes32 vote = _vote(_seated[0], _id, Stage.First, true);
        _refusedVote(_seated[0], vote, abi.encodeWithSelector(Juries.TooEarly.selector, jury.enrolUntil));
        vm.warp(jury.voteUntil);
        _refusedVote(_seated[0], vote, abi.encodeWithSelector(Juries.TooLate.selector, jury.voteUntil));
    }

    function test_openings_come_in_their_window() public {
        Jury memory jury = _jury(_id, Stage.First);
        _toVote();
        _commitVote(_id, Stage.First, _seated[0], true);
        bytes memory early = abi.encodeWithSelector(Juries.TooEarly.selector, jury.voteUntil);
        _refusedOpening(_seated[0], true, SALT, early);
        vm.warp(jury.unsealUntil);
        bytes memory late = abi.encodeWithSelector(Juries.TooLate.selector, jury.unsealUntil);
        _refusedOpening(_seated[0], true, SALT, late);
    }

    function test_nobody_votes_before_there_is_a_jury() public {
        bytes32 id = _accuseGateway();
        vm.expectRevert(abi.encodeWithSelector(Juries.TooLate.selector, 0));
        vm.prank(jurors[0]);
        cases.commitVote(id, SALT);
        _seed(id);
        _enrol(id, jurors[0]);
        _enrol(id, jurors[1]);
        vm.warp(_jury(id, Stage.First).enrolUntil);
        vm.expectRevert(abi.encodeWithSelector(Ballots.JuryIncomplete.selector, 2, 3));
        vm.prank(jurors[0]);
        cases.commitVote(id, SALT);
    }

    function test_only_members_vote_and_once() public {
        _toVote();
        bytes32 vote = _vote(reporter, _id, Stage.First, true);
        _refusedVote(reporter, vote, abi.encodeWithSelector(Ballots.NotAMember.selector, reporter));
        _commitVote(_id, Stage.First, _seated[0], true);
        vote = _vote(_seated[0], _id, Stage.First, false);
        _refusedVote(_seated[0], vote, abi.encodeWithSelector(Ballots.AlreadyVoted.selector, _seated[0]));
        _toUnseal();
        _refusedOpening(_seated[0], false, SALT, abi.encodeWithSelector(Ballots.WrongOpening.selector, _seated[0]));
        _revealVote(_id, _seated[0], true);
        _refusedOpening(_seated[0], true, SALT, abi.encodeWithSelector(Ballots.WrongOpening.selector, _seated[0]));
    }

    function test_the_marks_of_the_contract_are_no_votes() public {
        _toVote();
        for (uint256 i = 0; i < 2; ++i) {
            bytes32 mark = bytes32(i);
            _refusedVote(_seated[0], mark, abi.encodeWithSelector(Ballots.NotAVote.selector, mark));
        }
    }

    /// @dev The name is in the hash.
    function test_a_copied_vote_cannot_be_opened() public {
        _toVote();
        bytes32 vote = _vote(_seated[0], _id, Stage.First, true);
        vm.prank(_seated[0]);
        cases.commitVote(_id, vote);
        vm.prank(_seated[1]);
        cases.commitVote(_id, vote);
        _toUnseal();
        _revealVote(_id, _seated[0], true);
        _refusedOpening(_seated[1], true, SALT, abi.encodeWithSelector(Ballots.WrongOpening.selector, _seated[1]));
    }

    function test_a_first_vote_does_not_open_on_appeal() public {
        _hearVotes(_id, Stage.First, 7, 7);
        _appeal(_id);
        _seed(_id);
        _enrolAll(_id);
        vm.warp(_jury(_id, Stage.Appeal).enrolUntil);
        address juror = _juror(_id, Stage.Appeal, 0);
        vm.prank(juror);
        cases.commitVote(_id, _vote(juror, _id, Stage.First, true));
        vm.warp(_jury(_id, Stage.Appeal).voteUntil);
        _refusedOpening(juror, true, SALT, abi.encodeWithSelector(Ballots.WrongOpening.selector, juror));
    }

    /// @dev Of all seats: neither silence nor a late voice convicts.
    function testFuzz_two_guilty_of_three_seats_convict(uint8 opening, uint8 guilty) public {
        (opening, guilty) = (opening & 7, guilty & 7);
        _hearVotes(_id, Stage.First, opening, guilty);
        _passAppeal();
        cases.execute(_id);
        uint256 votes = _ones(opening & guilty);
        _assertOutcome(_id, votes >= 2 ? Outcome.Convicted : Outcome.Acquitted);
    }

    function _ones(uint8 mask) private pure returns (uint256 count) {
        for (; mask != 0; mask >>= 1) {
            count += mask & 1;
        }
    }
}
