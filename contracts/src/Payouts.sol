// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Canaries} from "./Canaries.sol";
import {DGAI} from "./DGAI.sol";
import {MerkleSum} from "./MerkleSum.sol";
import {Parameter} from "./Parameter.sol";
import {Step} from "./Types.sol";

/// @dev What quality leaves of a node's part, what it takes off and gives back to payers, what judging earns.
enum PayoutKind {
    Node,
    Payer,
    Evaluator
}

/// @dev `total` is all that the roots ever owed the payee under this kind.
struct PayoutClaim {
    PayoutKind kind;
    address payee;
    uint128 total;
    uint64 index;
    Step[] path;
}

struct Release {
    address gateway;
    uint128 amount;
}

/// @dev What is kept of a posted root.
struct Posted {
    bytes32 digest;
    bytes32 payoutsRoot;
    uint128 payoutsTotal;
    uint64 payoutsCount;
    uint64 round;
    uint64 postedAt;
}

/// @title What judging pays
/// @notice Two purses that never pay for each other. Nodes and payers are paid from what Settlement released of the
/// nodes' own part; evaluators from the pool, which is everything else that lies here: the protocol's fees. Payees
/// claim by their total in the latest final root, less what they claimed, as far as their purse reaches.
abstract contract Payouts is Canaries {
    using SafeERC20 for DGAI;

    error NoFinalRoot();
    error NotIncluded(PayoutKind kind, address payee);
    error PoolReserved(uint128 amount, uint256 free);

    event PayoutClaimed(address indexed payee, PayoutKind indexed kind, uint128 amount, uint128 claimedTotal);
    event Pulled(address indexed gateway, uint128 amount, uint128 owed);
    event Swept(address indexed to, uint128 amount);

    /// @notice What posted roots released of a gateway's pots, and Settlement has not paid yet.
    mapping(address gateway => uint128) public owed;
    uint128 public owedTotal;

    /// @notice The purse of nodes and payers: what Settlement paid, less what they claimed.
    uint128 public releasesHeld;

    /// @notice What all payees claimed, ever.
    uint128 public paidTotal;

    Posted internal _last;
    Posted internal _before;
    mapping(PayoutKind kind => mapping(address payee => uint128)) private _claimed;

    /// @notice Fetches what Settlement has of a gateway's releases. Anyone may send it.
    function pull(address gateway) external nonReentrant returns (uint128 amount) {
        return _pull(gateway);
    }

    /// @notice Pays what the latest final root says, less what was claimed. A row with nothing to pay is skipped; one
    /// that the root does not hold fails the call.
    function claim(PayoutClaim[] calldata rows) external nonReentrant {
        Posted memory posted = _finalRoot();
        require(posted.digest != bytes32(0), NoFinalRoot());
        for (uint256 i = 0; i < rows.length; ++i) {
            _claimOne(posted, rows[i]);
        }
    }

    /// @notice Takes what the pool holds above all that can still be claimed from it.
    function sweep(address to, uint128 amount) external nonReentrant {
        _requireGovernor();
        uint256 free = sweepable();
        require(amount <= free, PoolReserved(amount, free));

        emit Swept(to, amount);
        token.safeTransfer(to, amount);
    }

    function claimedOf(PayoutKind kind, address payee) external view returns (uint128) {
        return _claimed[kind][payee];
    }

    /// @notice The root by which claims are paid now; zeros while there is none.
    function current() external view returns (Posted memory) {
        return _finalRoot();
    }

    /// @notice The round of the last posted root, and its struct hash; zeros while there is none.
    function lastRound() external view returns (uint64 round, bytes32 digest) {
        return (_last.round, _last.digest);
    }

    /// @notice The purse of evaluators.
    function pool() public view returns (uint256) {
        return token.balanceOf(address(this)) - releasesHeld;
    }

    /// @notice The pool, less what roots promised beyond what they released: that is the evaluators'.
    function sweepable() public view returns (uint256) {
        uint256 promised = _last.payoutsTotal - paidTotal;
        uint256 released = uint256(releasesHeld) + owedTotal;
        uint256 reserved = promised > released ? promised - released : 0;
        uint256 held = pool();
        return held > reserved ? held - reserved : 0;
    }

    /// @dev Counts no more than Settlement will pay in all: a release above that is cut.
    function _owe(Release[] calldata releases) internal returns (uint256 sum) {
        for (uint256 i = 0; i < releases.length; ++i) {
            (address gateway, uint128 amount) = (releases[i].gateway, releases[i].amount);
            uint128 room = settlement.releasableOf(gateway) - owed[gateway];
            if (amount > room) amount = room;
            owed[gateway] += amount;
            sum += amount;
        }
        owedTotal += uint128(sum);
    }

    function _pull(address gateway) internal returns (uint128 amount) {
        uint128 wanted = owed[gateway];
        if (wanted == 0) return 0;
        amount = settlement.releaseQuality(gateway, wanted);

        owed[gateway] = wanted - amount;
        owedTotal -= amount;
        releasesHeld += amount;

        emit Pulled(gateway, amount, wanted - amount);
    }

    function _claimOne(Posted memory posted, PayoutClaim calldata row) private {
        (PayoutKind kind, address payee) = (row.kind, row.payee);
        bytes32 leaf = MerkleSum.leaf(keccak256(abi.encode(kind, payee)), row.total);
        (bytes32 root, uint256 sum) = MerkleSum.climb(leaf, row.total, row.index, posted.payoutsCount, row.path);
        require(root == posted.payoutsRoot && sum == posted.payoutsTotal, NotIncluded(kind, payee));

        uint128 claimed = _claimed[kind][payee];
        uint256 amount = row.total > claimed ? row.total - claimed : 0;
        amount = _min(amount, kind == PayoutKind.Evaluator ? pool() : releasesHeld);
        // A root that gives one payee what another has claimed would else pay it twice.
        amount = _min(amount, posted.payoutsTotal - paidTotal);
        if (amount == 0) return;
        uint128 paid = uint128(amount);
        _claimed[kind][payee] = claimed + paid;
        paidTotal += paid;
        if (kind != PayoutKind.Evaluator) releasesHeld -= paid;

        emit PayoutClaimed(payee, kind, paid, claimed + paid);
        token.safeTransfer(payee, paid);
    }

    /// @dev The last root once its window is over, until then the one before, once its own is.
    function _finalRoot() private view returns (Posted memory posted) {
        if (_isFinal(_last)) return _last;
        if (_isFinal(_before)) return _before;
    }

    function _isFinal(Posted storage posted) private view returns (bool) {
        if (posted.digest == bytes32(0)) return false;
        return block.timestamp >= posted.postedAt + _at(Parameter.RootSeconds, posted.round);
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
