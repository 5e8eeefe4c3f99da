// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Record} from "../src/Demands.sol";
import {Stage} from "../src/Docket.sol";
import {EpochRoot, StoredSignature} from "../src/Types.sol";
import {Courthouse} from "./Courthouse.sol";
import {Recorder, Work} from "./Recorder.sol";
import {vm} from "./Vm.sol";

/// @notice What each call of the courthouse costs as a transaction of its own. The figures lie in snapshots/.
/// forge-config: default.isolate = true
contract CaseGasTest is Courthouse {
    function _snap(string memory name) private {
        vm.snapshotGasLastCall("Cases", name);
    }

    function test_case() public {
        bytes32 id = _accuse(_refund(payer, 1e17));
        _snap("open: 1 refund");
        vm.roll(block.number + 4);
        cases.fixSeed(id);
        _snap("fixSeed");
        for (uint256 i = 0; i < 3; ++i) {
            _enrol(id, jurors[i]);
        }
        _snap("enrol: third of three");
        address juror = _juror(id, Stage.First, 0);
        vm.warp(_jury(id, Stage.First).enrolUntil);
        for (uint256 i = 0; i < 3; ++i) {
            _commitVote(id, Stage.First, jurors[i], true);
        }
        _snap("commitVote");
        vm.warp(_jury(id, Stage.First).voteUntil);
        for (uint256 i = 0; i < 3; ++i) {
            _revealVote(id, jurors[i], true);
        }
        _snap("revealVote");
        vm.assertTrue(juror == jurors[0]);
        vm.warp(_jury(id, Stage.First).unsealUntil);
        uint256 fork = vm.snapshotState();
        _appeal(id);
        _snap("appeal");
        vm.revertToState(fork);
        _passAppeal();
        cases.execute(id);
        _snap("execute: convicted, 3 members, 1 refund");
    }
}

/// forge-config: default.isolate = true
contract EvidenceGasTest is Recorder {
    address private _asker = address(0xA5CE);

    function _prepared(Work memory work) private returns (Record memory record, EpochRoot memory root) {
        for (uint256 i = 0; i < 63; ++i) {
            book.write(_bill(worker, 1e15));
        }
        record = _write(work);
        root = _close(record);
        _fund(_asker, 10e18);
        vm.prank(_asker);
        token.approve(address(demands), type(uint256).max);
    }

    function test_demand() public {
        (Record memory record, EpochRoot memory root) = _prepared(_work());
        vm.prank(_asker);
        demands.demand(root, 0, 63);
        vm.snapshotGasLastCall("Demands", "demand");
        uint256 fork = vm.snapshotState();
        demands.answer(record);
        vm.snapshotGasLastCall("Demands", "answer: of 64 records");
        vm.revertToState(fork);
        StoredSignature[] memory stored = _stored(root.blobId, 2);
        vm.warp(block.timestamp + 20);
        demands.proveWithheld(root, 0, 63, stored);
        vm.snapshotGasLastCall("Demands", "proveWithheld: 2 archives");
    }

    function test_split() public {
        Work memory work = _work();
        work.countedOut -= 1;
        (Record memory record,) = _prepared(work);
        splits.proveBadSplit(record.proof, record.usage, record.nodeReceipt, record.dispatch);
        vm.snapshotGasLastCall("Splits", "proveBadSplit: of 64 records");
    }
}
