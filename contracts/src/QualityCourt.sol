// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Canaries} from "./Canaries.sol";
import {Judging} from "./Judging.sol";
import {Parameter} from "./Parameter.sol";
import {Posted, Release} from "./Payouts.sol";
import {Payouts} from "./Payouts.sol";
import {Settlement} from "./Settlement.sol";
import {Signatures} from "./Signatures.sol";
import {BPS} from "./Types.sol";

/// @dev What a round's judgements come to, as evaluators sign it. `previous` is the struct hash of the last posted root.
struct QualityRoot {
    uint64 round;
    address token;
    bytes32 credibilityRoot;
    bytes32 payoutsRoot;
    uint64 payoutsCount;
    uint128 payoutsTotal;
    bytes32 releasesHash;
    bytes32 blobId;
    bytes32 previous;
}

struct EvaluatorSignature {
    address evaluator;
    bytes signature;
}

/// @title Where quality is judged
/// @notice Fixes what is drawn, keeps evaluators to their word, and takes the root that a quorum of those who judged
/// have signed. It computes no score: the root's table lies in public and everybody can compute it again.
contract QualityCourt is Payouts {
    error WrongRootToken(address token);
    error RoundNotNew(uint64 round, uint64 nextRound);
    error WrongPrevious(bytes32 previous, bytes32 expected);
    error WrongReleases(bytes32 releasesHash);
    error PayoutsOutOfRange(uint128 payoutsTotal, uint256 minimum, uint256 maximum);
    error EvaluatorsNotAscending(address evaluator);
    error NotRevealed(address evaluator, uint64 round);
    error WrongRootSignature(address evaluator);
    error NotTheQuorum(uint256 signed, uint256 quorum);
    error RootNotFinal(uint64 round, uint256 until);
    error RootDisputed(uint64 round);
    error OnlyCases(address caller);
    error NotTheLastRound(uint64 round, uint64 last);
    error RootFinal(uint64 round, uint256 since);
    error NotDisputed(uint64 round);

    /// @dev With its signatures, whoever sends it: those who signed a wrong root answer for it.
    event QualityPosted(
        uint64 indexed round, bytes32 digest, address poster, QualityRoot root, EvaluatorSignature[] signatures
    );
    event Disputed(uint64 indexed round, bytes32 digest);
    event DisputeSettled(uint64 indexed round, bytes32 digest, bool overturned);

    bytes32 private constant QUALITY_ROOT_TYPEHASH = keccak256(
        "QualityRoot(uint64 round,address token,bytes32 credibilityRoot,bytes32 payoutsRoot,uint64 payoutsCount,"
        "uint128 payoutsTotal,bytes32 releasesHash,bytes32 blobId,bytes32 previous)"
    );

    /// @notice The jury's contract: it alone disputes roots.
    address public immutable cases;

    /// @param authors who may set known-answer tasks from the start
    constructor(Settlement settlement_, address[] memory authors) Judging(settlement_) Canaries(authors) {
        cases = registry.cases();
    }

    /// @notice Posts a round's root. Rounds go forward only; a later root covers those that were left out. Whoever sends
    /// it pays the gas, and gains nothing by it.
    /// @param releases what the root takes of each gateway's funds for its nodes and payers
    /// @param signatures of as many evaluators as the quorum takes, all of whom opened their reports of this round, in
    /// ascending order of their addresses
    function post(QualityRoot calldata root, Release[] calldata releases, EvaluatorSignature[] calldata signatures)
        external
        nonReentrant
    {
        bytes32 digest = keccak256(abi.encode(QUALITY_ROOT_TYPEHASH, root));
        _requireNext(root);
        bytes32 releasesHash = keccak256(abi.encode(releases));
        require(releasesHash == root.releasesHash, WrongReleases(releasesHash));
        _takeQuorum(root.round, _hashTypedDataV4(digest), signatures);

        uint256 least = _last.payoutsTotal;
        uint256 most = least + _owe(releases) + _at(Parameter.PoolCap, root.round);
        bool inRange = root.payoutsTotal >= least && root.payoutsTotal <= most;
        require(inRange, PayoutsOutOfRange(root.payoutsTotal, least, most));
        _before = _last;
        _last =
            Posted(digest, root.payoutsRoot, root.payoutsTotal, root.payoutsCount, root.round, uint64(block.timestamp));

        emit QualityPosted(root.round, digest, msg.sender, root, signatures);
        for (uint256 i = 0; i < releases.length; ++i) {
            _pull(releases[i].gateway);
        }
    }

    /// @notice Keeps the last root from becoming final until a jury has answered.
    function dispute(uint64 round) external returns (bytes32 digest) {
        require(msg.sender == cases, OnlyCases(msg.sender));
        digest = _last.digest;
        uint256 finalAt = _lastFinalAt();
        require(digest != bytes32(0) && round == _last.round, NotTheLastRound(round, _last.round));
        require(!disputed, RootDisputed(round));
        require(block.timestamp < finalAt, RootFinal(round, finalAt));

        disputed = true;

        emit Disputed(round, digest);
    }

    /// @notice Ends the dispute. An overturned root never counts: the one before is the last again, its round and those
    /// after it are open for a true root, and what the wrong one took is carried over to the next.
    function settleDispute(uint64 round, bool overturned) external {
        require(msg.sender == cases, OnlyCases(msg.sender));
        require(disputed && round == _last.round, NotDisputed(round));
        bytes32 digest = _last.digest;

        disputed = false;
        if (overturned) _overturn();

        emit DisputeSettled(round, digest, overturned);
    }

    function _requireNext(QualityRoot calldata root) private view {
        require(root.token == address(token), WrongRootToken(root.token));
        (,,, uint256 postFrom) = windowsOf(root.round);
        require(block.timestamp >= postFrom, TooEarly(postFrom));
        // Else a wrong root could be buried under a second one before anybody has disputed it.
        require(!disputed, RootDisputed(_last.round));
        require(block.timestamp >= _lastFinalAt(), RootNotFinal(_last.round, _lastFinalAt()));
        uint64 nextRound = _last.digest == bytes32(0) ? 0 : _last.round + 1;
        require(root.round >= nextRound, RoundNotNew(root.round, nextRound));
        require(root.previous == _last.digest, WrongPrevious(root.previous, _last.digest));
    }

    /// @dev No more than it takes: signers judge a dispute last, so that somebody must be left to judge it.
    function _takeQuorum(uint64 round, bytes32 digest, EvaluatorSignature[] calldata signatures) private {
        uint256 quorum = revealedIn[round] * _at(Parameter.QuorumBps, round) / BPS + 1;
        require(signatures.length == quorum, NotTheQuorum(signatures.length, quorum));
        address last = address(0);
        for (uint256 i = 0; i < quorum; ++i) {
            address evaluator = signatures[i].evaluator;
            require(evaluator > last, EvaluatorsNotAscending(evaluator));
            require(hasRevealed(evaluator, round), NotRevealed(evaluator, round));
            bool signed = Signatures.byKey(evaluator, digest, signatures[i].signature);
            require(signed, WrongRootSignature(evaluator));
            _keepSigned(evaluator, round);
            last = evaluator;
        }
    }
}
