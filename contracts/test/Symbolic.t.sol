// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Awards} from "../src/Awards.sol";
import {Canaries} from "../src/Canaries.sol";
import {DGAI} from "../src/DGAI.sol";
import {Case, Docket, Outcome, Refund, Stage} from "../src/Docket.sol";
import {Judging} from "../src/Judging.sol";
import {Jury, Seat} from "../src/Juries.sol";
import {Parameter} from "../src/Parameter.sol";
import {Payouts, Release} from "../src/Payouts.sol";
import {QualityCourt} from "../src/QualityCourt.sol";
import {Settlement} from "../src/Settlement.sol";
import {vm} from "./Vm.sol";

/// @notice Stands for all neighbours of the contract under proof: answers with the values a proof is about.
contract Neighbour {
    DGAI public immutable token;
    uint128 public releasable;
    mapping(Parameter parameter => uint256) private _values;

    constructor(DGAI token_) {
        token = token_;
    }

    function put(Parameter parameter, uint256 value) external {
        _values[parameter] = value;
    }

    function allow(uint128 releasable_) external {
        releasable = releasable_;
    }

    function at(Parameter parameter, uint64) external view returns (uint256) {
        return _values[parameter];
    }

    function releasableOf(address) external view returns (uint128) {
        return releasable;
    }

    function registry() external view returns (address) {
        return address(this);
    }

    function parameters() external view returns (address) {
        return address(this);
    }

    function cases() external view returns (address) {
        return msg.sender;
    }

    function court() external view returns (address) {
        return msg.sender;
    }

    function timelock() external view returns (address) {
        return address(this);
    }

    function genesis() external pure returns (uint64) {
        return 1;
    }

    function epochSeconds() external pure returns (uint64) {
        return 20;
    }
}

/// @notice A case of three members with a full jury, open to a proof.
contract OneCase is Awards {
    /// @dev Not a constant, or the compiler would work out the places in storage that a proof has to see.
    bytes32 public id = keccak256("case");

    constructor(QualityCourt court_) Docket(court_) {}

    function put(Outcome outcome, uint128 bond, uint128 appealBond, uint128 due) external {
        Case storage found = _cases[id];
        (found.openedAt, found.outcome) = (1, outcome);
        (found.opener, found.appellant) = (address(0x09E4), address(0xA99E));
        (found.bond, found.appealBond, found.payDue) = (bond, appealBond, due);
        found.stage = appealBond == 0 ? Stage.First : Stage.Appeal;
    }

    function ask(uint96 one, uint96 other) external {
        _cases[id].refunds.push(Refund(address(0xF001), one));
        _cases[id].refunds.push(Refund(address(0xF002), other));
    }

    function seat(Stage stage, address member) external {
        Jury storage jury = _juries[id][stage];
        (jury.seed, jury.enrolUntil, jury.voteUntil, jury.unsealUntil) = (id, 10, 20, 30);
        ++jury.size;
        jury.seats.push(Seat(member, 0));
    }

    function distribute(uint128 slashed) external returns (uint128 refunded, uint128 rewarded, uint128 burned) {
        return _distribute(id, _cases[id], slashed);
    }

    function returnBonds() external {
        _returnBonds(id, _cases[id]);
    }

    function payDue() external view returns (uint128) {
        return _cases[id].payDue;
    }

    function opened(Stage stage) external view returns (uint16, uint16) {
        return (_juries[id][stage].opened, _juries[id][stage].guilty);
    }
}

/// @notice Roots that take and are overturned.
contract OneTaker is Payouts {
    constructor(Settlement settlement_) Judging(settlement_) Canaries(new address[](0)) {}

    function owe(Release[] calldata releases) external returns (uint256) {
        return _owe(releases);
    }

    function overturn() external {
        _overturn();
    }
}

/// @notice Laws shown for every value at once, by halmos; what forge runs here is their set-up alone.
contract SymbolicTest {
    DGAI private _token;
    Neighbour private _neighbour;
    OneCase private _case;
    OneTaker private _taker;

    function setUp() public {
        _token = new DGAI(address(this));
        _neighbour = new Neighbour(_token);
        _case = new OneCase(QualityCourt(address(_neighbour)));
        _taker = new OneTaker(Settlement(address(_neighbour)));
        for (uint160 i = 1; i <= 3; ++i) {
            _case.seat(Stage.First, address(0x7000 + i));
        }
    }

    /// @dev The first members vote, guilty all of them.
    function _vote(uint256 members) private {
        bytes32 id = _case.id();
        _case.put(Outcome.Open, 0, 0, 0);
        vm.warp(10);
        for (uint160 i = 0; i < members; ++i) {
            address member = address(0x7001 + i);
            vm.prank(member);
            _case.commitVote(id, keccak256(abi.encode(member, id, Stage.First, true, id, id)));
        }
        vm.warp(20);
        for (uint160 i = 0; i < members; ++i) {
            vm.prank(address(0x7001 + i));
            _case.revealVote(id, true, id, id);
        }
        (uint16 opened,) = _case.opened(Stage.First);
        assert(opened == members);
    }

    /// @notice Whatever is slashed is refunded, rewarded, paid or burned to the unit; nothing stays, no bond is touched.
    /// With none, one, and two of the members that voted.
    function check_what_is_slashed_is_paid_out_or_burned_0(uint96 slashed, uint96 one, uint96 other, uint96 due)
        public
    {
        _distributes(0, slashed, one, other, due);
    }

    function check_what_is_slashed_is_paid_out_or_burned_1(uint96 slashed, uint96 one, uint96 other, uint96 due)
        public
    {
        _distributes(1, slashed, one, other, due);
    }

    function check_what_is_slashed_is_paid_out_or_burned_2(uint96 slashed, uint96 one, uint96 other, uint96 due)
        public
    {
        _distributes(2, slashed, one, other, due);
    }

    /// @notice Both bonds leave exactly once, to whoever it is; not a unit of any other bond goes with them.
    function check_bonds_leave_whole_and_others_stay_0(uint96 bond, uint96 second, uint96 others, bool guilty) public {
        _returns(0, bond, second, others, guilty);
    }

    function check_bonds_leave_whole_and_others_stay_2(uint96 bond, uint96 second, uint96 others, bool guilty) public {
        _returns(2, bond, second, others, guilty);
    }

    /// @notice A vote opens once, by its own hand, as it was sealed.
    function check_a_vote_opens_once_and_as_it_was_sealed(
        address opener,
        bool guilty,
        bytes32 evidence,
        bytes32 salt,
        bool shown,
        bytes32 shownEvidence,
        bytes32 shownSalt
    ) public {
        bytes32 id = _case.id();
        _case.put(Outcome.Open, 0, 0, 0);
        vm.warp(10);
        vm.prank(address(0x7001));
        _case.commitVote(id, keccak256(abi.encode(address(0x7001), id, Stage.First, guilty, evidence, salt)));
        vm.warp(20);
        vm.prank(opener);
        try _case.revealVote(id, shown, shownEvidence, shownSalt) {
            assert(opener == address(0x7001) && shown == guilty && shownEvidence == evidence && shownSalt == salt);
            (uint16 opened, uint16 votes) = _case.opened(Stage.First);
            assert(opened == 1 && votes == (guilty ? 1 : 0));
            vm.prank(opener);
            try _case.revealVote(id, shown, shownEvidence, shownSalt) {
                assert(false);
            } catch {}
        } catch {}
    }

    /// @notice What an overturned root took is counted again before anything more is taken, and never twice: all that was
    /// taken of a gateway is carried or counted, and never more than Settlement allows.
    function check_what_is_carried_over_is_taken_once(uint96 first, uint96 second, uint96 room) public {
        address gateway = address(0x6A7E);
        _neighbour.allow(room);
        uint256 counted = _taker.owe(_release(gateway, first));
        assert(counted <= first && counted == _taker.owed(gateway));
        _taker.overturn();
        assert(_taker.carried(gateway) == counted);
        counted = _taker.owe(_release(gateway, second));
        assert(counted <= second);
        assert(_taker.owed(gateway) == _taker.carried(gateway) + counted);
        assert(_taker.owed(gateway) <= room);
        assert(_taker.owedTotal() == _taker.owed(gateway) && _taker.carriedTotal() == _taker.carried(gateway));
    }

    function _distributes(uint256 members, uint96 slashed, uint96 one, uint96 other, uint96 due) private {
        vm.assume(slashed <= 1e27 && due <= 1e27);
        _neighbour.put(Parameter.ReporterBps, 2_000);
        _vote(members);
        _case.put(Outcome.Convicted, 0, 0, due);
        _case.ask(one, other);
        require(_token.transfer(address(_case), slashed));
        (uint128 refunded, uint128 rewarded, uint128 burned) = _case.distribute(slashed);
        uint256 paid = due - _case.payDue();
        assert(uint256(refunded) + rewarded + paid + burned == slashed);
        assert(refunded <= uint256(one) + other);
        // What the guard over parameters rests on: where as much is left, members get all that is due, rounded down.
        bool left = slashed - uint256(slashed) * 2_000 / 10_000 >= uint256(one) + other + due;
        if (left && members != 0) assert(paid == due / members * members);
        assert(_token.balanceOf(address(_case)) == 0);
    }

    function _returns(uint256 members, uint96 bond, uint96 second, uint96 others, bool guilty) private {
        vm.assume(bond <= 1e26 && second <= 1e26 && others <= 1e26);
        _neighbour.put(Parameter.VerdictBps, 6_666);
        _vote(members);
        _case.put(guilty ? Outcome.Convicted : Outcome.Acquitted, bond, second, 0);
        if (second != 0) _case.seat(Stage.Appeal, address(0x7009));
        require(_token.transfer(address(_case), uint256(bond) + second + others));
        _case.returnBonds();
        assert(_token.balanceOf(address(_case)) == others);
    }

    function _release(address gateway, uint128 amount) private pure returns (Release[] memory releases) {
        releases = new Release[](1);
        releases[0] = Release(gateway, amount);
    }
}
