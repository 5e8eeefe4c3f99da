// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Challenges} from "./Challenges.sol";
import {DGAI} from "./DGAI.sol";
import {Evidence} from "./Evidence.sol";
import {Parameter} from "./Parameter.sol";
import {Parameters} from "./Parameters.sol";
import {Receipts} from "./Receipts.sol";
import {Registry} from "./Registry.sol";
import {Seals} from "./Seals.sol";
import {Signatures} from "./Signatures.sol";
import {
    BPS,
    Dispatch,
    EpochRoot,
    Hashes,
    Inclusion,
    LaneLeaf,
    LaneProof,
    Leaf,
    LeafProof,
    NodeReceipt,
    Role,
    Seal,
    Step,
    StoredSignature,
    Usage
} from "./Types.sol";

/// @dev All that a blob holds of one receipt and a contract can check: with it anybody can take the receipt apart.
struct Record {
    LeafProof proof;
    Usage usage;
    Hashes hashes;
    NodeReceipt nodeReceipt;
    Dispatch dispatch;
    Seal nodeSeal;
}

enum DemandState {
    None,
    Open,
    Answered,
    Withheld,
    Moot
}

struct Demand {
    address demander;
    uint64 until;
    DemandState state;
    uint128 deposit;
}

/// @title Records that nobody shows
/// @notice Anyone may ask on chain for what stands at one place of an anchored root, against a deposit. Whoever answers
/// with the whole record, or shows that the place is empty, earns the deposit, and the record is public for ever: so a
/// place is asked for once. No answer in time convicts the gateway and costs the archives that promised to keep its blob.
/// @dev A demand must end before the bond that answers for its root can have left; after that records may be forgotten.
contract Demands is Evidence, ReentrancyGuardTransient {
    using Receipts for Dispatch;
    using Receipts for EpochRoot;
    using Receipts for Hashes;
    using Receipts for Leaf;
    using Receipts for NodeReceipt;
    using Receipts for Usage;
    using SafeERC20 for DGAI;
    using Seals for Seal;

    error WrongPrediction(address predictedByRegistry);
    error RootVoid(address gateway, uint64 epoch);
    error NoSuchLane(uint32 lane, uint32 laneCount);
    error DemandTooLate(uint256 until);
    error AlreadyDemanded(bytes32 id);
    error NotDemanded(bytes32 id);
    error AnswerTooLate(uint64 until);
    error AnswerExpected(uint64 until);
    error IncompleteRecord();
    error NotAbsent(uint64 sequence, uint64 count);
    error NotOfRecords(uint32 lane);
    error WrongStoredSignature(address archive);
    error NotAnExcuse();

    event Demanded(
        bytes32 indexed id,
        address indexed demander,
        address indexed gateway,
        uint64 epoch,
        uint32 lane,
        uint64 sequence,
        uint64 until
    );
    event Answered(bytes32 indexed id, address indexed answerer, bool absent);
    /// @dev The way up that an answer showed, whoever sent it: where sums are wrong, it leads to the lie.
    event RecordProven(bytes32 indexed id, Inclusion inclusion);
    event AbsenceProven(bytes32 indexed id, Step[] lanePath);
    event Withheld(bytes32 indexed id, address indexed demander, bool convicted);
    event Excused(address indexed gateway, uint64 indexed epoch, bytes32 blobId);
    event ArchiveSlashed(
        bytes32 indexed id, address indexed archive, uint128 slashed, uint128 rewarded, uint128 burned
    );

    uint8 private constant WITHHELD = 6;

    DGAI public immutable token;
    Registry public immutable registry;
    Challenges public immutable challenges;
    Parameters public immutable parameters;

    mapping(bytes32 id => Demand) private _demands;

    /// @notice Roots under which no archive's promise counts, by their digest.
    mapping(bytes32 rootDigest => bool) private _isExcused;

    mapping(bytes32 blobId => mapping(address archive => bool)) private _slashedFor;

    /// @dev The registry was given this contract's address before it existed.
    constructor(Challenges challenges_) Evidence(challenges_.settlement()) {
        (challenges, registry) = (challenges_, settlement.registry());
        require(registry.demands() == address(this), WrongPrediction(registry.demands()));
        (token, parameters) = (registry.token(), registry.parameters());
    }

    /// @notice Asks for the record at a place, once for ever. Approve the deposit first.
    function demand(EpochRoot calldata root, uint32 lane, uint64 sequence) external nonReentrant returns (bytes32 id) {
        (address gateway, uint64 epoch) = (root.gateway, root.epoch);
        id = idOf(gateway, epoch, lane, sequence);
        _requireAnchored(root);
        require(!settlement.isVoid(gateway, epoch), RootVoid(gateway, epoch));
        require(lane < root.laneCount, NoSuchLane(lane, root.laneCount));
        require(_demands[id].state == DemandState.None, AlreadyDemanded(id));
        uint64 until = uint64(block.timestamp + parameters.get(Parameter.DemandSeconds));
        _requireBacked(gateway, epoch, until);

        uint128 deposit = uint128(parameters.get(Parameter.DemandDeposit));
        _demands[id] = Demand(msg.sender, until, DemandState.Open, deposit);

        emit Demanded(id, msg.sender, gateway, epoch, lane, sequence, until);
        token.safeTransferFrom(msg.sender, address(this), deposit);
    }

    /// @notice Shows the record that was asked for. Anyone may.
    function answer(Record calldata record) external nonReentrant {
        Leaf calldata leaf = record.proof.leaf;
        bytes32 id = idOf(leaf.parties.gateway, leaf.place.epoch, leaf.place.lane, leaf.place.sequence);
        Demand storage found = _inTime(id);
        _requireIncluded(record.proof);
        require(_isWhole(leaf, record), IncompleteRecord());

        emit RecordProven(id, record.proof.inclusion);
        _answer(id, found, false);
    }

    /// @notice Shows that the place that was asked for is beyond the end of its lane. Anyone may, of a lane as records make
    /// it: for money that no record brought in there is no answer.
    function answerAbsent(LaneProof calldata lane, uint64 sequence) external nonReentrant {
        bytes32 id = idOf(lane.root.gateway, lane.root.epoch, lane.index, sequence);
        Demand storage found = _inTime(id);
        _requireAnchored(lane.root);
        require(_sumFrom(lane) == lane.root.pot && _isMadeByRecords(lane), NotOfRecords(lane.index));
        uint64 count = lane.laneLeaf.count;
        require(sequence >= count, NotAbsent(sequence, count));

        emit AbsenceProven(id, lane.lanePath);
        _answer(id, found, true);
    }

    /// @notice 6. Nobody answered in time: the deposit goes back, the gateway is convicted, and each archive that signed
    /// for the blob is slashed, once a blob. Anyone may send it, again for more archives; who demanded is the reporter.
    /// A root that was voided meanwhile costs nobody anything more.
    function proveWithheld(EpochRoot calldata root, uint32 lane, uint64 sequence, StoredSignature[] calldata stored)
        external
        nonReentrant
    {
        bytes32 id = idOf(root.gateway, root.epoch, lane, sequence);
        Demand storage found = _demands[id];
        _requireAnchored(root);
        if (found.state != DemandState.Withheld) _close(id, found, root);
        if (found.state == DemandState.Moot || _isExcused[root.hash()]) return;
        for (uint256 i = 0; i < stored.length; ++i) {
            _slashArchive(id, root.blobId, stored[i], found.demander);
        }
    }

    /// @notice Clears the archives of a root: its gateway signed another over the same blob, so that their promise says
    /// nothing of this one. An archive that keeps the root with which a blob came can always show it.
    function excuse(EpochRoot calldata root, EpochRoot calldata other, bytes calldata signature) external {
        (bytes32 digest, bytes32 otherDigest) = (root.hash(), other.hash());
        bool same = other.gateway == root.gateway && other.blobId == root.blobId && digest != otherDigest;
        require(same && Signatures.byKey(root.gateway, _typed(otherDigest), signature), NotAnExcuse());

        _isExcused[digest] = true;

        emit Excused(root.gateway, root.epoch, root.blobId);
    }

    function demandOf(bytes32 id) external view returns (Demand memory) {
        return _demands[id];
    }

    function idOf(address gateway, uint64 epoch, uint32 lane, uint64 sequence) public pure returns (bytes32) {
        return keccak256(abi.encode(gateway, epoch, lane, sequence));
    }

    function _inTime(bytes32 id) private view returns (Demand storage found) {
        found = _demands[id];
        require(found.state == DemandState.Open, NotDemanded(id));
        require(block.timestamp < found.until, AnswerTooLate(found.until));
    }

    function _answer(bytes32 id, Demand storage found, bool absent) private {
        found.state = DemandState.Answered;

        emit Answered(id, msg.sender, absent);
        token.safeTransfer(msg.sender, found.deposit);
    }

    function _close(bytes32 id, Demand storage found, EpochRoot calldata root) private {
        require(found.state == DemandState.Open, NotDemanded(id));
        require(block.timestamp >= found.until, AnswerExpected(found.until));
        (address demander, bool moot) = (found.demander, settlement.isVoid(root.gateway, root.epoch));

        found.state = moot ? DemandState.Moot : DemandState.Withheld;

        emit Withheld(id, demander, !moot);
        token.safeTransfer(demander, found.deposit);
        if (!moot) challenges.convictFor(root.gateway, root.epoch, WITHHELD, demander);
    }

    function _slashArchive(bytes32 id, bytes32 blobId, StoredSignature calldata stored, address demander) private {
        address archive = stored.archive;
        bytes32 digest = _typed(Receipts.storedHash(archive, blobId));
        require(Signatures.byKey(archive, digest, stored.signature), WrongStoredSignature(archive));
        if (_slashedFor[blobId][archive]) return;

        _slashedFor[blobId][archive] = true;
        uint128 penalty = uint128(parameters.get(Parameter.UndisclosedPenalty));
        uint128 slashed = registry.slash(Role.Archive, archive, penalty, demander);
        uint128 rewarded = uint128(uint256(slashed) * parameters.get(Parameter.ReporterBps) / BPS);

        emit ArchiveSlashed(id, archive, slashed, rewarded, slashed - rewarded);
        token.safeTransfer(demander, rewarded);
        token.burn(slashed - rewarded);
    }

    /// @dev What stands behind a root may leave so long after it was anchored.
    function _requireBacked(address gateway, uint64 epoch, uint64 until) private view {
        uint256 backedUntil =
            uint256(settlement.anchorOf(gateway, epoch).anchoredAt) + parameters.get(Parameter.BondSeconds);
        require(until <= backedUntil, DemandTooLate(backedUntil));
    }

    function _isWhole(Leaf calldata leaf, Record calldata record) private view returns (bool) {
        bytes32 nodeReceiptHash = record.nodeReceipt.hash();
        return leaf.usageHash == record.usage.hash() && leaf.hashesHash == record.hashes.hash()
            && leaf.nodeReceiptHash == nodeReceiptHash && record.nodeReceipt.dispatchHash == record.dispatch.hash()
            && record.nodeSeal.isBy(leaf.parties.node, nodeReceiptHash, settlement.domainSeparator());
    }

    /// @dev A lane stands under its own number; one without records counts for nothing, and the last is never one.
    function _isMadeByRecords(LaneProof calldata proof) private pure returns (bool) {
        LaneLeaf calldata lane = proof.laneLeaf;
        bool idle = lane.root == bytes32(0) && lane.fees == 0 && proof.index + 1 < proof.root.laneCount;
        return lane.lane == proof.index && (lane.count != 0 || idle);
    }

    function _typed(bytes32 structHash) private view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(settlement.domainSeparator(), structHash);
    }
}
