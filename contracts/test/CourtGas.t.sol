// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PayoutClaim, PayoutKind, Release} from "../src/Payouts.sol";
import {EvaluatorSignature, QualityRoot} from "../src/QualityCourt.sol";
import {Role} from "../src/Registry.sol";
import {EpochRoot, MAX_RELEASES} from "../src/Types.sol";
import {Courtroom, Row} from "./Courtroom.sol";
import {vm} from "./Vm.sol";

/// @notice What each call of the court costs as a transaction of its own. The figures lie in snapshots/.
/// forge-config: default.isolate = true
contract CourtGasTest is Courtroom {
    uint256 private constant ROWS = 64;

    function _snap(string memory name) private {
        vm.snapshotGasLastCall("QualityCourt", name);
    }

    function _bigTable(uint128 share) private view returns (Row[] memory rows) {
        rows = new Row[](ROWS);
        for (uint256 i = 0; i < ROWS; ++i) {
            rows[i] = Row(PayoutKind(i % 2), gateway, address(uint160(0x9A1D00 + i)), share);
        }
        rows[0].payee = node;
    }

    function test_models() public {
        bytes32[] memory digests = new bytes32[](3);
        vm.prank(_evaluator(0));
        registry.declareModels(Role.Evaluator, digests);
        vm.snapshotGasLastCall("Registry", "declareModels: 3");
    }

    function test_draw() public {
        EpochRoot memory root = _anchorEpoch(100e18);
        vm.roll(block.number + 4);
        court.fixSeed(gateway, root.epoch);
        _snap("fixSeed");
        (bytes32 seed,,) = court.drawOf(gateway, root.epoch);
        vm.prank(gateway);
        court.disclose(root.epoch, seed, keccak256("content"));
        _snap("disclose");
    }

    function test_canaries() public {
        vm.prank(author);
        court.commitCanaries(1, keccak256("canaries"));
        _snap("commitCanaries");
        vm.warp(settlement.endOf(0));
        (uint64 epoch, uint64 round) = _draw(100e18);
        (,, uint256 openFrom,) = court.windowsOf(round);
        vm.warp(openFrom);
        vm.prank(author);
        court.openCanaries(gateway, epoch, keccak256("opened"));
        _snap("openCanaries");
    }

    function test_round() public {
        (, uint64 round) = _draw(100e18);
        _hear(round, 4, 3);
        vm.prank(reporter);
        court.penalize(_evaluator(3), round);
        _snap("penalize");
        _warpToPost(round);
        _post(_root(round, _bigTable(1e17), _release(20e18)), _release(20e18), 2);
        _snap("post: first, 2 signatures, 1 release");
        _passChallenge();
        _claimFirst(_bigTable(1e17));
        _snap("claim: first, 1 of 64 rows");
        (, round) = _draw(100e18);
        _hear(round, 3, 3);
        _warpToPost(round);
        _post(_root(round, _bigTable(2e17), _release(20e18)), _release(20e18), 2);
        _snap("post: next, 2 signatures, 1 release");
        _passChallenge();
        _claimFirst(_bigTable(2e17));
        _snap("claim: again, 1 of 64 rows");
        court.claim(_claims(_bigTable(2e17)));
        _snap("claim: 63 new payees of 64 rows");
    }

    function test_words() public {
        (, uint64 round) = _draw(100e18);
        (uint256 commitFrom, uint256 revealFrom,,) = court.windowsOf(round);
        vm.warp(commitFrom);
        _commit(0, round);
        _snap("commit");
        vm.warp(revealFrom);
        _reveal(0, round);
        _snap("reveal: first of the round");
    }

    /// @dev What a signature costs is the difference between this and a root of two.
    function test_signatures() public {
        (, uint64 round) = _draw(100e18);
        _hear(round, EVALUATORS, EVALUATORS);
        _warpToPost(round);
        QualityRoot memory root = _root(round, _bigTable(1e17), _release(20e18));
        EvaluatorSignature[] memory signatures = _signatures(root, EVALUATORS / 2 + 1);
        court.post(root, _release(20e18), signatures);
        _snap("post: first, 3 signatures, 1 release");
    }

    /// @dev As many gateways as one root may name, each of which takes part for the first time: the dearest root there is.
    function test_releases() public {
        Release[] memory releases = new Release[](MAX_RELEASES);
        uint64 round;
        for (uint256 i = 0; i < MAX_RELEASES; ++i) {
            _openGateway(0x6A80 + i);
            (, round) = _draw(100e18);
            releases[i] = Release(gateway, 20e18);
        }
        _hear(round, 3, 3);
        _warpToPost(round);
        _post(_root(round, _bigTable(20e18), releases), releases, 2);
        _snap("post: first, 2 signatures, 64 releases");
        vm.assertEq(court.releasesHeldTotal(), 20e18 * MAX_RELEASES);
    }

    function _claimFirst(Row[] memory rows) private {
        PayoutClaim[] memory claims = new PayoutClaim[](1);
        claims[0] = _claimOf(rows, 0);
        court.claim(claims);
    }
}
