// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {DGAI} from "./DGAI.sol";
import {Parameter} from "./Parameter.sol";
import {Parameters} from "./Parameters.sol";
import {QualityCourt} from "./QualityCourt.sol";
import {Registry} from "./Registry.sol";
import {MAX_REFUNDS, Role} from "./Types.sol";

/// @dev What is alleged: a node serves another model than it declared; a gateway kept a drawn leaf from its judges; a
/// quality root is not what everybody computes.
enum Subject {
    Identity,
    Undisclosed,
    QualityRoot
}

/// @dev Dismissed: there were too few members to judge.
enum Outcome {
    Open,
    Dismissed,
    Acquitted,
    Convicted
}

/// @dev The first jury, and the one that hears an appeal.
enum Stage {
    First,
    Appeal
}

/// @dev What a payer shall get back of what is slashed.
struct Refund {
    address payer;
    uint96 amount;
}

/// @dev `matter` is the model's digest, or a hash that names gateway, epoch and leaf, or the round as a word; `disputed`
/// the digest of that round's root; `epoch` the one whose parameters count; `payDue` what the members still get of what
/// is slashed; `appellant` zero while there is no appeal.
struct Case {
    Subject subject;
    Stage stage;
    Outcome outcome;
    uint64 epoch;
    uint64 openedAt;
    address accused;
    address opener;
    address appellant;
    uint128 bond;
    uint128 appealBond;
    uint128 payDue;
    bytes32 matter;
    bytes32 evidence;
    bytes32 disputed;
    Refund[] refunds;
}

/// @title What a jury is asked
/// @notice Anyone opens a case, against a bond that is lost if the jury does not convict. About one matter of one accused
/// there is one open case at a time; a withheld leaf is punished once.
abstract contract Docket is ReentrancyGuardTransient {
    using SafeERC20 for DGAI;

    error WrongPrediction(address predictedByRegistry);
    error NothingAtStake(address accused);
    error NotARound(address accused, bytes32 matter);
    error NoEvidence();
    error TooManyRefunds(uint256 count, uint256 maximum);
    error RefundOutOfRange(address payer, uint96 amount, uint256 maximum);
    error CaseStanding(bytes32 id);
    error AlreadyPunished(bytes32 id);
    error NoSuchCase(bytes32 id);
    error CaseClosed(bytes32 id);

    event CaseOpened(
        bytes32 indexed id,
        Subject subject,
        address indexed accused,
        bytes32 matter,
        bytes32 evidence,
        address indexed opener,
        Refund[] refunds
    );

    DGAI public immutable token;
    Registry public immutable registry;
    QualityCourt public immutable court;
    Parameters public immutable parameters;

    mapping(bytes32 id => Case) internal _cases;

    /// @dev The last case about a matter, and how many there were.
    mapping(bytes32 matterKey => bytes32 id) private _latest;
    mapping(bytes32 matterKey => uint256) private _heard;

    /// @dev The registry was given this contract's address before it existed.
    constructor(QualityCourt court_) {
        (court, registry, token) = (court_, court_.registry(), court_.token());
        require(registry.cases() == address(this), WrongPrediction(registry.cases()));
        parameters = registry.parameters();
    }

    /// @notice Accuses. Approve the bond first. The refunds are part of what the jury says yes or no to.
    /// @param accused zero for a quality root, whose signers are found one by one after the verdict
    /// @param evidence the blob from which the jury can see what is alleged
    function open(Subject subject, address accused, bytes32 matter, bytes32 evidence, Refund[] calldata refunds)
        external
        nonReentrant
        returns (bytes32 id)
    {
        require(evidence != bytes32(0), NoEvidence());
        _checkAccused(subject, accused, matter);
        _checkRefunds(subject, refunds);
        id = _newId(subject, accused, matter, evidence);

        Case storage found = _cases[id];
        (found.subject, found.accused, found.opener) = (subject, accused, msg.sender);
        (found.epoch, found.openedAt) = (parameters.epochNow(), uint64(block.timestamp));
        (found.matter, found.evidence) = (matter, evidence);
        found.bond = uint128(_rule(found, Parameter.CaseBond));
        for (uint256 i = 0; i < refunds.length; ++i) {
            found.refunds.push(refunds[i]);
        }
        _call(id, Stage.First);

        emit CaseOpened(id, subject, accused, matter, evidence, msg.sender, refunds);
        token.safeTransferFrom(msg.sender, address(this), found.bond);
        if (subject == Subject.QualityRoot) found.disputed = court.dispute(uint64(uint256(matter)));
    }

    /// @dev Begins a stage: its seed comes from a block that does not exist yet.
    function _call(bytes32 id, Stage stage) internal virtual;

    function _standing(bytes32 id) internal view returns (Case storage found) {
        found = _cases[id];
        require(found.openedAt != 0, NoSuchCase(id));
        require(found.outcome == Outcome.Open, CaseClosed(id));
    }

    /// @dev What counts for a case: its own epoch's parameters, however long it takes.
    function _rule(Case storage found, Parameter parameter) internal view returns (uint256) {
        return parameters.at(parameter, found.epoch);
    }

    function _newId(Subject subject, address accused, bytes32 matter, bytes32 evidence) private returns (bytes32 id) {
        bytes32 key = keccak256(abi.encode(subject, accused, matter));
        bytes32 before = _latest[key];
        if (before != bytes32(0)) {
            Outcome outcome = _cases[before].outcome;
            require(outcome != Outcome.Open, CaseStanding(before));
            bool again = subject == Subject.Undisclosed && outcome == Outcome.Convicted;
            require(!again, AlreadyPunished(before));
        }
        id = keccak256(abi.encode(subject, accused, matter, evidence, _heard[key]++));
        _latest[key] = id;
    }

    function _checkAccused(Subject subject, address accused, bytes32 matter) private view {
        if (subject == Subject.QualityRoot) {
            bool named = accused == address(0) && uint256(matter) <= type(uint64).max;
            require(named, NotARound(accused, matter));
            return;
        }
        Role role = subject == Subject.Identity ? Role.Node : Role.Gateway;
        require(registry.slashableOf(role, accused) != 0, NothingAtStake(accused));
    }

    function _checkRefunds(Subject subject, Refund[] calldata refunds) private view {
        uint256 most = subject == Subject.QualityRoot ? 0 : MAX_REFUNDS;
        require(refunds.length <= most, TooManyRefunds(refunds.length, most));
        uint256 maximum = parameters.get(Parameter.RequestValueMax);
        for (uint256 i = 0; i < refunds.length; ++i) {
            (address payer, uint96 amount) = (refunds[i].payer, refunds[i].amount);
            bool inRange = payer != address(0) && amount <= maximum;
            require(inRange, RefundOutOfRange(payer, amount, maximum));
        }
    }
}
