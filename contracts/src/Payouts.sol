// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Canaries} from "./Canaries.sol";
import {DGAI} from "./DGAI.sol";
import {MerkleSum} from "./MerkleSum.sol";
import {Parameter} from "./Parameter.sol";
import {MAX_RELEASES, Step} from "./Types.sol";

/// @dev What quality leaves of a node's part, what it takes off and gives back to payers, what judging earns.
enum PayoutKind {
    Node,
    Payer,
    Evaluator
}

/// @dev `total` is all that the roots ever owed the payee under this kind for the gateway's requests; an evaluator is
/// owed for all gateways' under the zero address.
struct PayoutClaim {
    PayoutKind kind;
    address gateway;
    address payee;
    uint128 total;
    uint64 index;
    Step[] path;
}

struct Release {
    address gateway;
    uint128 amount;
}

struct Counted {
    address gateway;
    uint96 amount;
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
/// @notice Purses that never pay for each other: one a gateway, and the pool. Nodes and payers are paid from what
/// Settlement released of the nodes' own part of that gateway's fees, so a gateway whose payers never paid takes nothing
/// of another's; evaluators from the pool, which is everything else that lies here: the protocol's fees. Payees claim by
/// their total in the latest final root, less what they claimed, as far as that purse reaches.
abstract contract Payouts is Canaries {
    using SafeERC20 for DGAI;

    error NoFinalRoot();
    error NotIncluded(PayoutKind kind, address gateway, address payee);
    error PoolReserved(uint128 amount, uint256 free);
    error TooManyReleases(uint256 count, uint256 maximum);

    event PayoutClaimed(
        address indexed payee, PayoutKind indexed kind, address indexed gateway, uint128 amount, uint128 claimedTotal
    );
    event Pulled(address indexed gateway, uint128 amount, uint128 owed);
    event Swept(address indexed to, uint128 amount);

    /// @notice What posted roots released of a gateway's pots, and Settlement has not paid yet.
    mapping(address gateway => uint128) public owed;
    uint128 public owedTotal;

    /// @notice What overturned roots took of a gateway's pots. The next roots use it up before they take more.
    mapping(address gateway => uint128) public carried;
    uint128 public carriedTotal;

    /// @notice The purse of a gateway's nodes and payers: what Settlement paid, less what they claimed.
    mapping(address gateway => uint128) public releasesHeld;
    uint128 public releasesHeldTotal;

    /// @notice What all payees claimed, ever.
    uint128 public paidTotal;

    Posted internal _last;
    Posted internal _before;

    /// @dev What the last root counted of its releases: a slot each, since no amount of the token needs more bits.
    Counted[] private _counted;

    /// @notice Whether a jury is asked about the last root. Until it has answered, that root is not final.
    bool public disputed;

    mapping(PayoutKind kind => mapping(address gateway => mapping(address payee => uint128))) private _claimed;

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
        _requireTimelock();
        uint256 free = sweepable();
        require(amount <= free, PoolReserved(amount, free));

        emit Swept(to, amount);
        token.safeTransfer(to, amount);
    }

    function claimedOf(PayoutKind kind, address gateway, address payee) external view returns (uint128) {
        return _claimed[kind][gateway][payee];
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
        return token.balanceOf(address(this)) - releasesHeldTotal;
    }

    /// @notice The pool, less what roots promised beyond what they released: that is the evaluators', and of nodes what
    /// they took of an overturned root's release, which the next roots promise again.
    function sweepable() public view returns (uint256) {
        uint256 promised = uint256(_last.payoutsTotal) - paidTotal + carriedTotal;
        uint256 released = uint256(releasesHeldTotal) + owedTotal;
        uint256 reserved = promised > released ? promised - released : 0;
        uint256 held = pool();
        return held > reserved ? held - reserved : 0;
    }

    /// @dev Counts no more than was carried over and Settlement will pay in all: a release above that is cut.
    function _owe(Release[] calldata releases) internal returns (uint256 sum) {
        require(releases.length <= MAX_RELEASES, TooManyReleases(releases.length, MAX_RELEASES));
        delete _counted;
        for (uint256 i = 0; i < releases.length; ++i) {
            address gateway = releases[i].gateway;
            uint256 wanted = _min(releases[i].amount, type(uint96).max);
            uint128 reused = uint128(_min(wanted, carried[gateway]));
            uint128 taken = uint128(_min(wanted - reused, settlement.releasableOf(gateway) - owed[gateway]));
            carried[gateway] -= reused;
            carriedTotal -= reused;
            owed[gateway] += taken;
            owedTotal += taken;
            _counted.push(Counted(gateway, uint96(reused + taken)));
            sum += reused + taken;
        }
    }

    /// @dev Back to the root before, as if the last had never been; what it took stays for the next.
    function _overturn() internal {
        for (uint256 i = 0; i < _counted.length; ++i) {
            Counted memory counted = _counted[i];
            carried[counted.gateway] += counted.amount;
            carriedTotal += counted.amount;
        }
        delete _counted;
        _last = _before;
    }

    function _pull(address gateway) internal returns (uint128 amount) {
        uint128 wanted = owed[gateway];
        if (wanted == 0) return 0;
        amount = settlement.releaseQuality(gateway, wanted);

        owed[gateway] = wanted - amount;
        owedTotal -= amount;
        releasesHeld[gateway] += amount;
        releasesHeldTotal += amount;

        emit Pulled(gateway, amount, wanted - amount);
    }

    function _claimOne(Posted memory posted, PayoutClaim calldata row) private {
        (PayoutKind kind, address gateway, address payee) = (row.kind, row.gateway, row.payee);
        bytes32 leaf = MerkleSum.leaf(keccak256(abi.encode(kind, gateway, payee)), row.total);
        (bytes32 root, uint256 sum) = MerkleSum.climb(leaf, row.total, row.index, posted.payoutsCount, row.path);
        require(root == posted.payoutsRoot && sum == posted.payoutsTotal, NotIncluded(kind, gateway, payee));

        uint128 claimed = _claimed[kind][gateway][payee];
        uint256 amount = row.total > claimed ? row.total - claimed : 0;
        amount = _min(amount, kind == PayoutKind.Evaluator ? pool() : releasesHeld[gateway]);
        // A root that gives one payee what another has claimed would else pay it twice.
        amount = _min(amount, posted.payoutsTotal - paidTotal);
        if (amount == 0) return;
        uint128 paid = uint128(amount);
        _claimed[kind][gateway][payee] = claimed + paid;
        paidTotal += paid;
        if (kind != PayoutKind.Evaluator) {
            releasesHeld[gateway] -= paid;
            releasesHeldTotal -= paid;
        }

        emit PayoutClaimed(payee, kind, gateway, paid, claimed + paid);
        token.safeTransfer(payee, paid);
    }

    /// @dev When the last root becomes final; zero while there is none.
    function _lastFinalAt() internal view returns (uint256) {
        return _last.digest == bytes32(0) ? 0 : _last.postedAt + _at(Parameter.RootSeconds, _last.round);
    }

    /// @dev The last root once it is final, until then the one before: nothing is posted upon a root that is not final.
    function _finalRoot() private view returns (Posted memory) {
        bool final_ = !disputed && block.timestamp >= _lastFinalAt();
        return final_ ? _last : _before;
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
