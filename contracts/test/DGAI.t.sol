// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {DGAI} from "../src/DGAI.sol";
import {vm} from "./Vm.sol";

contract DGAITest {
    uint256 private constant KEY = 0xB0B;

    DGAI private _token = new DGAI(address(this));
    address private _bob = vm.addr(KEY);

    function test_the_whole_supply_is_minted_once() public view {
        vm.assertEq(_token.totalSupply(), 1_000_000_000e18);
        vm.assertEq(_token.balanceOf(address(this)), 1_000_000_000e18);
    }

    function test_burning_lowers_the_supply_for_good() public {
        _token.burn(1e18);
        vm.assertEq(_token.totalSupply(), 1_000_000_000e18 - 1e18);
    }

    function test_votes_are_counted_by_timestamp() public {
        vm.warp(1_800_000_000);
        vm.assertEq(_token.CLOCK_MODE(), "mode=timestamp");
        vm.assertEq(_token.clock(), 1_800_000_000);
        _token.delegate(_bob);
        vm.warp(1_800_000_010);
        vm.assertEq(_token.getVotes(_bob), 1_000_000_000e18);
        vm.assertEq(_token.getPastVotes(_bob, 1_800_000_000), 1_000_000_000e18);
    }

    function test_a_permit_allows_once() public {
        bytes32 typeHash =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 structHash = keccak256(abi.encode(typeHash, _bob, address(this), 5, 0, block.timestamp));
        (uint8 v, bytes32 r, bytes32 s) = _sign(structHash);
        _token.permit(_bob, address(this), 5, block.timestamp, v, r, s);
        vm.assertEq(_token.allowance(_bob, address(this)), 5);
        vm.assertEq(_token.nonces(_bob), 1);
        vm.expectRevert();
        _token.permit(_bob, address(this), 5, block.timestamp, v, r, s);
    }

    function test_a_signed_transfer_moves_once() public {
        _token.transfer(_bob, 10);
        bytes32 typeHash = keccak256(
            "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
        bytes32 nonce = keccak256("nonce");
        uint256 until = block.timestamp + 10;
        (uint8 v, bytes32 r, bytes32 s) = _sign(keccak256(abi.encode(typeHash, _bob, address(9), 7, 0, until, nonce)));
        _token.transferWithAuthorization(_bob, address(9), 7, 0, until, nonce, v, r, s);
        vm.assertEq(_token.balanceOf(address(9)), 7);
        vm.assertTrue(_token.authorizationState(_bob, nonce));
        vm.expectRevert();
        _token.transferWithAuthorization(_bob, address(9), 7, 0, until, nonce, v, r, s);
    }

    function test_refuses_to_move_more_than_there_is() public {
        vm.prank(_bob);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, _bob, 0, 1));
        _token.transfer(address(this), 1);
    }

    function _sign(bytes32 structHash) private view returns (uint8, bytes32, bytes32) {
        return vm.sign(KEY, keccak256(abi.encodePacked(hex"1901", _token.DOMAIN_SEPARATOR(), structHash)));
    }
}
