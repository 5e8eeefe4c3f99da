// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Whom a campaign calls, and by which functions, as forge asks for it.
struct FuzzSelector {
    address addr;
    bytes4[] selectors;
}

/// @notice A campaign of random calls against one contract: which of its functions, and how often beside the others.
abstract contract Campaign {
    address private _target;
    bytes4[] private _selectors;

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = _target;
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(_target, _selectors);
    }

    /// @dev Before any action is named.
    function _aimAt(address target) internal {
        _target = target;
    }

    /// @param times its weight
    function _act(bytes4 selector, uint256 times) internal {
        for (uint256 i = 0; i < times; ++i) {
            _selectors.push(selector);
        }
    }
}
