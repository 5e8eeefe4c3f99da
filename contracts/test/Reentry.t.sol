// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Stage} from "../src/Docket.sol";
import {Role} from "../src/Types.sol";
import {Courthouse} from "./Courthouse.sol";
import {vm} from "./Vm.sol";

/// @notice Takes the token's place and, armed, calls back in the middle of a transfer.
contract CallingBack {
    address private immutable _token;
    address private _target;
    bytes private _call;
    bool public refused;

    constructor(address token) {
        _token = token;
    }

    function arm(address target, bytes calldata call_) external {
        (_target, _call) = (target, call_);
    }

    /// @dev Whatever is asked of the token: strikes once, then says yes.
    fallback() external {
        if (_target != address(0)) {
            (address target, bytes memory call_) = (_target, _call);
            _target = address(0);
            (bool went, bytes memory answer) = target.call(call_);
            refused = !went && bytes4(answer) == ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector;
        }
        assembly ("memory-safe") {
            mstore(0, 1)
            return(0, 32)
        }
    }
}

/// @notice The token calls nobody; if it did, no door that moves money would open twice.
contract ReentryTest is Courthouse {
    function _strikes(address target, bytes memory call_) private {
        CallingBack model = new CallingBack(address(token));
        vm.etch(address(token), address(model).code);
        CallingBack(payable(address(token))).arm(target, call_);
    }

    function _refused() private view {
        vm.assertTrue(CallingBack(payable(address(token))).refused(), "the call back was let in");
    }

    function test_a_case_is_executed_once_whatever_a_payee_does() public {
        bytes32 id = _accuse();
        _try(id, Stage.First, 7, 0);
        _passAppeal();
        _strikes(address(cases), abi.encodeCall(cases.execute, (id)));
        cases.execute(id);
        _refused();
    }

    function test_no_case_is_opened_while_one_is_paid_for() public {
        bytes memory again = abi.encodeCall(cases.appeal, (bytes32(0)));
        _strikes(address(cases), again);
        _accuse();
        _refused();
    }

    function test_no_demand_is_answered_while_one_is_paid_for() public {
        _anchorEpoch(1e18);
        _strikes(address(demands), abi.encodeCall(demands.answerAbsent, (book.laneProof(0, 0), 1)));
        demands.demand(book.rootAt(0), 0, 1);
        _refused();
    }
}
