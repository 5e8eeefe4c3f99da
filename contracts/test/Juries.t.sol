// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Outcome, Stage, Subject} from "../src/Docket.sol";
import {Juries, Jury, Seat} from "../src/Juries.sol";
import {Role} from "../src/Types.sol";
import {Courthouse} from "./Courthouse.sol";
import {vm} from "./Vm.sol";

/// @notice Who judges cannot be chosen: not by the opener, not by the accused, not by who is rich in time.
contract JuriesTest is Courthouse {
    bytes32 private _id;

    function setUp() public override {
        super.setUp();
        _id = _accuse();
    }

    function _rank(address juror, Stage stage) private view returns (uint256) {
        return _rankBy(_jury(_id, stage).seed, juror, stage);
    }

    function _rankBy(bytes32 seed, address juror, Stage stage) private view returns (uint256) {
        bytes32 lot = keccak256(abi.encode(seed, _id, stage, juror));
        return (uint256(lot) >> 161) / (registry.member(Role.Evaluator, juror).stake / 1e18);
    }

    function _refused(address juror, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(juror);
        cases.enrol(_id);
    }

    // The seed.

    function test_the_seed_comes_from_the_third_block_after_the_opening() public {
        uint256 opened = block.number;
        vm.roll(opened + 3);
        vm.expectRevert(abi.encodeWithSelector(Juries.SeedNotYet.selector, opened + 3));
        cases.fixSeed(_id);
        vm.roll(opened + 4);
        cases.fixSeed(_id);
        bytes32 seed = keccak256(abi.encode(_id, Stage.First, blockhash(opened + 3)));
        Jury memory jury = _jury(_id, Stage.First);
        vm.assertEq(jury.seed, seed);
        vm.assertEq(jury.size, 3);
        vm.assertEq(jury.enrolUntil, block.timestamp + 8);
        vm.assertEq(jury.voteUntil, block.timestamp + 23);
        vm.assertEq(jury.unsealUntil, block.timestamp + 31);
        vm.expectRevert(abi.encodeWithSelector(Juries.SeedAlreadyFixed.selector, _id));
        cases.fixSeed(_id);
    }

    function test_a_missed_block_is_waited_for_anew() public {
        vm.roll(block.number + 3 + 257);
        vm.expectEmit();
        emit Juries.SeedMissed(_id, Stage.First, uint64(block.number));
        cases.fixSeed(_id);
        vm.assertEq(_jury(_id, Stage.First).seed, bytes32(0));
        vm.expectRevert(abi.encodeWithSelector(Juries.SeedNotYet.selector, block.number + 3));
        cases.fixSeed(_id);
        _seed(_id);
        vm.assertNotEq(_jury(_id, Stage.First).seed, bytes32(0));
    }

    /// @dev Another block means another seed and another jury; what was sent before counts for nothing, and nothing breaks.
    function test_a_reorganized_seed_block_draws_another_jury() public {
        uint256 deciding = block.number + 3;
        vm.roll(deciding + 1);
        uint256 fork = vm.snapshotState();
        vm.setBlockhash(deciding, keccak256("one"));
        cases.fixSeed(_id);
        _enrolAll(_id);
        (bytes32 one, Seat[] memory before) = (_jury(_id, Stage.First).seed, _jury(_id, Stage.First).seats);
        vm.revertToState(fork);
        vm.setBlockhash(deciding, keccak256("other"));
        cases.fixSeed(_id);
        _enrolAll(_id);
        Jury memory jury = _jury(_id, Stage.First);
        vm.assertNotEq(jury.seed, one);
        vm.assertTrue(before[0].evaluator != jury.seats[0].evaluator || before[1].evaluator != jury.seats[1].evaluator);
        _hearVotes(_id, Stage.First, 7, 7);
        _passAppeal();
        cases.execute(_id);
        _assertOutcome(_id, Outcome.Convicted);
    }

    // The seats.

    /// @dev Whatever the order in which they come.
    function testFuzz_the_lowest_ranks_sit(uint256 order) public {
        _seed(_id);
        for (uint256 i = 0; i < JURORS; ++i) {
            uint256 other = i + (order >> (8 * i)) % (JURORS - i);
            (jurors[i], jurors[other]) = (jurors[other], jurors[i]);
            _enrol(_id, jurors[i]);
        }
        Seat[] memory seats = _jury(_id, Stage.First).seats;
        vm.assertEq(seats.length, 3);
        uint256 highest;
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(seats[i].rank, _rank(seats[i].evaluator, Stage.First));
            if (seats[i].rank > highest) highest = seats[i].rank;
        }
        uint256 lower;
        for (uint256 i = 0; i < JURORS; ++i) {
            if (_rank(jurors[i], Stage.First) <= highest) ++lower;
        }
        vm.assertEq(lower, 3);
    }

    function test_a_seat_is_lost_to_a_lower_rank_and_said_so() public {
        _seed(_id);
        address[] memory sorted = _byRank();
        for (uint256 i = JURORS; i > JURORS - 3; --i) {
            vm.assertTrue(_enrol(_id, sorted[i - 1]));
        }
        vm.expectEmit();
        emit Juries.Unseated(_id, Stage.First, sorted[JURORS - 1]);
        vm.expectEmit();
        emit Juries.Enrolled(_id, Stage.First, sorted[0], uint96(_rank(sorted[0], Stage.First)));
        vm.prank(sorted[0]);
        cases.enrol(_id);
        uint96 rank = uint96(_rank(sorted[JURORS - 1], Stage.First));
        uint96 highest = uint96(_rank(sorted[JURORS - 2], Stage.First));
        _refused(sorted[JURORS - 1], abi.encodeWithSelector(Juries.RankTooHigh.selector, rank, highest));
        _refused(sorted[0], abi.encodeWithSelector(Juries.AlreadyEnrolled.selector, sorted[0]));
    }

    /// @dev Twice the stake ranks first about twice as often: of 400 seeds in 57, give or take three deviations.
    function test_ranks_follow_stake() public {
        address rich = jurors[0];
        _raise(rich, STAKE);
        uint256 won;
        for (uint256 i = 0; i < 400; ++i) {
            bytes32 seed = keccak256(abi.encode("seed", i));
            (uint256 best, address winner) = (type(uint256).max, address(0));
            for (uint256 j = 0; j < JURORS; ++j) {
                uint256 rank = _rankBy(seed, jurors[j], Stage.First);
                if (rank < best) (best, winner) = (rank, jurors[j]);
            }
            if (winner == rich) ++won;
        }
        vm.assertGe(won, 36);
        vm.assertLe(won, 82);
    }

    /// @dev However rich, one name has one seat.
    function test_all_the_stake_of_the_world_buys_one_seat() public {
        _raise(jurors[0], 1_000_000 * STAKE / 10);
        vm.warp(block.timestamp + 1);
        bytes32 id = _accuseGateway();
        _seed(id);
        vm.assertTrue(_enrol(id, jurors[0]));
        vm.assertFalse(_enrol(id, jurors[0]));
        _enrolAll(id);
        Seat[] memory seats = _jury(id, Stage.First).seats;
        vm.assertTrue(seats[1].evaluator != jurors[0] && seats[2].evaluator != jurors[0]);
    }

    // Grinding.

    function test_who_joined_after_the_case_does_not_judge_it() public {
        address late = address(0x1A7E);
        _join(Role.Evaluator, late, 0);
        _declare(late);
        _seed(_id);
        _refused(late, abi.encodeWithSelector(Juries.NotEligible.selector, late));
        vm.warp(block.timestamp + 1);
        _refused(late, abi.encodeWithSelector(Juries.NotEligible.selector, late));
    }

    /// @dev Not even in the second in which it was opened: the opener would know its own case before.
    function test_who_joined_in_the_second_of_the_opening_does_not_judge() public {
        address late = address(0x1A7E);
        _join(Role.Evaluator, late, 0);
        bytes32 id = _accuseGateway();
        _seed(id);
        vm.expectRevert(abi.encodeWithSelector(Juries.NotEligible.selector, late));
        vm.prank(late);
        cases.enrol(id);
    }

    function test_stake_added_after_the_case_buys_no_rank() public {
        _seed(_id);
        address rich = _byRank()[JURORS - 1];
        _raise(rich, 1_000 * STAKE);
        _refused(rich, abi.encodeWithSelector(Juries.NotEligible.selector, rich));
    }

    function test_stake_delegated_after_the_case_buys_no_rank_and_shuts_nobody_out() public {
        _seed(_id);
        address juror = _byRank()[0];
        uint256 rank = _rank(juror, Stage.First);
        _fund(reporter, 100 * STAKE);
        vm.prank(reporter);
        token.approve(address(registry), 100 * STAKE);
        vm.prank(reporter);
        registry.delegateStake(Role.Evaluator, juror, 100 * STAKE);
        vm.assertTrue(_enrol(_id, juror));
        vm.assertEq(_jury(_id, Stage.First).seats[0].rank, rank);
    }

    // Who may not.

    function test_no_party_judges() public {
        vm.prank(jurors[0]);
        token.approve(address(cases), CASE_BOND);
        _fund(jurors[0], CASE_BOND);
        vm.prank(jurors[0]);
        bytes32 id = cases.open(Subject.Undisclosed, gateway, MODEL, BLOB, _noRefunds());
        _seed(id);
        vm.expectRevert(abi.encodeWithSelector(Juries.NotEligible.selector, jurors[0]));
        vm.prank(jurors[0]);
        cases.enrol(id);
        _join(Role.Node, jurors[1], 0);
        vm.prank(opener);
        id = cases.open(Subject.Identity, jurors[1], MODEL, BLOB, _noRefunds());
        _seed(id);
        vm.expectRevert(abi.encodeWithSelector(Juries.NotEligible.selector, jurors[1]));
        vm.prank(jurors[1]);
        cases.enrol(id);
    }

    function test_only_who_runs_the_model_judges_an_identity() public {
        bytes32[] memory others = new bytes32[](1);
        others[0] = keccak256("another model");
        vm.prank(jurors[0]);
        registry.declareModels(Role.Evaluator, others);
        bytes32 about = _accuseGateway();
        _seed(_id);
        _refused(jurors[0], abi.encodeWithSelector(Juries.NotEligible.selector, jurors[0]));
        cases.fixSeed(about);
        vm.assertTrue(_enrol(about, jurors[0]));
    }

    function test_who_does_not_serve_does_not_judge() public {
        vm.prank(jurors[0]);
        registry.unbond(Role.Evaluator, 1);
        vm.prank(jurors[1]);
        registry.unbond(Role.Evaluator, STAKE);
        vm.prank(address(cases));
        registry.jail(Role.Evaluator, jurors[2]);
        _seed(_id);
        for (uint256 i = 0; i < 3; ++i) {
            _refused(jurors[i], abi.encodeWithSelector(Juries.NotEligible.selector, jurors[i]));
        }
        _refused(reporter, abi.encodeWithSelector(Juries.NotEligible.selector, reporter));
    }

    function test_nobody_enrols_before_the_seed_or_after_the_window() public {
        _refused(jurors[0], abi.encodeWithSelector(Juries.SeedNotFixed.selector, _id));
        _seed(_id);
        uint256 until = _jury(_id, Stage.First).enrolUntil;
        vm.warp(until);
        _refused(jurors[0], abi.encodeWithSelector(Juries.TooLate.selector, until));
    }

    function test_nobody_judges_twice_and_no_appellant() public {
        _try(_id, Stage.First, 7, 7);
        Seat[] memory first = _jury(_id, Stage.First).seats;
        vm.prank(jurors[0]);
        token.approve(address(cases), type(uint256).max);
        address party = _outsider();
        _fund(party, 2 * CASE_BOND);
        vm.prank(party);
        token.approve(address(cases), type(uint256).max);
        vm.prank(party);
        cases.appeal(_id);
        _seed(_id);
        for (uint256 i = 0; i < 3; ++i) {
            _refused(first[i].evaluator, abi.encodeWithSelector(Juries.NotEligible.selector, first[i].evaluator));
        }
        _refused(party, abi.encodeWithSelector(Juries.NotEligible.selector, party));
        _enrolAll(_id);
        vm.assertEq(_jury(_id, Stage.Appeal).seats.length, 5);
        vm.assertEq(_jury(_id, Stage.Appeal).size, 5);
    }

    function _outsider() private view returns (address) {
        for (uint256 i = 0; i < JURORS; ++i) {
            bool sits = false;
            for (uint256 j = 0; j < 3; ++j) {
                sits = sits || _juror(_id, Stage.First, j) == jurors[i];
            }
            if (!sits) return jurors[i];
        }
        revert("all sit");
    }

    function _raise(address evaluator, uint256 amount) private {
        _fund(evaluator, amount);
        vm.prank(evaluator);
        token.approve(address(registry), amount);
        vm.prank(evaluator);
        registry.addStake(Role.Evaluator, uint128(amount));
    }

    function _byRank() private view returns (address[] memory sorted) {
        sorted = jurors;
        for (uint256 i = 1; i < JURORS; ++i) {
            for (uint256 j = i; j > 0 && _rank(sorted[j], Stage.First) < _rank(sorted[j - 1], Stage.First); --j) {
                (sorted[j], sorted[j - 1]) = (sorted[j - 1], sorted[j]);
            }
        }
    }
}
