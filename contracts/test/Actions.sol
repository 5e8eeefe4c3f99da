// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bond, Line} from "../src/Bonds.sol";
import {Parameter} from "../src/Parameter.sol";
import {Claim, Collection, DefaultClaim} from "../src/Settlement.sol";
import {ChannelConfig, EpochRoot, Kind, Leaf, LeafProof} from "../src/Types.sol";
import {Bill} from "./Book.sol";
import {vm} from "./Vm.sol";
import {World} from "./World.sol";

/// @notice What may happen, in any order: payers who deposit and leave, a gateway that keeps true books but closes
/// late and juggles its bond, nodes that serve no further than their lines, strangers who replay old receipts.
contract Actions is World {
    uint256 private constant OTHER_PAYER_KEY = 0xA11CF;
    uint256 public constant PARTIES = 2;

    ChannelConfig[2] private _configs;
    address[2] public nodes;

    uint256 public paidIn;
    uint256 public paidBack;
    uint256 public bonded;
    uint256 public unbonded;
    uint256 public claimed;
    bool public juniorTookFirst;
    mapping(Kind kind => mapping(bytes32 party => mapping(uint32 lane => uint128))) public earned;
    mapping(Kind kind => mapping(bytes32 party => mapping(uint32 lane => uint128))) public anchored;
    mapping(Kind kind => mapping(bytes32 party => mapping(uint32 lane => uint128))) private _latestPlusOne;
    uint64 private _anchoredEpoch;

    function setUp() public override {
        super.setUp();
        nodes = [node, otherNode];
        _configs[0] = config;
        _configs[1] = _channel(vm.addr(OTHER_PAYER_KEY), gateway, 7);
        vm.prank(vm.addr(OTHER_PAYER_KEY));
        token.approve(address(escrow), type(uint256).max);
        (paidIn, bonded) = (DEPOSIT, BOND);
        book.write(_bill(node, 0));
        _note(book.leafAt(0, 0, 0));
    }

    // What happens.

    function serve(uint256 who, uint256 to, uint96 toNode, uint64 toListing, bool second) external {
        address node_ = nodes[to % PARTIES];
        uint128 owed = uint128(owedTo(node_));
        uint128 line = settlement.lineOf(gateway, node_);
        if (line <= owed) return;
        Bill memory bill = _listedBill(node_, toNode % (line - owed), toListing);
        ChannelConfig memory config_ = _configs[who % PARTIES];
        (bill.payer, bill.channelId) = (config_.payer, escrow.channelId(config_));
        bill.lane = second ? 1 : 0;
        _note(book.write(bill));
    }

    function deposit(uint256 who, uint96 amount) external {
        ChannelConfig memory config_ = _configs[who % PARTIES];
        amount %= 1e22;
        _fund(config_.payer, uint128(amount) + 1);
        vm.prank(config_.payer);
        escrow.deposit(config_, uint128(amount) + 1);
        paidIn += uint128(amount) + 1;
    }

    function askBack(uint256 who, uint128 amount) external {
        ChannelConfig memory config_ = _configs[who % PARTIES];
        uint128 left = _balanceOf(config_);
        vm.prank(config_.payer);
        escrow.requestWithdraw(config_, left == 0 ? 0 : amount % (left + 1));
    }

    function takeBack(uint256 who) external {
        ChannelConfig memory config_ = _configs[who % PARTIES];
        uint256 before = token.balanceOf(config_.payer);
        try escrow.finalizeWithdraw(config_) {
            paidBack += token.balanceOf(config_.payer) - before;
        } catch {}
    }

    function wait(uint16 seconds_) external {
        vm.warp(block.timestamp + seconds_ % 1_000);
        vm.roll(block.number + 1 + seconds_ % 3);
    }

    function close() public {
        uint64 epoch = book.epoch();
        bool empty = book.countAt(epoch, 0) + book.countAt(epoch, 1) == 0;
        Bond memory bond_ = settlement.bond(gateway);
        if (empty || bond_.amount < bond_.withdrawing + parameters.get(Parameter.MinimumBond)) return;
        EpochRoot memory root = book.close();
        _anchor(root);
        _anchoredEpoch = epoch;
        for (uint32 lane = 0; lane < root.laneCount; ++lane) {
            for (uint64 i = 0; i < book.countAt(epoch, lane); ++i) {
                _noteAnchored(book.leafAt(epoch, lane, i));
            }
        }
        uint64 now_ = parameters.epochNow();
        if (now_ > book.epoch()) book.moveTo(now_);
    }

    function collect(uint256 who, uint32 lane, uint128 ceiling) external {
        ChannelConfig memory config_ = _configs[who % PARTIES];
        bytes32 id = escrow.channelId(config_);
        (bool found, LeafProof memory proof) = _latest(Kind.Payer, id, lane % 2);
        if (!found) return;
        uint256 key = who % PARTIES == 0 ? PAYER_KEY : OTHER_PAYER_KEY;
        Collection[] memory rows = new Collection[](1);
        rows[0] = Collection(config_, ceiling, _voucher(key, id, ceiling), proof);
        settlement.collect(rows);
    }

    function claim(uint8 kind_, uint256 who, uint32 lane) public {
        Kind kind = Kind(kind_ % 4);
        (bool found, LeafProof memory proof) = _latest(kind, _party(kind, who), lane % 2);
        if (!found) return;
        _claimRow(kind, proof);
    }

    function replay(uint8 kind, uint64 sequence, uint32 lane) external {
        lane %= 2;
        uint64 count = book.countAt(_anchoredEpoch, lane);
        if (count == 0 || settlement.digestOf(gateway, _anchoredEpoch) == 0) return;
        _claimRow(Kind(kind % 5), book.proof(_anchoredEpoch, lane, sequence % count));
    }

    function claimByDefault(uint8 kind_, uint32 lane, uint64 sequence) external {
        lane %= 2;
        uint64 count = book.countAt(book.epoch(), lane);
        if (count == 0) return;
        _claimByDefault(Kind(kind_ % 5), book.leafAt(book.epoch(), lane, sequence % count));
    }

    function setLine(uint256 who, uint128 amount) external {
        vm.prank(gateway);
        try settlement.setLine(nodes[who % PARTIES], amount % (BOND * 2)) {} catch {}
    }

    /// @dev A watchful node is paid before a lowering of its line takes effect.
    function applyLine(uint256 who) external {
        Line memory line = settlement.line(gateway, nodes[who % PARTIES]);
        if (line.availableAt == 0 || block.timestamp < line.availableAt) return;
        _claimAll(who);
        settlement.applyLine(gateway, nodes[who % PARTIES]);
    }

    function bond(uint96 amount) external {
        amount %= 1e22;
        _bond(gateway, uint128(amount) + 1);
        bonded += uint128(amount) + 1;
    }

    function askBond(uint128 amount) external {
        vm.prank(gateway);
        try settlement.requestBondWithdrawal(amount % (BOND * 2)) {} catch {}
    }

    function takeBond() external {
        uint256 before = token.balanceOf(gateway);
        vm.prank(gateway);
        try settlement.withdrawBond() {
            unbonded += token.balanceOf(gateway) - before;
        } catch {}
    }

    // What can be asked afterwards.

    function inChannels() external view returns (uint256) {
        return uint256(_balanceOf(_configs[0])) + _balanceOf(_configs[1]);
    }

    function owedTo(address node_) public view returns (uint256 owed) {
        bytes32 key = bytes32(uint256(uint160(node_)));
        for (uint32 lane = 0; lane < 2; ++lane) {
            owed += earned[Kind.Node][key][lane] - settlement.claimedOf(gateway, 0, lane, key);
        }
    }

    /// @dev What nodes and creators can claim against anchored roots.
    function seniorDue() public view returns (uint256 due) {
        for (uint256 i = 0; i < PARTIES; ++i) {
            due += _due(Kind.Node, bytes32(uint256(uint160(nodes[i]))));
        }
        due += _due(Kind.Listing, keccak256(abi.encode(listingId, uint32(1))));
    }

    /// @dev Nothing is collected any more and the open epoch is never closed: true if the nodes got all they earned.
    function settleNodes() external returns (bool) {
        _claimAll(0);
        _claimAll(1);
        return owedTo(nodes[0]) == 0 && owedTo(nodes[1]) == 0;
    }

    function parts()
        external
        view
        returns (uint256 escrowed, uint256 held, uint256 funds, uint256 bond_, uint256 collected, uint256 pots)
    {
        escrowed = token.balanceOf(address(escrow));
        held = token.balanceOf(address(settlement));
        funds = settlement.fundsOf(gateway);
        bond_ = settlement.bondOf(gateway);
        collected = settlement.account(gateway).collected;
        pots = settlement.account(gateway).pots;
    }

    function lines() external view returns (uint256 promised, uint256 counted) {
        promised = settlement.bond(gateway).lines;
        for (uint256 i = 0; i < PARTIES; ++i) {
            counted += settlement.line(gateway, nodes[i]).amount;
        }
    }

    function reservedFor(uint256 who) external view returns (uint256) {
        uint256 line = settlement.line(gateway, nodes[who]).amount;
        uint256 used = settlement.unprovenOf(gateway, nodes[who]);
        return line > used ? line - used : 0;
    }

    function unproven() public view returns (uint256) {
        return settlement.unprovenOf(gateway, nodes[0]) + settlement.unprovenOf(gateway, nodes[1]);
    }

    function overclaimed() external view returns (bool) {
        for (uint8 kind = 0; kind < 4; ++kind) {
            for (uint256 who = 0; who < PARTIES; ++who) {
                bytes32 party = _party(Kind(kind), who);
                for (uint32 lane = 0; lane < 2; ++lane) {
                    uint128 got = settlement.claimedOf(gateway, kind, lane, party);
                    if (got > earned[Kind(kind)][party][lane]) return true;
                }
            }
        }
        return false;
    }

    /// @dev By the last root, then by the open epoch's receipts once its root is overdue.
    function _claimAll(uint256 who) private {
        _passWindow();
        uint64 epoch = book.epoch();
        uint256 overdue = settlement.endOf(epoch) + parameters.get(Parameter.DefaultSeconds);
        if (block.timestamp < overdue) vm.warp(overdue);
        for (uint32 lane = 0; lane < 2; ++lane) {
            claim(0, who, lane);
            for (uint64 i = book.countAt(epoch, lane); i > 0; --i) {
                Leaf memory leaf = book.leafAt(epoch, lane, i - 1);
                if (leaf.parties.node != nodes[who % PARTIES]) continue;
                _claimByDefault(Kind.Node, leaf);
                break;
            }
        }
    }

    function _claimByDefault(Kind kind, Leaf memory leaf) private {
        DefaultClaim memory row = _default(kind, leaf);
        try settlement.claimByDefault(row) returns (uint128 amount) {
            claimed += amount;
        } catch {}
    }

    function _due(Kind kind, bytes32 party) private view returns (uint256 due) {
        for (uint32 lane = 0; lane < 2; ++lane) {
            uint128 got = settlement.claimedOf(gateway, uint8(kind), lane, party);
            if (anchored[kind][party][lane] > got) due += anchored[kind][party][lane] - got;
        }
    }

    function _balanceOf(ChannelConfig memory config_) private view returns (uint128) {
        bytes32 id = escrow.channelId(config_);
        return escrow.channel(id).deposited - escrow.channel(id).drawn;
    }

    function _party(Kind kind, uint256 who) private view returns (bytes32) {
        if (kind == Kind.Node) return bytes32(uint256(uint160(nodes[who % PARTIES])));
        if (kind == Kind.Listing) return keccak256(abi.encode(listingId, uint32(1)));
        if (kind == Kind.Gateway) return bytes32(uint256(uint160(gateway)));
        return bytes32(0);
    }

    function _claimRow(Kind kind, LeafProof memory proof) private {
        uint256 before = token.totalSupply() - token.balanceOf(address(settlement));
        Claim[] memory rows = new Claim[](2);
        rows[0] = Claim(kind, proof);
        rows[1] = Claim(kind, proof);
        settlement.claim(rows);
        uint256 paid = token.totalSupply() - token.balanceOf(address(settlement)) - before;
        claimed += paid;
        bool junior = kind == Kind.Gateway || kind == Kind.Protocol;
        if (junior && paid != 0) {
            juniorTookFirst = juniorTookFirst || settlement.fundsOf(gateway) + unproven() < seniorDue();
        }
    }

    function _latest(Kind kind, bytes32 party, uint32 lane) private view returns (bool, LeafProof memory proof) {
        uint128 place = _latestPlusOne[kind][party][lane];
        if (place == 0) return (false, proof);
        return (true, book.proof(uint64((place - 1) >> 64), lane, uint64(place - 1)));
    }

    function _note(Leaf memory leaf) private {
        uint32 lane = leaf.place.lane;
        earned[Kind.Node][bytes32(uint256(uint160(leaf.parties.node)))][lane] = leaf.totals.node;
        earned[Kind.Gateway][_party(Kind.Gateway, 0)][lane] = leaf.totals.gateway;
        earned[Kind.Protocol][bytes32(0)][lane] = leaf.totals.protocol;
        if (leaf.parties.listingId == bytes32(0)) return;
        earned[Kind.Listing][_party(Kind.Listing, 0)][lane] = leaf.totals.listing;
    }

    function _noteAnchored(Leaf memory leaf) private {
        uint128 place = ((uint128(leaf.place.epoch) << 64) | leaf.place.sequence) + 1;
        bytes32 node_ = bytes32(uint256(uint160(leaf.parties.node)));
        _noteTotal(Kind.Node, node_, leaf.place.lane, leaf.totals.node, place);
        _noteTotal(Kind.Payer, leaf.parties.channelId, leaf.place.lane, leaf.totals.payer, place);
        _noteTotal(Kind.Gateway, _party(Kind.Gateway, 0), leaf.place.lane, leaf.totals.gateway, place);
        _noteTotal(Kind.Protocol, bytes32(0), leaf.place.lane, leaf.totals.protocol, place);
        if (leaf.parties.listingId == bytes32(0)) return;
        _noteTotal(Kind.Listing, _party(Kind.Listing, 0), leaf.place.lane, leaf.totals.listing, place);
    }

    function _noteTotal(Kind kind, bytes32 party, uint32 lane, uint128 total, uint128 place) private {
        anchored[kind][party][lane] = total;
        _latestPlusOne[kind][party][lane] = place;
    }
}
