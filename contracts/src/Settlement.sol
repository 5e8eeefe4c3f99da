// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ChannelEscrow} from "./ChannelEscrow.sol";
import {Convictions} from "./Convictions.sol";
import {DGAI} from "./DGAI.sol";
import {Account} from "./Epochs.sol";
import {Listings, Terms} from "./Listings.sol";
import {Parameter} from "./Parameter.sol";
import {Receipts} from "./Receipts.sol";
import {Registry} from "./Registry.sol";
import {Rules} from "./Rules.sol";
import {Seals} from "./Seals.sol";
import {BPS, ChannelConfig, Kind, Leaf, LeafProof, Parties, Seal} from "./Types.sol";

struct Collection {
    ChannelConfig config;
    uint128 maxClaimableAmount;
    bytes signature;
    LeafProof proof;
}

struct Claim {
    Kind kind;
    LeafProof proof;
}

struct DefaultClaim {
    Kind kind;
    Leaf leaf;
    Seal seal;
}

/// @dev `unproven` is what was paid out of the gateway's funds by default and no root has shown yet.
struct Tally {
    uint128 claimed;
    uint128 unproven;
}

/// @title Where the money goes
/// @notice Payers' channels are collected against anchored receipts, and payees claim by their latest leaf: its running
/// total less what they claimed. Nodes and creators are made whole from the gateway's bond when a channel fell short;
/// the gateway and the protocol wait for what is not collected yet. If a root never comes, or was voided, nodes and
/// creators claim by a sealed receipt.
contract Settlement is Convictions {
    using SafeERC20 for DGAI;
    using Seals for Seal;

    error WrongPrediction(address predictedByEscrow, address predictedByRegistry);
    error WrongChannel(bytes32 channelId);
    error ChannelOfOtherGateway(address gateway);
    error NotClaimable(Kind kind);
    error NothingToClaim(address gateway, Kind kind, bytes32 party);
    error RootExpected(uint256 until);
    error RowOutOfGas(uint256 index);
    error NotSealed(address gateway);
    error WrongToken(address token);
    error OnlyCourt(address caller);

    event Collected(
        address indexed gateway,
        bytes32 indexed channelId,
        uint64 epoch,
        uint32 lane,
        uint128 amount,
        uint128 payerTotal
    );
    event Claimed(
        address indexed gateway, address indexed payee, uint8 kind, uint32 lane, uint128 amount, uint128 claimedTotal
    );
    event QualityReleased(address indexed gateway, uint128 amount, uint128 releasedTotal);
    event RowRefused(uint256 index, bytes reason);

    ChannelEscrow public immutable escrow;
    Listings public immutable listings;

    /// @notice The QualityCourt: it gets the protocol's fees, and what quality leaves of the nodes' part.
    address public immutable treasury;

    mapping(bytes32 tallyKey => Tally) private _tallies;

    /// @dev Escrow and registry were given this contract's address before it existed; the registry knows the court's.
    constructor(
        Registry registry_,
        ChannelEscrow escrow_,
        Listings listings_,
        address challenges_,
        uint16 baseShareBps_
    ) Rules(registry_, baseShareBps_) Convictions(challenges_) {
        bool predicted =
            escrow_.settlement() == address(this) && registry_.settlement() == address(this);
        require(predicted, WrongPrediction(escrow_.settlement(), registry_.settlement()));
        escrow = escrow_;
        listings = listings_;
        treasury = registry_.court();
    }

    /// @notice Collects many channels. A row that fails is reported and leaves the others untouched.
    function collect(Collection[] calldata rows) external {
        uint256 base;
        assembly {
            base := rows.offset
        }
        _each(this.collectOne.selector, base, rows.length);
    }

    /// @notice Pays many claims. A row that fails is reported and leaves the others untouched.
    function claim(Claim[] calldata rows) external {
        uint256 base;
        assembly {
            base := rows.offset
        }
        _each(this.claimOne.selector, base, rows.length);
    }

    /// @notice Draws a channel up to the running total of an anchored receipt.
    function collectOne(Collection calldata row) external nonReentrant returns (uint128 amount) {
        Leaf calldata leaf = row.proof.leaf;
        Parties calldata parties = leaf.parties;
        _requireStanding(row.proof);
        require(parties.channelId == escrow.channelId(row.config), WrongChannel(parties.channelId));
        address gateway = address(bytes20(row.config.salt));
        require(gateway == parties.gateway, ChannelOfOtherGateway(gateway));

        amount = escrow.draw(row.config, row.maxClaimableAmount, row.signature, leaf.place.lane, leaf.totals.payer);
        Account storage account_ = _accounts[gateway];
        account_.funds += amount;
        account_.collected += amount;

        emit Collected(gateway, parties.channelId, leaf.place.epoch, leaf.place.lane, amount, leaf.totals.payer);
    }

    /// @notice Pays one party of an anchored receipt what its total there says, less what it claimed.
    function claimOne(Claim calldata row) external nonReentrant returns (uint128 amount) {
        Leaf calldata leaf = row.proof.leaf;
        (address gateway, Kind kind) = (leaf.parties.gateway, row.kind);
        bytes32 party = Receipts.partyKey(leaf.parties, kind);
        require(kind != Kind.Payer, NotClaimable(kind));
        _requireStanding(row.proof);
        _requireFinal(row.proof.root);

        Tally storage tally = _tallies[_tallyKey(gateway, kind, leaf.place.lane, party)];
        uint128 earned = _earnedDown(leaf, kind);
        bool released = _release(tally, gateway, leaf.parties.node, earned);
        uint128 due = earned > tally.claimed ? earned - tally.claimed : 0;
        amount = _payFromFunds(gateway, _payableNow(gateway, kind, due));
        if (kind == Kind.Node) amount += _payFromLine(gateway, leaf.parties.node, due - amount);
        else if (kind == Kind.Listing) amount += _payFromFree(gateway, due - amount);
        require(amount != 0 || released, NothingToClaim(gateway, kind, party));
        tally.claimed += amount;

        if (amount != 0) _payOut(leaf, kind, amount, tally.claimed);
    }

    /// @notice Pays a node or a listing by a sealed receipt of an epoch whose root never came or was voided. A node gets
    /// up to its line, from what was collected for the gateway and then from the bond; a listing, which has no line,
    /// from the bond that no line reserves.
    function claimByDefault(DefaultClaim calldata row) external nonReentrant returns (uint128 amount) {
        Leaf calldata leaf = row.leaf;
        (address gateway, Kind kind) = (leaf.parties.gateway, row.kind);
        bytes32 party = Receipts.partyKey(leaf.parties, kind);
        require(kind == Kind.Node || kind == Kind.Listing, NotClaimable(kind));
        _requireDefault(gateway, leaf.place.epoch);
        require(leaf.parties.token == address(token), WrongToken(leaf.parties.token));
        require(row.seal.isBy(gateway, Receipts.hash(leaf), _domainSeparatorV4()), NotSealed(gateway));

        Tally storage tally = _tallies[_tallyKey(gateway, kind, leaf.place.lane, party)];
        uint128 earned = _earnedDown(leaf, kind);
        uint128 due = earned > tally.claimed ? earned - tally.claimed : 0;
        amount =
            kind == Kind.Node ? _payNodeByDefault(tally, gateway, leaf.parties.node, due) : _payFromFree(gateway, due);
        require(amount != 0, NothingToClaim(gateway, kind, party));
        tally.claimed += amount;

        _payOut(leaf, kind, amount, tally.claimed);
    }

    /// @notice Hands over to the court, as far as a gateway's funds reach, what a quality root took of them.
    function releaseQuality(address gateway, uint128 amount) external nonReentrant returns (uint128 paid) {
        require(msg.sender == treasury, OnlyCourt(msg.sender));
        uint128 left = releasableOf(gateway);

        paid = _payFromFunds(gateway, amount < left ? amount : left);
        uint128 released = _accounts[gateway].released += paid;

        emit QualityReleased(gateway, paid, released);
        token.safeTransfer(treasury, paid);
    }

    /// @notice What quality roots may still take: of all pots the part that is not the base share, rounded up, less
    /// what they took.
    function releasableOf(address gateway) public view returns (uint128) {
        Account storage account_ = _accounts[gateway];
        uint256 most = (uint256(account_.pots) * (BPS - baseShareBps) + BPS - 1) / BPS;
        return uint128(most - account_.released);
    }

    /// @param partyKey the node's or the gateway's address as a word; keccak(listingId, version); zero for the protocol
    function claimedOf(address gateway, uint8 kind, uint32 lane, bytes32 partyKey) external view returns (uint128) {
        return _tallies[_tallyKey(gateway, Kind(kind), lane, partyKey)].claimed;
    }

    /// @dev Calls this contract once a row, each call all or nothing. A row's bytes are handed on as they came: from its
    /// own start to the next one's, as every encoder lays them out.
    /// @param base where the table of the rows' offsets begins in the calldata
    function _each(bytes4 selector, uint256 base, uint256 count) private {
        for (uint256 i = 0; i < count; ++i) {
            uint256 start = base + uint256(bytes32(msg.data[base + 32 * i:]));
            uint256 end = i + 1 == count ? msg.data.length : base + uint256(bytes32(msg.data[base + 32 * (i + 1):]));
            bytes memory call_ = abi.encodePacked(selector, uint256(32), msg.data[start:end]);
            uint256 before = gasleft();
            (bool paid, bytes memory reason) = address(this).call(call_);
            if (paid) continue;
            // A row fails by its own fault, never for want of gas: else an estimate would find the least gas with which
            // every row is refused. Each level of calls keeps back a 64th, and there are at most five.
            require(reason.length != 0 || gasleft() > before / 8, RowOutOfGas(i));
            emit RowRefused(i, reason);
        }
    }

    function _tallyKey(address gateway, Kind kind, uint32 lane, bytes32 party) private pure returns (bytes32) {
        return keccak256(abi.encode(gateway, kind, lane, party));
    }

    /// @dev The base share is taken of the lifetime total, so that no rounding is lost twice.
    function _earnedDown(Leaf calldata leaf, Kind kind) private view returns (uint128) {
        uint128 total = Receipts.totalOf(leaf.totals, kind);
        return kind == Kind.Node ? uint128(uint256(total) * baseShareBps / BPS) : total;
    }

    /// @dev Gateway and protocol are paid last: what payers still owe on anchored receipts is taken off their due, so
    /// that a channel emptied too early costs them first and never the money of a node or a creator.
    function _payableNow(address gateway, Kind kind, uint128 due) private view returns (uint128) {
        if (kind == Kind.Node || kind == Kind.Listing) return due;
        Account storage account_ = _accounts[gateway];
        uint128 missing = account_.pots > account_.collected ? account_.pots - account_.collected : 0;
        return due > missing ? due - missing : 0;
    }

    function _payFromFunds(address gateway, uint128 wanted) private returns (uint128 paid) {
        Account storage account_ = _accounts[gateway];
        paid = wanted < account_.funds ? wanted : account_.funds;
        account_.funds -= paid;
    }

    /// @dev Unproven payments out of the funds and the line's own payments together never exceed the line, until a root
    /// proves them.
    function _payNodeByDefault(Tally storage tally, address gateway, address node, uint128 due)
        private
        returns (uint128 paid)
    {
        uint128 line = _lineAmount(gateway, node);
        uint128 unproven = unprovenOf[gateway][node];
        uint128 room = line > unproven ? line - unproven : 0;
        uint128 wanted = due < room ? due : room;
        paid = _payFromFunds(gateway, wanted);
        if (paid != 0) {
            tally.unproven += paid;
            _setUnproven(gateway, node, unproven + paid);
        }
        paid += _payFromLine(gateway, node, wanted - paid);
    }

    /// @dev A root that shows what was paid by default gives the node its line back.
    function _release(Tally storage tally, address gateway, address node, uint128 earned) private returns (bool) {
        uint128 unproven = tally.unproven;
        if (unproven == 0) return false;
        uint128 ahead = tally.claimed > earned ? tally.claimed - earned : 0;
        if (ahead >= unproven) return false;
        tally.unproven = ahead;
        _setUnproven(gateway, node, unprovenOf[gateway][node] + ahead - unproven);
        return true;
    }

    function _requireDefault(address gateway, uint64 epoch) private view {
        if (isVoid(gateway, epoch)) return;
        uint256 until = endOf(epoch) + _at(Parameter.DefaultSeconds, epoch);
        bool missing = _anchors[gateway][epoch].digest == bytes32(0) && block.timestamp >= until;
        require(missing, RootExpected(until));
    }

    function _payOut(Leaf calldata leaf, Kind kind, uint128 amount, uint128 claimedTotal) private {
        Parties calldata parties = leaf.parties;
        if (kind == Kind.Listing) return _payListing(leaf, amount, claimedTotal);
        address payee = kind == Kind.Node ? parties.node : kind == Kind.Gateway ? parties.gateway : treasury;
        emit Claimed(parties.gateway, payee, uint8(kind), leaf.place.lane, amount, claimedTotal);
        token.safeTransfer(payee, amount);
    }

    /// @dev Each payee's part is rounded down; the last one in the table gets what that leaves.
    function _payListing(Leaf calldata leaf, uint128 amount, uint128 claimedTotal) private {
        Terms memory terms = listings.terms(leaf.parties.listingId, leaf.parties.listingVersion);
        uint128 left = amount;
        for (uint256 i = 0; i < terms.payees.length; ++i) {
            bool last = i + 1 == terms.payees.length;
            uint128 part = last ? left : uint128(uint256(amount) * terms.bps[i] / BPS);
            left -= part;
            emit Claimed(
                leaf.parties.gateway, terms.payees[i], uint8(Kind.Listing), leaf.place.lane, part, claimedTotal
            );
            token.safeTransfer(terms.payees[i], part);
        }
    }
}
