// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Seal, Step} from "../src/Types.sol";
import {Exposed} from "./Exposed.sol";
import {Trees} from "./Trees.sol";
import {vm} from "./Vm.sol";
import {HungryWallet, OwnedWallet, SlowWallet, TerseWallet, VerboseWallet} from "./Wallets.sol";

contract SignaturesTest {
    using Trees for Step[];

    uint256 private constant KEY = 0xB0B;
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    bytes32 private constant DIGEST = keccak256("digest");
    bytes32 private constant DOMAIN = keccak256("domain");

    Exposed private _exposed = new Exposed();
    address private _signer = vm.addr(KEY);

    function _sign(bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, digest);
        return abi.encodePacked(r, s, v);
    }

    function test_a_key_signs() public view {
        vm.assertTrue(_exposed.byKey(_signer, DIGEST, _sign(DIGEST)));
        vm.assertFalse(_exposed.byKey(address(1), DIGEST, _sign(DIGEST)));
        vm.assertFalse(_exposed.byKey(_signer, keccak256("other"), _sign(DIGEST)));
    }

    function test_a_high_twin_a_compact_form_and_a_strange_v_are_refused() public view {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, DIGEST);
        uint8 other = v == 27 ? 28 : 27;
        vm.assertFalse(_exposed.byKey(_signer, DIGEST, abi.encodePacked(r, bytes32(ORDER - uint256(s)), other)));
        bytes32 vs = bytes32(uint256(s) | (uint256(v - 27) << 255));
        vm.assertFalse(_exposed.byKey(_signer, DIGEST, abi.encodePacked(r, vs)));
        vm.assertFalse(_exposed.byKey(_signer, DIGEST, abi.encodePacked(r, s, v - 27)));
        vm.assertFalse(_exposed.byKey(_signer, DIGEST, abi.encodePacked(r, s, v, uint8(0))));
        vm.assertFalse(_exposed.byKey(_signer, DIGEST, ""));
    }

    function test_nobody_signs_for_the_zero_address() public view {
        vm.assertFalse(
            _exposed.byKey(address(0), DIGEST, abi.encodePacked(bytes32(uint256(1)), bytes32(uint256(1)), uint8(27)))
        );
        vm.assertFalse(_exposed.byKey(address(0), DIGEST, new bytes(65)));
    }

    function test_a_wallet_signs_where_wallets_may() public {
        address wallet = address(new OwnedWallet(_signer));
        vm.assertTrue(_exposed.byKeyOrWallet(wallet, DIGEST, _sign(DIGEST)));
        vm.assertFalse(_exposed.byKeyOrWallet(wallet, DIGEST, _sign(keccak256("other"))));
        vm.assertFalse(_exposed.byKey(wallet, DIGEST, _sign(DIGEST)));
        vm.assertTrue(_exposed.byKeyOrWallet(_signer, DIGEST, _sign(DIGEST)));
    }

    function test_a_hostile_wallet_neither_signs_nor_starves_the_caller() public {
        address hungry = address(new HungryWallet());
        uint256 before = gasleft();
        vm.assertFalse(_exposed.byKeyOrWallet(hungry, DIGEST, _sign(DIGEST)));
        vm.assertLe(before - gasleft(), 150_000);
        vm.assertFalse(_exposed.byKeyOrWallet(address(new VerboseWallet()), DIGEST, _sign(DIGEST)));
        vm.assertFalse(_exposed.byKeyOrWallet(address(new TerseWallet()), DIGEST, _sign(DIGEST)));
        vm.assertFalse(_exposed.byKeyOrWallet(address(_exposed), DIGEST, _sign(DIGEST)));
    }

    function testFuzz_a_wallet_is_never_refused_for_want_of_gas(uint256 gas_) public {
        address wallet = address(new SlowWallet());
        try _exposed.byKeyOrWallet{gas: 10_000 + gas_ % 200_000}(wallet, DIGEST, _sign(DIGEST)) returns (bool signed) {
            vm.assertTrue(signed);
        } catch {}
    }

    function _seal(bytes32 structHash, uint256 index, uint256 count) private pure returns (Seal memory) {
        Step[] memory level = new Step[](count);
        for (uint256 i = 0; i < count; ++i) {
            level[i] = Trees.leafOf(keccak256(abi.encode(i)), 0);
        }
        level[index] = Trees.leafOf(structHash, 0);
        bytes32 batch = keccak256(abi.encode(keccak256("Batch(bytes32 root)"), level.rootOf().hash));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", DOMAIN, batch));
        return Seal(uint64(index), uint64(count), level.pathOf(index).hashesOf(), _sign(digest));
    }

    function testFuzz_a_seal_holds_for_each_message_and_no_other(bytes32 message, uint256 index, uint256 count)
        public
        view
    {
        count = 1 + count % 64;
        index %= count;
        Seal memory seal = _seal(message, index, count);
        vm.assertTrue(_exposed.isBy(seal, _signer, message, DOMAIN));
        vm.assertFalse(_exposed.isBy(seal, _signer, keccak256(abi.encode(message)), DOMAIN));
        vm.assertFalse(_exposed.isBy(seal, address(1), message, DOMAIN));
        vm.assertFalse(_exposed.isBy(seal, _signer, message, keccak256("other chain or contract")));
    }
}
