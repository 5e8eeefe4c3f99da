// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Case, Stage} from "./Docket.sol";
import {Juries, Jury} from "./Juries.sol";
import {Parameter} from "./Parameter.sol";
import {BPS} from "./Types.sol";

/// @title How a jury votes
/// @notice In secret first, then in the open: a committed vote names its member, so nobody can copy another's. A seat
/// whose vote is not opened counts as not guilty, and costs its member the penalty for lateness.
abstract contract Ballots is Juries {
    error NotAMember(address evaluator);
    error JuryIncomplete(uint256 seats, uint16 size);
    error NotAVote(bytes32 commitment);
    error AlreadyVoted(address evaluator);
    error WrongOpening(address evaluator);

    event VoteCommitted(bytes32 indexed id, Stage stage, address indexed evaluator);
    event VoteRevealed(bytes32 indexed id, Stage stage, address indexed evaluator, bool guilty, bytes32 evidence);

    // What became of a vote takes its place. No hash comes near it.
    bytes32 private constant OPENED = bytes32(uint256(1));

    mapping(bytes32 id => mapping(Stage stage => mapping(address evaluator => bytes32))) private _votes;

    /// @param commitment keccak256(abi.encode(evaluator, id, stage, guilty, evidence, salt))
    function commitVote(bytes32 id, bytes32 commitment) external {
        Stage stage = _standing(id).stage;
        Jury storage jury = _juries[id][stage];
        _requireWindow(jury.enrolUntil, jury.voteUntil);
        require(_isComplete(jury), JuryIncomplete(jury.seats.length, jury.size));
        require(_sits(jury, msg.sender), NotAMember(msg.sender));
        require(commitment > OPENED, NotAVote(commitment));
        require(_votes[id][stage][msg.sender] == bytes32(0), AlreadyVoted(msg.sender));

        _votes[id][stage][msg.sender] = commitment;

        emit VoteCommitted(id, stage, msg.sender);
    }

    /// @param evidence the blob in which the member shows what it found
    function revealVote(bytes32 id, bool guilty, bytes32 evidence, bytes32 salt) external {
        Stage stage = _standing(id).stage;
        Jury storage jury = _juries[id][stage];
        _requireWindow(jury.voteUntil, jury.unsealUntil);
        bytes32 commitment = keccak256(abi.encode(msg.sender, id, stage, guilty, evidence, salt));
        require(_votes[id][stage][msg.sender] == commitment, WrongOpening(msg.sender));

        _votes[id][stage][msg.sender] = OPENED;
        ++jury.opened;
        if (guilty) ++jury.guilty;

        emit VoteRevealed(id, stage, msg.sender, guilty, evidence);
    }

    /// @notice A member's vote while it is sealed; 1 once it was opened, else zero.
    function voteOf(bytes32 id, Stage stage, address evaluator) external view returns (bytes32) {
        return _votes[id][stage][evaluator];
    }

    function _hasOpened(bytes32 id, Stage stage, address evaluator) internal view returns (bool) {
        return _votes[id][stage][evaluator] == OPENED;
    }

    /// @dev Of all seats, not of those that voted: else silence could convict.
    function _convicts(Case storage found, Jury storage jury) internal view returns (bool) {
        return jury.guilty * BPS >= jury.size * _rule(found, Parameter.VerdictBps);
    }

    /// @dev Both are zero while the seed is not fixed, so that nothing is in time.
    function _requireWindow(uint256 from, uint256 until) internal view {
        require(block.timestamp >= from, TooEarly(from));
        require(block.timestamp < until, TooLate(until));
    }
}
