// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {Ballot, DGridGovernor} from "../src/DGridGovernor.sol";
import {DGAI} from "../src/DGAI.sol";
import {Economics, Rule} from "../src/Economics.sol";
import {Parameter} from "../src/Parameter.sol";
import {Parameters} from "../src/Parameters.sol";
import {Registry, Role, Slashers} from "../src/Registry.sol";
import {Settings} from "./Settings.sol";
import {vm} from "./Vm.sol";

/// @dev A network's law: token, Timelock, governor, parameters, registry.
struct Law {
    DGAI token;
    TimelockController timelock;
    DGridGovernor governor;
    Parameters parameters;
    Registry registry;
}

/// @dev A proposal as the governor takes it.
struct Motion {
    address[] targets;
    uint256[] values;
    bytes[] calls;
    string title;
}

contract GovernorTest {
    uint48 private constant DELAY = 5;
    uint32 private constant PERIOD = 30;
    uint256 private constant THRESHOLD = 1_000e18;
    uint48 private constant EXTENSION = 10;
    uint256 private constant WAIT = 10;
    uint128 private constant QUORUM = 40_000_000e18; // four in a hundred of the supply
    uint8 private constant AGAINST = 0;
    uint8 private constant FOR = 1;

    address private constant CASES = address(0xCA5E);
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);

    Law private _law;

    function setUp() public {
        vm.warp(1_800_000_000);
        _law = _make();
        require(_law.token.transfer(ALICE, QUORUM));
        vm.prank(ALICE);
        _law.token.delegate(ALICE);
        vm.warp(block.timestamp + 1);
    }

    /// @dev As the deployer does it: the governor is the Timelock's only proposer before it exists, and nobody is admin.
    function _make() private returns (Law memory law) {
        law.token = new DGAI(address(this));
        (address[] memory proposers, address[] memory executors) = (new address[](1), new address[](1));
        proposers[0] = _predicted(1);
        law.timelock = new TimelockController(WAIT, proposers, executors, address(0));
        Ballot memory ballot = Ballot(DELAY, PERIOD, THRESHOLD, EXTENSION);
        law.governor = new DGridGovernor(law.token, Registry(_predicted(2)), law.timelock, ballot);
        law.parameters = new Parameters(address(law.timelock), 0, 20, Settings.dev(), Settings.wide());
        law.registry = new Registry(law.token, law.parameters, Slashers(address(1), address(2), CASES, address(3)));
    }

    function _predicted(uint256 count) private view returns (address) {
        return vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + count);
    }

    function _motion(address target, Parameter parameter, uint256 value) private pure returns (Motion memory motion) {
        (Parameter[] memory changed, uint256[] memory values) = (new Parameter[](1), new uint256[](1));
        (changed[0], values[0]) = (parameter, value);
        (motion.targets, motion.values, motion.calls) = (new address[](1), new uint256[](1), new bytes[](1));
        motion.targets[0] = target;
        motion.calls[0] = abi.encodeCall(Parameters.set, (changed, values));
        motion.title = "Change a parameter";
    }

    function _lowerFee() private view returns (Motion memory) {
        return _motion(address(_law.parameters), Parameter.ProtocolBps, 150);
    }

    function _propose(address who, Motion memory motion) private returns (uint256 id) {
        vm.prank(who);
        id = _law.governor.propose(motion.targets, motion.values, motion.calls, motion.title);
        vm.warp(block.timestamp + DELAY + 1);
    }

    function _vote(address who, uint256 id, uint8 support) private {
        vm.prank(who);
        _law.governor.castVote(id, support);
    }

    function _queue(Motion memory motion) private {
        _law.governor.queue(motion.targets, motion.values, motion.calls, keccak256(bytes(motion.title)));
    }

    function _execute(Motion memory motion) private {
        _law.governor.execute(motion.targets, motion.values, motion.calls, keccak256(bytes(motion.title)));
    }

    function _carried(Motion memory motion) private returns (uint256 id) {
        id = _propose(ALICE, motion);
        _vote(ALICE, id, FOR);
        vm.warp(block.timestamp + PERIOD + EXTENSION);
        _queue(motion);
    }

    function _state(uint256 id) private view returns (uint256) {
        return uint256(_law.governor.state(id));
    }

    function _missing(bytes32 role) private view returns (bytes memory) {
        return abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, address(this), role);
    }

    function test_members_change_a_parameter() public {
        Motion memory motion = _lowerFee();
        uint256 id = _propose(ALICE, motion);
        _vote(ALICE, id, FOR);
        vm.warp(block.timestamp + PERIOD);
        vm.assertEq(_state(id), uint256(IGovernor.ProposalState.Succeeded));
        vm.prank(BOB);
        _queue(motion);
        vm.warp(block.timestamp + WAIT);
        uint64 from = _law.parameters.epochNow() + 2;
        vm.expectEmit();
        emit Parameters.ParameterSet(Parameter.ProtocolBps, 150, from);
        vm.prank(BOB);
        _execute(motion);
        vm.assertEq(_state(id), uint256(IGovernor.ProposalState.Executed));
        vm.assertEq(_law.parameters.at(Parameter.ProtocolBps, from - 1), 200);
        vm.assertEq(_law.parameters.at(Parameter.ProtocolBps, from), 150);
    }

    function test_the_ballot_is_what_it_was_told() public view {
        vm.assertEq(_law.governor.votingDelay(), DELAY);
        vm.assertEq(_law.governor.votingPeriod(), PERIOD);
        vm.assertEq(_law.governor.proposalThreshold(), THRESHOLD);
        vm.assertEq(_law.governor.lateQuorumVoteExtension(), EXTENSION);
        vm.assertEq(_law.governor.quorum(block.timestamp - 1), QUORUM);
        vm.assertEq(_law.governor.CLOCK_MODE(), "mode=timestamp");
        vm.assertEq(address(_law.governor.registry()), address(_law.registry));
        vm.assertTrue(_law.governor.proposalNeedsQueuing(0));
    }

    function test_the_deployer_keeps_no_power() public {
        bytes32 admin = _law.timelock.DEFAULT_ADMIN_ROLE();
        bytes32 proposer = _law.timelock.PROPOSER_ROLE();
        vm.assertFalse(_law.timelock.hasRole(admin, address(this)));
        vm.assertFalse(_law.timelock.hasRole(proposer, address(this)));
        vm.assertTrue(_law.timelock.hasRole(proposer, address(_law.governor)));
        vm.assertTrue(_law.timelock.hasRole(_law.timelock.CANCELLER_ROLE(), address(_law.governor)));
        vm.assertTrue(_law.timelock.hasRole(_law.timelock.EXECUTOR_ROLE(), address(0)));
        Motion memory motion = _lowerFee();
        vm.expectRevert(_missing(proposer));
        _law.timelock.scheduleBatch(motion.targets, motion.values, motion.calls, 0, 0, WAIT);
        vm.expectRevert(_missing(admin));
        _law.timelock.grantRole(proposer, address(this));
        vm.expectRevert(abi.encodeWithSelector(TimelockController.TimelockUnauthorizedCaller.selector, address(this)));
        _law.timelock.updateDelay(0);
    }

    function test_votes_borrowed_after_the_snapshot_count_nothing() public {
        uint256 id = _propose(ALICE, _lowerFee());
        require(_law.token.transfer(BOB, 10 * QUORUM));
        vm.prank(BOB);
        _law.token.delegate(BOB);
        _vote(BOB, id, AGAINST);
        (uint256 against,,) = _law.governor.proposalVotes(id);
        vm.assertEq(against, 0);
    }

    /// @dev Borrowed, voted for and given back within one block: at the snapshot's second nothing was there.
    function test_votes_borrowed_for_the_snapshots_block_count_nothing() public {
        Motion memory motion = _lowerFee();
        vm.prank(ALICE);
        uint256 id = _law.governor.propose(motion.targets, motion.values, motion.calls, motion.title);
        vm.warp(_law.governor.proposalSnapshot(id));
        require(_law.token.transfer(BOB, 10 * QUORUM));
        vm.prank(BOB);
        _law.token.delegate(BOB);
        vm.prank(BOB);
        vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        _law.governor.castVote(id, FOR);
        vm.prank(BOB);
        require(_law.token.transfer(address(this), 10 * QUORUM));
        vm.warp(block.timestamp + 1);
        _vote(BOB, id, FOR);
        (, uint256 for_,) = _law.governor.proposalVotes(id);
        vm.assertEq(for_, 0);
    }

    function test_who_holds_too_little_proposes_nothing() public {
        require(_law.token.transfer(BOB, THRESHOLD - 1));
        vm.prank(BOB);
        _law.token.delegate(BOB);
        vm.warp(block.timestamp + 1);
        Motion memory motion = _lowerFee();
        vm.prank(BOB);
        vm.expectRevert(
            abi.encodeWithSelector(IGovernor.GovernorInsufficientProposerVotes.selector, BOB, THRESHOLD - 1, THRESHOLD)
        );
        _law.governor.propose(motion.targets, motion.values, motion.calls, motion.title);
    }

    function test_below_the_quorum_nothing_is_decided() public {
        vm.prank(ALICE);
        require(_law.token.transfer(address(this), 1));
        vm.warp(block.timestamp + 1);
        Motion memory motion = _lowerFee();
        uint256 id = _propose(ALICE, motion);
        _vote(ALICE, id, FOR);
        vm.warp(block.timestamp + PERIOD + 1);
        vm.assertEq(_state(id), uint256(IGovernor.ProposalState.Defeated));
        vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        _queue(motion);
    }

    function test_nothing_is_executed_early() public {
        Motion memory motion = _lowerFee();
        uint256 id = _propose(ALICE, motion);
        _vote(ALICE, id, FOR);
        vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        _queue(motion);
        vm.warp(block.timestamp + PERIOD + 1);
        vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        _execute(motion);
        _queue(motion);
        vm.warp(block.timestamp + WAIT - 1);
        vm.expectPartialRevert(TimelockController.TimelockUnexpectedOperationState.selector);
        _execute(motion);
        vm.assertEq(_law.governor.proposalEta(id), block.timestamp + 1);
        vm.warp(block.timestamp + 1);
        _execute(motion);
        vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        _execute(motion);
    }

    function test_a_late_quorum_leaves_time_to_answer() public {
        require(_law.token.transfer(BOB, QUORUM + 1));
        vm.prank(BOB);
        _law.token.delegate(BOB);
        vm.warp(block.timestamp + 1);
        uint256 id = _propose(ALICE, _lowerFee());
        uint256 deadline = _law.governor.proposalDeadline(id);
        vm.warp(deadline - 1);
        _vote(ALICE, id, FOR);
        vm.assertEq(_law.governor.proposalDeadline(id), deadline - 1 + EXTENSION);
        vm.warp(deadline + EXTENSION - 2);
        _vote(BOB, id, AGAINST);
        vm.warp(deadline + EXTENSION);
        vm.assertEq(_state(id), uint256(IGovernor.ProposalState.Defeated));
    }

    function test_a_decision_names_the_deployment_it_is_for() public {
        Law memory other = _make();
        Motion memory motion = _motion(address(other.parameters), Parameter.ProtocolBps, 150);
        _carried(motion);
        vm.warp(block.timestamp + WAIT);
        vm.expectRevert(abi.encodeWithSelector(Parameters.OnlyTimelock.selector, address(_law.timelock)));
        _execute(motion);
        vm.expectPartialRevert(IGovernor.GovernorNonexistentProposal.selector);
        other.governor.execute(motion.targets, motion.values, motion.calls, keccak256(bytes(motion.title)));
        vm.assertEq(other.parameters.at(Parameter.ProtocolBps, type(uint64).max), 200);
    }

    function test_what_was_decided_is_what_is_executed() public {
        _carried(_lowerFee());
        vm.warp(block.timestamp + WAIT);
        Motion memory other = _motion(address(_law.parameters), Parameter.ProtocolBps, 151);
        vm.expectPartialRevert(IGovernor.GovernorNonexistentProposal.selector);
        _execute(other);
    }

    function test_even_the_members_cannot_make_fraud_pay() public {
        Motion memory motion = _motion(address(_law.parameters), Parameter.IdentityBps, 0);
        _carried(motion);
        vm.warp(block.timestamp + WAIT);
        vm.expectRevert(abi.encodeWithSelector(Economics.Unsafe.selector, Rule.NodeHonesty));
        _execute(motion);
    }

    function test_stake_and_delegated_stake_vote_as_tokens_do() public {
        uint128 stake = QUORUM / 2;
        vm.prank(ALICE);
        _law.token.approve(address(_law.registry), QUORUM);
        vm.prank(ALICE);
        _law.registry.register(Role.Node, stake, "", 0, 0, 0);
        vm.prank(ALICE);
        _law.registry.delegateStake(Role.Node, ALICE, QUORUM - stake);
        vm.warp(block.timestamp + 1);
        vm.assertEq(_law.token.balanceOf(ALICE), 0);
        vm.assertEq(_law.governor.getVotes(ALICE, block.timestamp - 1), QUORUM);
        Motion memory motion = _lowerFee();
        _carried(motion);
        vm.warp(block.timestamp + WAIT);
        _execute(motion);
    }

    function test_slashed_stake_votes_no_more() public {
        vm.prank(ALICE);
        _law.token.approve(address(_law.registry), QUORUM);
        vm.prank(ALICE);
        _law.registry.register(Role.Node, QUORUM, "", 0, 0, 0);
        vm.prank(CASES);
        _law.registry.slash(Role.Node, ALICE, QUORUM / 2, BOB);
        vm.warp(block.timestamp + 1);
        vm.assertEq(_law.governor.getVotes(ALICE, block.timestamp - 1), QUORUM / 2);
    }

    function test_who_proposed_may_take_it_back_before_the_vote() public {
        Motion memory motion = _lowerFee();
        vm.prank(ALICE);
        uint256 id = _law.governor.propose(motion.targets, motion.values, motion.calls, motion.title);
        vm.prank(ALICE);
        _law.governor.cancel(motion.targets, motion.values, motion.calls, keccak256(bytes(motion.title)));
        vm.assertEq(_state(id), uint256(IGovernor.ProposalState.Canceled));
    }

    function test_the_members_change_their_own_ballot_and_nobody_else() public {
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorOnlyExecutor.selector, address(this)));
        _law.governor.setVotingPeriod(1);
        Motion memory motion = _lowerFee();
        motion.targets[0] = address(_law.governor);
        motion.calls[0] = abi.encodeCall(_law.governor.setVotingPeriod, (60));
        _carried(motion);
        vm.warp(block.timestamp + WAIT);
        _execute(motion);
        vm.assertEq(_law.governor.votingPeriod(), 60);
    }
}
