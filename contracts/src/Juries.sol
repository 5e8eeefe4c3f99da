// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Case, Docket, Stage, Subject} from "./Docket.sol";
import {Parameter} from "./Parameter.sol";
import {Member} from "./Registry.sol";
import {Role} from "./Types.sol";

struct Seat {
    address evaluator;
    uint96 rank;
}

/// @dev Times are seconds, zero until the seed is fixed; each window ends where the next begins.
struct Jury {
    bytes32 seed;
    uint64 calledBlock;
    uint64 enrolUntil;
    uint64 voteUntil;
    uint64 unsealUntil;
    uint16 size;
    uint16 opened;
    uint16 guilty;
    Seat[] seats;
}

/// @title Who judges a case
/// @notice A lottery weighted by stake: the seed comes from a block after the case was opened, a member's rank from the
/// seed, its name and its own stake, and the lowest ranks sit. Only stake that stood before the case counts, so nobody
/// can read the seed and then buy, or found, a better rank. Who signed a disputed root ranks behind everybody else: it
/// gets a seat that nobody else takes, so that a dispute is judged by others, and is judged.
abstract contract Juries is Docket {
    error SeedAlreadyFixed(bytes32 id);
    error SeedNotYet(uint256 afterBlock);
    error SeedNotFixed(bytes32 id);
    error TooEarly(uint256 from);
    error TooLate(uint256 until);
    error NotEligible(address evaluator);
    error AlreadyEnrolled(address evaluator);
    error RankTooHigh(uint96 rank, uint96 highest);

    event SeedFixed(bytes32 indexed id, Stage stage, bytes32 seed, uint64 enrolUntil, uint16 size);
    event SeedMissed(bytes32 indexed id, Stage stage, uint64 calledBlock);
    event Enrolled(bytes32 indexed id, Stage stage, address indexed evaluator, uint96 rank);
    event Unseated(bytes32 indexed id, Stage stage, address indexed evaluator);

    /// @dev Blocks from the call to the one whose hash decides.
    uint256 private constant SEED_DELAY = 3;

    /// @dev A member's weight is counted in these.
    uint256 private constant WHOLE_TOKEN = 1e18;

    /// @dev The highest bit of a rank; lots fill those below.
    uint256 private constant BEHIND = 1 << 95;

    mapping(bytes32 id => mapping(Stage stage => Jury)) internal _juries;

    /// @notice Fixes the seed of a case's stage and opens its windows. Anyone may send it; what it says does not depend on
    /// who does. If the chain no longer knows the deciding block, a new one is waited for.
    function fixSeed(bytes32 id) external {
        Case storage found = _standing(id);
        Stage stage = found.stage;
        Jury storage jury = _juries[id][stage];
        require(jury.seed == bytes32(0), SeedAlreadyFixed(id));
        uint256 deciding = jury.calledBlock + SEED_DELAY;
        require(block.number > deciding, SeedNotYet(deciding));

        bytes32 chance = blockhash(deciding);
        if (chance == bytes32(0)) return _missSeed(id, stage);
        jury.seed = keccak256(abi.encode(id, stage, chance));
        jury.size = uint16(_rule(found, stage == Stage.First ? Parameter.CaseCommittee : Parameter.AppealCommittee));
        jury.enrolUntil = uint64(block.timestamp + _rule(found, Parameter.EnrolSeconds));
        jury.voteUntil = uint64(jury.enrolUntil + _rule(found, Parameter.VoteSeconds));
        jury.unsealUntil = uint64(jury.voteUntil + _rule(found, Parameter.UnsealSeconds));

        emit SeedFixed(id, stage, jury.seed, jury.enrolUntil, jury.size);
    }

    /// @notice Takes a seat, if the sender's rank is among the lowest so far. Whoever still has it when voting begins owes
    /// an opened vote.
    function enrol(bytes32 id) external {
        Case storage found = _standing(id);
        Stage stage = found.stage;
        Jury storage jury = _juries[id][stage];
        require(jury.seed != bytes32(0), SeedNotFixed(id));
        require(block.timestamp < jury.enrolUntil, TooLate(jury.enrolUntil));
        require(!_sits(jury, msg.sender), AlreadyEnrolled(msg.sender));
        uint96 rank = _rankOf(id, found, jury.seed, msg.sender);

        address unseated = _seat(jury, Seat(msg.sender, rank));

        if (unseated != address(0)) emit Unseated(id, stage, unseated);
        emit Enrolled(id, stage, msg.sender, rank);
    }

    function _call(bytes32 id, Stage stage) internal override {
        _juries[id][stage].calledBlock = uint64(block.number);
    }

    function _sits(Jury storage jury, address evaluator) internal view returns (bool) {
        for (uint256 i = 0; i < jury.seats.length; ++i) {
            if (jury.seats[i].evaluator == evaluator) return true;
        }
        return false;
    }

    /// @dev With an empty seat there is no jury. Sizes are at least one.
    function _isComplete(Jury storage jury) internal view returns (bool) {
        return jury.size != 0 && jury.seats.length == jury.size;
    }

    function _missSeed(bytes32 id, Stage stage) private {
        _call(id, stage);
        emit SeedMissed(id, stage, uint64(block.number));
    }

    /// @dev Fills the table, then puts the newcomer in the place of the highest rank.
    function _seat(Jury storage jury, Seat memory newcomer) private returns (address unseated) {
        if (jury.seats.length < jury.size) {
            jury.seats.push(newcomer);
            return address(0);
        }
        uint256 worst = 0;
        for (uint256 i = 1; i < jury.seats.length; ++i) {
            if (jury.seats[i].rank > jury.seats[worst].rank) worst = i;
        }
        uint96 highest = jury.seats[worst].rank;
        require(newcomer.rank < highest, RankTooHigh(newcomer.rank, highest));
        unseated = jury.seats[worst].evaluator;
        jury.seats[worst] = newcomer;
    }

    function _rankOf(bytes32 id, Case storage found, bytes32 seed, address evaluator) private view returns (uint96) {
        Member memory member = registry.member(Role.Evaluator, evaluator);
        uint256 weight = member.stake / WHOLE_TOKEN;
        bool serves = weight != 0 && member.raisedAt < found.openedAt && registry.isActive(Role.Evaluator, evaluator);
        require(serves && _isImpartial(id, found, evaluator), NotEligible(evaluator));
        bytes32 lot = keccak256(abi.encode(seed, id, found.stage, evaluator));
        uint256 rank = (uint256(lot) >> 161) / weight;
        return uint96(_hasSigned(found, evaluator) ? rank | BEHIND : rank);
    }

    function _hasSigned(Case storage found, address evaluator) private view returns (bool) {
        return found.subject == Subject.QualityRoot && court.hasSigned(evaluator, uint64(uint256(found.matter)));
    }

    /// @dev No party to the case, and on appeal nobody who has judged it; for an identity, only who runs the model.
    function _isImpartial(bytes32 id, Case storage found, address evaluator) private view returns (bool) {
        if (evaluator == found.accused || evaluator == found.opener || evaluator == found.appellant) return false;
        if (found.stage == Stage.Appeal && _sits(_juries[id][Stage.First], evaluator)) return false;
        return found.subject != Subject.Identity || registry.declares(Role.Evaluator, evaluator, found.matter);
    }
}
