// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Cases} from "../src/Cases.sol";
import {Challenges} from "../src/Challenges.sol";
import {ChannelEscrow} from "../src/ChannelEscrow.sol";
import {DGAI} from "../src/DGAI.sol";
import {Demands} from "../src/Demands.sol";
import {Listings} from "../src/Listings.sol";
import {Parameter} from "../src/Parameter.sol";
import {Parameters} from "../src/Parameters.sol";
import {QualityCourt} from "../src/QualityCourt.sol";
import {Registry, Role, Slashers} from "../src/Registry.sol";
import {Claim, Collection, DefaultClaim, Settlement} from "../src/Settlement.sol";
import {Splits} from "../src/Splits.sol";
import {ChannelConfig, EpochRoot, Kind, Leaf, LeafProof, Seal, StoredSignature} from "../src/Types.sol";
import {Bill, Book} from "./Book.sol";
import {Exposed} from "./Exposed.sol";
import {Settings} from "./Settings.sol";
import {vm} from "./Vm.sol";

/// @notice A small network: one payer with a channel, a bonded gateway, two nodes with lines, three archives.
abstract contract World {
    uint64 internal constant GENESIS = 1_800_000_000;
    uint64 internal constant EPOCH = 20;
    uint128 internal constant STAKE = 1_000e18;
    uint128 internal constant BOND = 10_000e18;
    uint128 internal constant LINE = 3_000e18;
    uint128 internal constant DEPOSIT = 5_000e18;
    uint40 internal constant DELAY = 15 minutes;

    uint256 internal constant PAYER_KEY = 0xA11CE;
    uint256 internal constant GATEWAY_KEY = 0x6A7E;

    DGAI internal token;
    Parameters internal parameters;
    Registry internal registry;
    ChannelEscrow internal escrow;
    Listings internal listings;
    Settlement internal settlement;
    Challenges internal challenges;
    Splits internal splits;
    Demands internal demands;
    QualityCourt internal court;
    Cases internal cases;
    Exposed internal exposed;
    Book internal book;

    address internal payer = vm.addr(PAYER_KEY);
    address internal gateway = vm.addr(GATEWAY_KEY);
    address internal node = address(0x4001);
    address internal otherNode = address(0x4002);
    address internal creator = address(0xC0DE);
    address internal coauthor = address(0xC0DF);
    address internal timelock = address(0x71E);
    address internal reporter = address(0x8E90);
    address internal constant BURNT = address(0);

    ChannelConfig internal config;
    bytes32 internal channelId;
    bytes32 internal listingId;

    function setUp() public virtual {
        vm.warp(GENESIS);
        vm.roll(100);
        _deploy();
        book = new Book(GATEWAY_KEY, address(token), settlement.domainSeparator(), exposed);
        for (uint256 i = 0; i < 3; ++i) {
            _join(Role.Archive, _archive(i), 0);
        }
        _join(Role.Gateway, gateway, 1_000);
        _bond(gateway, BOND);
        _line(node, LINE);
        _line(otherNode, LINE);
        listingId = _list();
        config = _channel(payer, gateway, 0);
        channelId = escrow.channelId(config);
        _fund(payer, DEPOSIT);
        vm.prank(payer);
        token.approve(address(escrow), type(uint256).max);
        vm.prank(payer);
        escrow.deposit(config, DEPOSIT);
    }

    /// @dev What the network starts with.
    function _values() internal pure virtual returns (uint256[] memory) {
        return Settings.dev();
    }

    function _baseShareBps() internal pure virtual returns (uint16) {
        return 10_000;
    }

    function _authors() internal pure virtual returns (address[] memory) {
        return new address[](0);
    }

    function _deploy() internal {
        token = new DGAI(address(this));
        exposed = new Exposed();
        parameters = new Parameters(timelock, GENESIS, EPOCH, _values(), Settings.wide());
        listings = new Listings();
        Slashers memory slashers = Slashers(_predicted(2), _predicted(6), _predicted(7), _predicted(5));
        registry = new Registry(token, parameters, slashers);
        escrow = new ChannelEscrow(token, slashers.settlement, DELAY);
        settlement = new Settlement(registry, escrow, listings, _predicted(1), _baseShareBps());
        challenges = new Challenges(settlement, _predicted(1));
        splits = new Splits(challenges);
        demands = new Demands(challenges);
        court = new QualityCourt(settlement, _authors());
        cases = new Cases(court);
    }

    /// @dev Where the contract will lie that this one creates after `count` others.
    function _predicted(uint256 count) internal view returns (address) {
        return vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + count);
    }

    /// @dev A vote of the members, carried out: it counts two epochs from now.
    function _decide(Parameter parameter, uint256 value) internal {
        (Parameter[] memory changed, uint256[] memory values) = (new Parameter[](1), new uint256[](1));
        (changed[0], values[0]) = (parameter, value);
        vm.prank(timelock);
        parameters.set(changed, values);
    }

    function _archiveKey(uint256 i) internal pure returns (uint256) {
        return 0xA2C0 + i;
    }

    function _archive(uint256 i) internal pure returns (address) {
        return vm.addr(_archiveKey(i));
    }

    function _fund(address who, uint256 amount) internal {
        require(token.transfer(who, amount));
    }

    function _join(Role role, address who, uint16 marginBps) internal {
        _fund(who, STAKE);
        vm.prank(who);
        token.approve(address(registry), STAKE);
        vm.prank(who);
        registry.register(role, STAKE, "http://127.0.0.1:1", bytes32(0), bytes32(0), marginBps);
    }

    function _bond(address who, uint128 amount) internal {
        _fund(who, amount);
        vm.prank(who);
        token.approve(address(settlement), amount);
        vm.prank(who);
        settlement.depositBond(amount);
    }

    function _line(address node_, uint128 amount) internal {
        vm.prank(gateway);
        settlement.setLine(node_, amount);
    }

    function _list() internal returns (bytes32) {
        address[] memory payees = new address[](2);
        uint16[] memory bps = new uint16[](2);
        (payees[0], payees[1], bps[0], bps[1]) = (creator, coauthor, 7_000, 3_000);
        vm.prank(creator);
        return listings.list(keccak256("dgrid-nano"), 5e12, 6e12, payees, bps);
    }

    function _channel(address payer_, address gateway_, uint96 tag) internal view returns (ChannelConfig memory) {
        bytes32 salt = bytes32(bytes20(gateway_)) | bytes32(uint256(tag));
        address to = address(settlement);
        return ChannelConfig(payer_, address(0), to, to, address(token), DELAY, salt);
    }

    function _sign(uint256 key, bytes32 domain, bytes32 structHash) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
        return abi.encodePacked(r, s, v);
    }

    function _voucher(uint256 key, bytes32 id, uint128 ceiling) internal view returns (bytes memory) {
        bytes32 typeHash = keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)");
        return _sign(key, escrow.domainSeparator(), keccak256(abi.encode(typeHash, id, ceiling)));
    }

    /// @dev Of the first `count` archives, in ascending order of address.
    function _stored(bytes32 blobId, uint256 count) internal view returns (StoredSignature[] memory stored) {
        uint256[] memory keys = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 slot = i;
            while (slot > 0 && vm.addr(keys[slot - 1]) > _archive(i)) (keys[slot], slot) = (keys[slot - 1], slot - 1);
            keys[slot] = _archiveKey(i);
        }
        stored = new StoredSignature[](count);
        bytes32 typeHash = keccak256("Stored(address archive,bytes32 blobId)");
        for (uint256 i = 0; i < count; ++i) {
            address archive = vm.addr(keys[i]);
            bytes32 structHash = keccak256(abi.encode(typeHash, archive, blobId));
            stored[i] = StoredSignature(archive, _sign(keys[i], settlement.domainSeparator(), structHash));
        }
    }

    function _bill(address node_, uint128 toNode) internal view returns (Bill memory bill) {
        bill.channelId = channelId;
        bill.payer = payer;
        bill.node = node_;
        bill.toNode = toNode;
        bill.toProtocol = toNode / 50;
        bill.toGateway = toNode / 10;
    }

    function _listedBill(address node_, uint128 toNode, uint128 toListing) internal view returns (Bill memory bill) {
        bill = _bill(node_, toNode);
        (bill.listingId, bill.version, bill.toListing) = (listingId, 1, toListing);
    }

    function _warpToEnd(uint64 epoch) internal {
        if (block.timestamp < settlement.endOf(epoch)) vm.warp(settlement.endOf(epoch));
    }

    function _anchor(EpochRoot memory root) internal {
        _warpToEnd(root.epoch);
        settlement.anchor(root, book.signRoot(root), _stored(root.blobId, 2));
    }

    function _closeAndAnchor() internal returns (EpochRoot memory root) {
        root = book.close();
        _anchor(root);
    }

    function _passWindow() internal {
        vm.warp(block.timestamp + 15);
        vm.roll(block.number + 2);
    }

    function _collection(LeafProof memory proof) internal view returns (Collection memory) {
        return Collection(config, DEPOSIT, _voucher(PAYER_KEY, channelId, DEPOSIT), proof);
    }

    function _collectOne(LeafProof memory proof) internal returns (uint128) {
        return settlement.collectOne(_collection(proof));
    }

    function _claimOne(Kind kind, LeafProof memory proof) internal returns (uint128) {
        return settlement.claimOne(Claim(kind, proof));
    }

    function _default(Kind kind, Leaf memory leaf) internal view returns (DefaultClaim memory) {
        return DefaultClaim(kind, leaf, book.seal(leaf));
    }

    /// @dev Everything Settlement holds belongs to a gateway's funds or to its bond.
    function _assertConserved() internal view {
        uint256 owed = uint256(settlement.fundsOf(gateway)) + settlement.bondOf(gateway);
        vm.assertEq(token.balanceOf(address(settlement)), owed, "settlement holds its liabilities");
    }
}
