// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice Keeps a hundredth of every transfer.
contract TaxingToken is ERC20("Tax", "TAX") {
    constructor() {
        _mint(msg.sender, 1e30);
    }

    function _update(address from, address to, uint256 value) internal override {
        if (from == address(0)) return super._update(from, to, value);
        super._update(from, address(0xFEE), value / 100);
        super._update(from, to, value - value / 100);
    }
}

/// @notice Says no instead of reverting.
contract SilentToken is ERC20("Silent", "SIL") {
    bool public refuses;

    constructor() {
        _mint(msg.sender, 1e30);
    }

    function refuse(bool refuses_) external {
        refuses = refuses_;
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        return !refuses && super.transfer(to, value);
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        return !refuses && super.transferFrom(from, to, value);
    }
}

/// @notice Calls back in the middle of every transfer.
contract CallingToken is ERC20("Calling", "CALL") {
    address private _target;
    bytes private _call;
    bool public called;
    bytes public answer;

    constructor() {
        _mint(msg.sender, 1e30);
    }

    function arm(address target, bytes calldata call_) external {
        (_target, _call) = (target, call_);
    }

    function _update(address from, address to, uint256 value) internal override {
        if (_target != address(0)) {
            (address target, bytes memory call_) = (_target, _call);
            _target = address(0);
            bool ok;
            (ok, answer) = target.call(call_);
            called = true;
            require(!ok, "the call back went through");
        }
        super._update(from, to, value);
    }
}

/// @notice Says nothing at all, as some of the oldest tokens do.
contract MuteToken {
    mapping(address account => uint256) public balanceOf;
    mapping(address account => mapping(address spender => uint256)) public allowance;

    constructor() {
        balanceOf[msg.sender] = 1e30;
    }

    function approve(address spender, uint256 value) external {
        allowance[msg.sender][spender] = value;
    }

    function transfer(address to, uint256 value) external {
        _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external {
        allowance[from][msg.sender] -= value;
        _move(from, to, value);
    }

    function _move(address from, address to, uint256 value) private {
        balanceOf[from] -= value;
        balanceOf[to] += value;
    }
}

/// @notice Takes from its holders without a transfer.
contract ShrinkingToken is ERC20("Shrinking", "SHR") {
    constructor() {
        _mint(msg.sender, 1e30);
    }

    function shrink(address account, uint256 value) external {
        _burn(account, value);
    }
}
