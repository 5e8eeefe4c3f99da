// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {DGAI} from "./DGAI.sol";
import {Draws} from "./Draws.sol";
import {Parameter} from "./Parameter.sol";
import {BPS, Role} from "./Types.sol";

/// @title One commitment and one opening per evaluator and round
/// @notice A commitment names its evaluator, so that nobody can commit to another's reports without knowing them. Who
/// commits and then withholds loses stake: else one could wait for the others' openings and choose.
abstract contract Rounds is Draws, ReentrancyGuardTransient {
    using SafeERC20 for DGAI;

    error EvaluatorNotActive(address evaluator);
    error NotACommitment(bytes32 commitment);
    error AlreadyCommitted(address evaluator, uint64 round);
    error WrongOpening(address evaluator, uint64 round);
    error NothingWithheld(address evaluator, uint64 round);

    event Committed(address indexed evaluator, uint64 indexed round, bytes32 commitment);
    event Revealed(address indexed evaluator, uint64 indexed round, bytes32 reportsRoot, bytes32 blobId);
    event Penalized(address indexed evaluator, uint64 indexed round, uint128 amount, address reporter);

    // What became of a commitment takes its place. No hash comes near these.
    bytes32 private constant REVEALED = bytes32(uint256(1));
    bytes32 private constant PENALIZED = bytes32(uint256(2));
    bytes32 private constant SIGNED = bytes32(uint256(3)); // revealed, and among those that a posted root counted with

    /// @notice How many evaluators opened their reports of a round.
    mapping(uint64 round => uint256) public revealedIn;

    mapping(uint64 round => mapping(address evaluator => bytes32)) private _commitments;

    /// @param commitment keccak256(abi.encode(evaluator, round, reportsRoot, salt))
    function commit(uint64 round, bytes32 commitment) external {
        _requireWindow(_commitFrom(round), _revealFrom(round));
        require(commitment > SIGNED, NotACommitment(commitment));
        require(_commitments[round][msg.sender] == bytes32(0), AlreadyCommitted(msg.sender, round));
        require(registry.isActive(Role.Evaluator, msg.sender), EvaluatorNotActive(msg.sender));

        _commitments[round][msg.sender] = commitment;

        emit Committed(msg.sender, round, commitment);
    }

    /// @param blobId where the reports lie
    function reveal(uint64 round, bytes32 reportsRoot, bytes32 blobId, bytes32 salt) external {
        uint256 revealFrom = _revealFrom(round);
        _requireWindow(revealFrom, revealFrom + _at(Parameter.RevealSeconds, round));
        bytes32 commitment = keccak256(abi.encode(msg.sender, round, reportsRoot, salt));
        require(_commitments[round][msg.sender] == commitment, WrongOpening(msg.sender, round));

        _commitments[round][msg.sender] = REVEALED;
        ++revealedIn[round];

        emit Revealed(msg.sender, round, reportsRoot, blobId);
    }

    /// @notice Slashes an evaluator that committed and did not open in time, once a round. The reporter gets its share,
    /// rounded down; the rest is burned.
    function penalize(address evaluator, uint64 round) external nonReentrant {
        uint256 openFrom = _openFrom(round);
        require(block.timestamp >= openFrom, TooEarly(openFrom));
        require(_commitments[round][evaluator] > SIGNED, NothingWithheld(evaluator, round));

        _commitments[round][evaluator] = PENALIZED;
        uint128 penalty = uint128(_at(Parameter.LatePenalty, round));
        uint128 amount = registry.slash(Role.Evaluator, evaluator, penalty, msg.sender);
        uint128 rewarded = uint128(amount * _at(Parameter.ReporterBps, round) / BPS);

        emit Penalized(evaluator, round, amount, msg.sender);
        if (rewarded != 0) token.safeTransfer(msg.sender, rewarded);
        if (amount != rewarded) token.burn(amount - rewarded);
    }

    /// @notice The commitment while it is not opened; 1 once it was, 2 once its withholding was penalized, 3 once its
    /// evaluator signed a root of the round that was posted, else zero.
    function commitmentOf(address evaluator, uint64 round) external view returns (bytes32) {
        return _commitments[round][evaluator];
    }

    function hasRevealed(address evaluator, uint64 round) public view returns (bool) {
        bytes32 word = _commitments[round][evaluator];
        return word == REVEALED || word == SIGNED;
    }

    /// @notice Whether a root of the round was posted with the evaluator's signature, overturned or not.
    function hasSigned(address evaluator, uint64 round) external view returns (bool) {
        return _commitments[round][evaluator] == SIGNED;
    }

    /// @dev Of one that has revealed.
    function _keepSigned(address evaluator, uint64 round) internal {
        _commitments[round][evaluator] = SIGNED;
    }
}
