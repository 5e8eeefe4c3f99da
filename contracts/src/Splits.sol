// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Challenges} from "./Challenges.sol";
import {Evidence} from "./Evidence.sol";
import {Listings, Terms} from "./Listings.sol";
import {Parameter} from "./Parameter.sol";
import {Parameters} from "./Parameters.sol";
import {Receipts} from "./Receipts.sol";
import {BPS, Dispatch, InferenceRequest, Leaf, LeafProof, NodeReceipt, Parties, Shares, Usage} from "./Types.sol";

/// @title Evidence that a receipt charged or shared other than agreed
/// @notice What was agreed: the dispatch's prices, which the receipt binds through its node receipt; the creator's
/// version; the protocol's share and the highest margin of the receipt's epoch; the payer's signed maximum. Anyone may
/// send it, at any time; it needs no answer.
contract Splits is Evidence {
    using Receipts for Dispatch;
    using Receipts for InferenceRequest;
    using Receipts for NodeReceipt;
    using Receipts for Usage;

    error WrongPrediction(address predictedByChallenges);
    error NotOpened();
    error OtherRequest(bytes32 requestId);
    error PlacesNotAscending();

    uint8 private constant BAD_SPLIT = 5;

    /// @dev Prices are for so many tokens.
    uint256 private constant TOKENS_PER_PRICE = 1e6;

    // A cached answer cost its node nothing; one that only supports a consensus may be sold for less.
    uint32 private constant CACHED = 4;
    uint32 private constant SUPPORT = 8;

    Challenges public immutable challenges;
    Parameters public immutable parameters;
    Listings public immutable listings;

    /// @dev Challenges was given this contract's address before it existed.
    constructor(Challenges challenges_) Evidence(challenges_.settlement()) {
        require(challenges_.splits() == address(this), WrongPrediction(challenges_.splits()));
        (challenges, listings) = (challenges_, settlement.listings());
        parameters = settlement.registry().parameters();
    }

    /// @notice 5. An anchored receipt whose parts are not what its own dispatch, its listing's version and its epoch's
    /// parameters make of its tokens; or that counts more tokens than its node did; or whose dispatch is another's.
    function proveBadSplit(
        LeafProof calldata proof,
        Usage calldata usage,
        NodeReceipt calldata nodeReceipt,
        Dispatch calldata dispatch
    ) external {
        Leaf calldata leaf = proof.leaf;
        _requireIncluded(proof);
        bool opened = leaf.usageHash == usage.hash() && leaf.nodeReceiptHash == nodeReceipt.hash()
            && nodeReceipt.dispatchHash == dispatch.hash();
        require(opened, NotOpened());
        bool counted = usage.tokensIn <= nodeReceipt.tokensIn && usage.tokensOut <= nodeReceipt.tokensOut;
        bool fair = counted && _isOwn(leaf, usage, dispatch) && _isFair(leaf, usage, dispatch);
        require(!fair, NotEvidence());

        challenges.convictFor(proof.root.gateway, proof.root.epoch, BAD_SPLIT, msg.sender);
    }

    /// @notice 5. Receipts of one signed request that together charge more than its payer allowed. The request's digest
    /// is their id, so its signature need not be shown.
    /// @param proofs in ascending order of epoch, lane, sequence
    function proveAboveMaximum(InferenceRequest calldata request, LeafProof[] calldata proofs) external {
        bytes32 requestId = MessageHashUtils.toTypedDataHash(settlement.domainSeparator(), request.hash());
        (uint256 charged, uint256 last) = (0, 0);
        for (uint256 i = 0; i < proofs.length; ++i) {
            Leaf calldata leaf = proofs[i].leaf;
            bool same = leaf.requestId == requestId && leaf.parties.gateway == request.gateway;
            require(same, OtherRequest(leaf.requestId));
            uint256 place = _order(leaf);
            require(i == 0 || place > last, PlacesNotAscending());
            _requireIncluded(proofs[i]);
            (charged, last) = (charged + leaf.shares.fee, place);
        }
        require(charged > request.maxFee, NotEvidence());

        challenges.convictFor(request.gateway, uint64(last >> 96), BAD_SPLIT, msg.sender);
    }

    /// @dev A cached answer names the dispatch that first made it, which was for another request.
    function _isOwn(Leaf calldata leaf, Usage calldata usage, Dispatch calldata dispatch) private pure returns (bool) {
        Parties calldata parties = leaf.parties;
        if (usage.flags & CACHED == 0 && dispatch.requestId != leaf.requestId) return false;
        return dispatch.gateway == parties.gateway && dispatch.node == parties.node && dispatch.token == parties.token
            && dispatch.modelId == parties.modelId;
    }

    function _isFair(Leaf calldata leaf, Usage calldata usage, Dispatch calldata dispatch) private view returns (bool) {
        Shares calldata shares = leaf.shares;
        uint256 gross = _price(usage, dispatch.inPrice, dispatch.outPrice);
        uint256 listing = _listingPrice(leaf.parties, usage);
        uint256 margin = gross * _highest(Parameter.MaximumMarginBps, leaf.place.epoch) / BPS;
        uint256 sum = uint256(shares.node) + shares.listing + shares.protocol + shares.gateway;
        if (shares.fee != sum) return false;
        if (usage.flags & (CACHED | SUPPORT) != 0) {
            return sum <= gross + listing + margin && (usage.flags & CACHED == 0 || shares.node == 0);
        }
        bool whole = uint256(shares.node) + shares.protocol == gross && shares.listing == listing;
        return whole && shares.gateway <= margin && _isProtocols(shares.protocol, gross, leaf.place.epoch);
    }

    /// @dev An answer begun in one epoch may be billed in the next, in which another share counts: both will do.
    function _isProtocols(uint256 share, uint256 gross, uint64 epoch) private view returns (bool) {
        if (share == gross * parameters.at(Parameter.ProtocolBps, epoch) / BPS) return true;
        return epoch != 0 && share == gross * parameters.at(Parameter.ProtocolBps, epoch - 1) / BPS;
    }

    function _highest(Parameter parameter, uint64 epoch) private view returns (uint256) {
        uint256 value = parameters.at(parameter, epoch);
        uint256 before = epoch == 0 ? 0 : parameters.at(parameter, epoch - 1);
        return value > before ? value : before;
    }

    /// @dev A version that was never listed asks for nothing.
    function _listingPrice(Parties calldata parties, Usage calldata usage) private view returns (uint256) {
        if (parties.listingId == bytes32(0)) return 0;
        try listings.terms(parties.listingId, parties.listingVersion) returns (Terms memory terms) {
            return _price(usage, terms.inPrice, terms.outPrice);
        } catch {
            return 0;
        }
    }

    function _price(Usage calldata usage, uint128 inPrice, uint128 outPrice) private pure returns (uint256) {
        return (uint256(usage.tokensIn) * inPrice + uint256(usage.tokensOut) * outPrice) / TOKENS_PER_PRICE;
    }

    function _order(Leaf calldata leaf) private pure returns (uint256) {
        return (uint256(leaf.place.epoch) << 96) | (uint256(leaf.place.lane) << 64) | leaf.place.sequence;
    }
}
