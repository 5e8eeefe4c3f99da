// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Awards} from "./Awards.sol";
import {Case, Docket, Outcome, Stage, Subject} from "./Docket.sol";
import {DGAI} from "./DGAI.sol";
import {Jury} from "./Juries.sol";
import {Parameter} from "./Parameter.sol";
import {QualityCourt} from "./QualityCourt.sol";
import {Signatures} from "./Signatures.sol";
import {BPS, Role} from "./Types.sol";

/// @title What only people's machines together can tell
/// @notice A drawn jury decides whether a node serves the model it declared, whether a gateway kept a leaf from its
/// judges, whether a quality root is wrong. One appeal to a larger jury of other members. Without a verdict nobody is
/// slashed, except a member that took a seat and did not vote.
contract Cases is Awards {
    using SafeERC20 for DGAI;

    error AlreadyAppealed(bytes32 id);
    error NotConvicted(bytes32 id);
    error AlreadySlashed(bytes32 id, address evaluator);
    error WrongRootSignature(address evaluator);

    event Appealed(bytes32 indexed id, address indexed appellant, bool guilty);
    event Executed(
        bytes32 indexed id, Outcome outcome, uint128 slashed, uint128 refunded, uint128 rewarded, uint128 burned
    );
    event SignerSlashed(
        bytes32 indexed id, address indexed evaluator, uint128 slashed, uint128 rewarded, uint128 burned
    );

    mapping(bytes32 id => mapping(address evaluator => bool)) private _slashedFor;

    constructor(QualityCourt court_) Docket(court_) {}

    /// @notice Takes the first verdict, whichever it is, to a larger jury: once, against twice the bond, which is lost if
    /// the verdict stays. Approve it first. If that jury does not come together, the first verdict stands, and the bond
    /// goes back.
    function appeal(bytes32 id) external nonReentrant {
        Case storage found = _standing(id);
        Jury storage jury = _juries[id][Stage.First];
        require(found.stage == Stage.First, AlreadyAppealed(id));
        require(_isComplete(jury), JuryIncomplete(jury.seats.length, jury.size));
        _requireWindow(jury.unsealUntil, jury.unsealUntil + _rule(found, Parameter.AppealSeconds));

        (found.stage, found.appellant, found.appealBond) = (Stage.Appeal, msg.sender, 2 * found.bond);
        _call(id, Stage.Appeal);

        emit Appealed(id, msg.sender, _convicts(found, jury));
        token.safeTransferFrom(msg.sender, address(this), found.appealBond);
    }

    /// @notice Carries out what the jury decided, or dismisses a case for which too few sat. Anyone may send it.
    function execute(bytes32 id) external nonReentrant {
        Case storage found = _standing(id);
        Outcome outcome = _decided(id, found);

        found.outcome = outcome;
        if (outcome == Outcome.Convicted) found.payDue = found.bond;
        if (found.subject == Subject.QualityRoot) {
            court.settleDispute(uint64(uint256(found.matter)), outcome == Outcome.Convicted);
        }
        _penalizeSilent(id, found);
        _returnBonds(id, found);
        (uint128 slashed, uint128 refunded, uint128 rewarded, uint128 burned) =
            outcome == Outcome.Convicted ? _punish(id, found) : (0, 0, 0, 0);

        emit Executed(id, outcome, slashed, refunded, rewarded, burned);
    }

    /// @notice Slashes an evaluator that signed the root a jury overturned, once. Anyone may send it.
    /// @param signature under the very root that was posted
    function slashSigner(bytes32 id, address evaluator, bytes calldata signature) external nonReentrant {
        Case storage found = _cases[id];
        bool overturned = found.subject == Subject.QualityRoot && found.outcome == Outcome.Convicted;
        require(overturned, NotConvicted(id));
        require(!_slashedFor[id][evaluator], AlreadySlashed(id, evaluator));
        bytes32 digest = MessageHashUtils.toTypedDataHash(court.domainSeparator(), found.disputed);
        require(Signatures.byKey(evaluator, digest, signature), WrongRootSignature(evaluator));

        _slashedFor[id][evaluator] = true;
        uint128 slashed = _slashShare(found, Role.Evaluator, evaluator, Parameter.EvaluatorSlashBps);
        (, uint128 rewarded, uint128 burned) = _distribute(id, found, slashed);

        emit SignerSlashed(id, evaluator, slashed, rewarded, burned);
    }

    /// @notice All that is known of a case. Zeros for one that there never was.
    function caseOf(bytes32 id) external view returns (Case memory found, Jury memory first, Jury memory second) {
        return (_cases[id], _juries[id][Stage.First], _juries[id][Stage.Appeal]);
    }

    /// @dev Refuses while it can still change.
    function _decided(bytes32 id, Case storage found) private view returns (Outcome) {
        Jury storage first = _juries[id][Stage.First];
        if (found.stage == Stage.First) {
            _requireEnrolled(id, first);
            if (!_isComplete(first)) return Outcome.Dismissed;
            _requireOver(first.unsealUntil + _rule(found, Parameter.AppealSeconds));
            return _verdict(found, first);
        }
        Jury storage second = _juries[id][Stage.Appeal];
        _requireEnrolled(id, second);
        if (!_isComplete(second)) return _verdict(found, first);
        _requireOver(second.unsealUntil);
        return _verdict(found, second);
    }

    /// @dev A signer of a wrong root is found by its signature, later.
    function _punish(bytes32 id, Case storage found)
        private
        returns (uint128 slashed, uint128 refunded, uint128 rewarded, uint128 burned)
    {
        address accused = found.accused;
        if (found.subject == Subject.QualityRoot) return (0, 0, 0, 0);
        if (found.subject == Subject.Identity) {
            slashed = _slashShare(found, Role.Node, accused, Parameter.NodeSlashBps);
            registry.jail(Role.Node, accused);
        } else {
            uint128 penalty = uint128(_rule(found, Parameter.UndisclosedPenalty));
            slashed = registry.slash(Role.Gateway, accused, penalty, found.opener);
        }
        (refunded, rewarded, burned) = _distribute(id, found, slashed);
    }

    /// @dev Of all that a slash can reach: what is on its way out as well.
    function _slashShare(Case storage found, Role role, address accused, Parameter share) private returns (uint128) {
        uint256 amount = uint256(registry.slashableOf(role, accused)) * _rule(found, share) / BPS;
        return registry.slash(role, accused, uint128(amount), found.opener);
    }

    function _verdict(Case storage found, Jury storage jury) private view returns (Outcome) {
        return _convicts(found, jury) ? Outcome.Convicted : Outcome.Acquitted;
    }

    function _requireEnrolled(bytes32 id, Jury storage jury) private view {
        require(jury.seed != bytes32(0), SeedNotFixed(id));
        _requireOver(jury.enrolUntil);
    }

    function _requireOver(uint256 until) private view {
        require(block.timestamp >= until, TooEarly(until));
    }
}
