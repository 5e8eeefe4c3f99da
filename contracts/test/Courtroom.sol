// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PayoutClaim, PayoutKind, Release} from "../src/Payouts.sol";
import {EvaluatorSignature, QualityRoot} from "../src/QualityCourt.sol";
import {Role} from "../src/Registry.sol";
import {EpochRoot, Step} from "../src/Types.sol";
import {Book} from "./Book.sol";
import {Trees} from "./Trees.sol";
import {vm} from "./Vm.sol";
import {World} from "./World.sol";

/// @dev A row of a quality table's pay-outs.
struct Row {
    PayoutKind kind;
    address gateway;
    address payee;
    uint128 total;
}

/// @notice The small network before its court: evaluators in ascending order of their addresses, an author, a node's
/// part of which a fifth waits for its quality.
abstract contract Courtroom is World {
    using Trees for Step[];

    uint256 internal constant EVALUATORS = 5;
    uint128 internal constant POOL_CAP = 1e18;
    uint128 internal constant PENALTY = 10e18;
    bytes32 internal constant SALT = keccak256("salt");

    uint256[EVALUATORS] private _keys;
    address internal constant author = address(0xA0704);
    address internal judge = address(0xB0B);

    function setUp() public virtual override {
        super.setUp();
        for (uint256 i = 0; i < EVALUATORS; ++i) {
            uint256 slot = i;
            for (; slot > 0 && vm.addr(_keys[slot - 1]) > vm.addr(0xE7A1 + i); --slot) {
                _keys[slot] = _keys[slot - 1];
            }
            _keys[slot] = 0xE7A1 + i;
            _join(Role.Evaluator, vm.addr(0xE7A1 + i), 0);
        }
    }

    function _baseShareBps() internal pure virtual override returns (uint16) {
        return 8_000;
    }

    function _authors() internal pure override returns (address[] memory authors) {
        authors = new address[](1);
        authors[0] = author;
    }

    function _evaluator(uint256 i) internal view returns (address) {
        return vm.addr(_keys[i]);
    }

    // The way of a round.

    /// @dev Another gateway with its own channel of the payer, whose records and lines the test keeps from now on.
    function _openGateway(uint256 key) internal {
        (gateway, book) = (vm.addr(key), new Book(key, address(token), settlement.domainSeparator(), exposed));
        _join(Role.Gateway, gateway, 1_000);
        _bond(gateway, BOND);
        _line(otherNode, LINE);
        config = _channel(payer, gateway, 0);
        channelId = escrow.channelId(config);
        _fund(payer, DEPOSIT);
        vm.prank(payer);
        escrow.deposit(config, DEPOSIT);
    }

    function _anchorEpoch(uint128 toNode) internal returns (EpochRoot memory root) {
        book.moveTo(parameters.epochNow());
        book.write(_bill(node, toNode));
        root = _closeAndAnchor();
    }

    /// @dev An anchored and collected epoch, and the round in which its seed was fixed.
    function _draw(uint128 toNode) internal returns (uint64 epoch, uint64 round) {
        epoch = _anchorEpoch(toNode).epoch;
        _collectOne(book.proof(epoch, 0, 0));
        vm.roll(block.number + 4);
        court.fixSeed(gateway, epoch);
        (, round,) = court.drawOf(gateway, epoch);
    }

    function _reports(uint256 i) internal pure returns (bytes32) {
        return keccak256(abi.encode("reports", i));
    }

    function _commitment(address evaluator, uint64 round, bytes32 reports) internal pure returns (bytes32) {
        return keccak256(abi.encode(evaluator, round, reports, SALT));
    }

    function _commit(uint256 i, uint64 round) internal {
        bytes32 commitment = _commitment(_evaluator(i), round, _reports(i));
        vm.prank(_evaluator(i));
        court.commit(round, commitment);
    }

    function _reveal(uint256 i, uint64 round) internal {
        vm.prank(_evaluator(i));
        court.reveal(round, _reports(i), keccak256("blob"), SALT);
    }

    /// @dev The first `committing` evaluators commit, the first `revealing` of them reveal; ends when canaries open.
    function _hear(uint64 round, uint256 committing, uint256 revealing) internal {
        (uint256 commitFrom, uint256 revealFrom, uint256 openFrom,) = court.windowsOf(round);
        vm.warp(commitFrom);
        for (uint256 i = 0; i < committing; ++i) {
            _commit(i, round);
        }
        vm.warp(revealFrom);
        for (uint256 i = 0; i < revealing; ++i) {
            _reveal(i, round);
        }
        vm.warp(openFrom);
    }

    function _warpToPost(uint64 round) internal {
        (,,, uint256 postFrom) = court.windowsOf(round);
        if (block.timestamp < postFrom) vm.warp(postFrom);
    }

    // Tables, roots, claims.

    function _row(PayoutKind kind, address payee, uint128 total) internal view returns (Row[] memory rows) {
        rows = new Row[](1);
        rows[0] = Row(kind, kind == PayoutKind.Evaluator ? address(0) : gateway, payee, total);
    }

    function _release(uint128 amount) internal view returns (Release[] memory releases) {
        releases = new Release[](1);
        releases[0] = Release(gateway, amount);
    }

    function _level(Row[] memory rows) internal pure returns (Step[] memory level) {
        level = new Step[](rows.length);
        for (uint256 i = 0; i < rows.length; ++i) {
            bytes32 item = keccak256(abi.encode(rows[i].kind, rows[i].gateway, rows[i].payee));
            level[i] = Trees.leafOf(item, rows[i].total);
        }
    }

    function _root(uint64 round, Row[] memory rows, Release[] memory releases)
        internal
        view
        returns (QualityRoot memory)
    {
        Step memory top = rows.length == 0 ? Step(bytes32(0), 0) : _level(rows).rootOf();
        (, bytes32 previous) = court.lastRound();
        return QualityRoot(
            round,
            address(token),
            keccak256("credibility"),
            top.hash,
            uint64(rows.length),
            top.sum,
            keccak256(abi.encode(releases)),
            keccak256("table"),
            previous
        );
    }

    function _hashOf(QualityRoot memory root) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "QualityRoot(uint64 round,address token,bytes32 credibilityRoot,bytes32 payoutsRoot,uint64 payoutsCount,uint128 payoutsTotal,bytes32 releasesHash,bytes32 blobId,bytes32 previous)"
                ),
                root
            )
        );
    }

    function _signature(uint256 i, QualityRoot memory root) internal view returns (EvaluatorSignature memory) {
        return EvaluatorSignature(_evaluator(i), _sign(_keys[i], court.domainSeparator(), _hashOf(root)));
    }

    /// @dev By the first `count` evaluators.
    function _signatures(QualityRoot memory root, uint256 count)
        internal
        view
        returns (EvaluatorSignature[] memory signatures)
    {
        signatures = new EvaluatorSignature[](count);
        for (uint256 i = 0; i < count; ++i) {
            signatures[i] = _signature(i, root);
        }
    }

    function _post(QualityRoot memory root, Release[] memory releases, uint256 signing) internal {
        EvaluatorSignature[] memory signatures = _signatures(root, signing);
        vm.prank(judge);
        court.post(root, releases, signatures);
    }

    /// @dev A whole round of three evaluators, its root posted.
    function _judged(uint128 toNode, Row[] memory rows, uint128 released) internal returns (uint64 round) {
        (, round) = _draw(toNode);
        _hear(round, 3, 3);
        _warpToPost(round);
        _post(_root(round, rows, _release(released)), _release(released), 2);
    }

    function _claimOf(Row[] memory rows, uint256 index) internal pure returns (PayoutClaim memory) {
        Row memory row = rows[index];
        return PayoutClaim(row.kind, row.gateway, row.payee, row.total, uint64(index), _level(rows).pathOf(index));
    }

    function _claims(Row[] memory rows) internal pure returns (PayoutClaim[] memory claims) {
        claims = new PayoutClaim[](rows.length);
        for (uint256 i = 0; i < rows.length; ++i) {
            claims[i] = _claimOf(rows, i);
        }
    }

    function _passChallenge() internal {
        vm.warp(block.timestamp + 15);
    }
}
