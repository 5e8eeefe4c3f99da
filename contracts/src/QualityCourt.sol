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
/// @notice Fixes what is drawn, keeps evaluators to their word, and takes the root that more than the quorum of those
/// who judged have signed. It computes no score: the root's table lies in public and everybody can compute it again.
contract QualityCourt is Payouts {
    error WrongRootToken(address token);
    error RoundNotNew(uint64 round, uint64 nextRound);
    error WrongPrevious(bytes32 previous, bytes32 expected);
    error WrongReleases(bytes32 releasesHash);
    error PayoutsOutOfRange(uint128 payoutsTotal, uint256 minimum, uint256 maximum);
    error EvaluatorsNotAscending(address evaluator);
    error NotRevealed(address evaluator, uint64 round);
    error WrongRootSignature(address evaluator);
    error QuorumNotReached(uint256 signed, uint256 revealed);

    event QualityPosted(uint64 indexed round, bytes32 digest, address poster, QualityRoot root);

    bytes32 private constant QUALITY_ROOT_TYPEHASH = keccak256(
        "QualityRoot(uint64 round,address token,bytes32 credibilityRoot,bytes32 payoutsRoot,uint64 payoutsCount,"
        "uint128 payoutsTotal,bytes32 releasesHash,bytes32 blobId,bytes32 previous)"
    );

    /// @param authors who may set known-answer tasks from the start
    constructor(Settlement settlement_, address[] memory authors) Judging(settlement_) Canaries(authors) {}

    /// @notice Posts a round's root. Rounds go forward only; a later root covers those that were left out. Whoever sends
    /// it pays the gas, and gains nothing by it.
    /// @param releases what the root takes of each gateway's funds for its nodes and payers
    /// @param signatures of evaluators that opened their reports of this round, in ascending order of their addresses
    function post(QualityRoot calldata root, Release[] calldata releases, EvaluatorSignature[] calldata signatures)
        external
        nonReentrant
    {
        bytes32 digest = keccak256(abi.encode(QUALITY_ROOT_TYPEHASH, root));
        _requireNext(root);
        bytes32 releasesHash = keccak256(abi.encode(releases));
        require(releasesHash == root.releasesHash, WrongReleases(releasesHash));
        _requireQuorum(root.round, _hashTypedDataV4(digest), signatures);

        uint256 least = _last.payoutsTotal;
        uint256 most = least + _owe(releases) + _at(Parameter.PoolCap, root.round);
        bool inRange = root.payoutsTotal >= least && root.payoutsTotal <= most;
        require(inRange, PayoutsOutOfRange(root.payoutsTotal, least, most));
        _before = _last;
        _last =
            Posted(digest, root.payoutsRoot, root.payoutsTotal, root.payoutsCount, root.round, uint64(block.timestamp));

        emit QualityPosted(root.round, digest, msg.sender, root);
        for (uint256 i = 0; i < releases.length; ++i) {
            _pull(releases[i].gateway);
        }
    }

    function _requireNext(QualityRoot calldata root) private view {
        require(root.token == address(token), WrongRootToken(root.token));
        (,,, uint256 postFrom) = windowsOf(root.round);
        require(block.timestamp >= postFrom, TooEarly(postFrom));
        uint64 nextRound = _last.digest == bytes32(0) ? 0 : _last.round + 1;
        require(root.round >= nextRound, RoundNotNew(root.round, nextRound));
        require(root.previous == _last.digest, WrongPrevious(root.previous, _last.digest));
    }

    function _requireQuorum(uint64 round, bytes32 digest, EvaluatorSignature[] calldata signatures) private view {
        address last = address(0);
        for (uint256 i = 0; i < signatures.length; ++i) {
            address evaluator = signatures[i].evaluator;
            require(evaluator > last, EvaluatorsNotAscending(evaluator));
            require(hasRevealed(evaluator, round), NotRevealed(evaluator, round));
            bool signed = Signatures.byKey(evaluator, digest, signatures[i].signature);
            require(signed, WrongRootSignature(evaluator));
            last = evaluator;
        }
        uint256 revealed = revealedIn[round];
        bool reached = signatures.length * BPS > revealed * _at(Parameter.QuorumBps, round);
        require(reached, QuorumNotReached(signatures.length, revealed));
    }
}
