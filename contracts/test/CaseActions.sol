// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Case, Outcome, Refund, Stage, Subject} from "../src/Docket.sol";
import {Jury} from "../src/Juries.sol";
import {PayoutKind} from "../src/Payouts.sol";
import {QualityRoot} from "../src/QualityCourt.sol";
import {Role} from "../src/Types.sol";
import {Courthouse} from "./Courthouse.sol";
import {vm} from "./Vm.sol";

/// @notice What may happen in the courthouse, in any order and at any time: cases opened, appealed and executed by
/// anybody; jurors of whom the last three are honest and the others do what they please; accused that leave, join
/// again, add and take stake; a quality root disputed and its signers shown. Held against plain books of money.
contract CaseActions is Courthouse {
    uint256 private constant HONEST = 3;
    uint256 private constant STRIDE = 5;

    bytes32[] private _ids;
    mapping(bytes32 id => bool) private _ended;
    mapping(bytes32 id => mapping(Stage stage => mapping(uint256 juror => uint8))) private _state; // 1 sealed, 2 opened
    QualityRoot private _posted;

    uint256 public bonds; // of cases that are open
    uint256 public executed;
    uint256 public convicted;
    uint256 public appealed;
    uint256 public dismissed;
    uint256 public signersSlashed;
    string public broken; // the first rule that was not kept

    function setUp() public override {
        super.setUp();
        _fund(opener, 1e25);
        _fund(appellant, 1e25);
        (, uint64 round) = _draw(100e18);
        _hear(round, 3, 3);
        _warpToPost(round);
        _posted = _root(round, _row(PayoutKind.Node, node, 20e18), _release(20e18));
        _post(_posted, _release(20e18), 2);
        vm.prank(opener);
        _ids.push(cases.open(Subject.QualityRoot, address(0), bytes32(uint256(round)), BLOB, _noRefunds()));
        bonds = CASE_BOND;
    }

    function open(uint8 subject, uint96 refund, bool other) external {
        Subject about = Subject(subject % 3);
        (address accused, bytes32 matter) = about == Subject.Identity
            ? (node, other ? keccak256("another model") : MODEL)
            : about == Subject.Undisclosed
                ? (gateway, bytes32(uint256(subject % 2)))
                : (address(0), bytes32(uint256(_posted.round)));
        Refund[] memory refunds = about == Subject.QualityRoot ? _noRefunds() : _refund(payer, refund % 2e17);
        vm.prank(opener);
        try cases.open(about, accused, matter, BLOB, refunds) returns (bytes32 id) {
            _ids.push(id);
            bonds += CASE_BOND;
        } catch {}
    }

    function fixSeed(uint256 which) external {
        if (_ids.length == 0) return;
        vm.roll(block.number + 4);
        try cases.fixSeed(_pick(which)) {} catch {}
    }

    /// @dev A case as it should go until votes are sealed.
    function gather(uint256 which, uint256 guilty) external {
        if (_ids.length == 0) return;
        bytes32 id = _pick(which);
        vm.roll(block.number + 4);
        try cases.fixSeed(id) {} catch {}
        _enrolAll(id);
        Jury memory jury = _jury(id, _case(id).stage);
        if (jury.seats.length < jury.size) return;
        _passTo(jury.enrolUntil);
        for (uint256 i = 0; i < JURORS - HONEST; ++i) {
            if (guilty >> (16 + i) & 3 != 0) sealVote(i, which, guilty >> i & 1 == 1);
        }
        _passTo(jury.voteUntil);
        for (uint256 i = 0; i < JURORS - HONEST; ++i) {
            if (guilty >> (40 + i) & 3 != 0) openVote(i, which);
        }
    }

    function enrol(uint256 who, uint256 which) external {
        if (_ids.length == 0) return;
        _enrol(_pick(which), jurors[who % JURORS]);
    }

    function sealVote(uint256 who, uint256 which, bool guilty) public {
        if (_ids.length == 0) return;
        who %= JURORS - HONEST;
        (bytes32 id, address juror) = (_pick(which), jurors[who]);
        Stage stage = _case(id).stage;
        vm.prank(juror);
        try cases.commitVote(id, _vote(juror, id, stage, guilty)) {
            _expect(_sits(id, stage, juror), "a vote without a seat");
            _state[id][stage][who] = 1;
        } catch {}
    }

    function openVote(uint256 who, uint256 which) public {
        if (_ids.length == 0) return;
        (bytes32 id, uint256 i) = (_pick(which), who % (JURORS - HONEST));
        Stage stage = _case(id).stage;
        for (uint256 g = 0; g < 2; ++g) {
            vm.prank(jurors[i]);
            try cases.revealVote(id, g == 1, BLOB, SALT) {
                _expect(_state[id][stage][i] == 1, "an opening without a vote");
                _state[id][stage][i] = 2;
            } catch {}
        }
    }

    function appeal(uint256 which) external {
        if (_ids.length == 0) return;
        bytes32 id = _pick(which);
        Jury memory jury = _jury(id, Stage.First);
        if (which % 4 != 0 && jury.unsealUntil != 0) _passTo(jury.unsealUntil);
        vm.prank(appellant);
        try cases.appeal(id) {
            bonds += 2 * CASE_BOND;
            ++appealed;
        } catch {}
    }

    function execute(uint256 which) external {
        if (_ids.length == 0) return;
        bytes32 id = _pick(which);
        Case memory found = _case(id);
        if (which % 4 != 0) _passTo(_jury(id, found.stage).unsealUntil + 15);
        (uint256 before, uint256 supply) = (_riches(), token.totalSupply());
        try cases.execute(id) {
            _expect(!_ended[id], "executed twice");
            _ended[id] = true;
            bonds -= uint256(found.bond) + found.appealBond;
            _noteOutcome(id);
            _expect(_riches() + supply - token.totalSupply() == before, "money came or went");
        } catch {
            _expect(_ended[id] || !_isOver(id, found), "a case that cannot end");
        }
    }

    function slashSigner(uint256 which, uint256 who) external {
        bytes32 id = which % 2 == 0 ? _ids[0] : _pick(which);
        bytes memory signature = _signature(who % 3, _posted).signature;
        try cases.slashSigner(id, _evaluator(who % 3), signature) {
            _expect(_case(id).outcome == Outcome.Convicted, "a signer without a verdict");
            ++signersSlashed;
        } catch {}
    }

    function leave(uint256 who, uint128 amount) external {
        address member = who % 2 == 0 ? node : gateway;
        vm.prank(member);
        try registry.unbond(who % 2 == 0 ? Role.Node : Role.Gateway, amount % STAKE) {} catch {}
    }

    function takeOut(uint256 who) external {
        vm.prank(who % 2 == 0 ? node : gateway);
        try registry.withdraw(who % 2 == 0 ? Role.Node : Role.Gateway) {} catch {}
    }

    function wait(uint16 seconds_) external {
        _passTo(block.timestamp + 1 + seconds_ % 30);
        vm.roll(block.number + 1 + seconds_ % 300);
    }

    // What is asked afterwards.

    function held() external view returns (uint256) {
        return token.balanceOf(address(cases));
    }

    function accusedStakes() external view returns (uint256 ofNode, uint256 ofGateway) {
        return (registry.slashableOf(Role.Node, node), registry.slashableOf(Role.Gateway, gateway));
    }

    /// @dev What the honest jurors that signed no root have less than they brought.
    function honestLosses() external view returns (uint256 lost) {
        for (uint256 i = 0; i < HONEST; ++i) {
            lost += STAKE - _stakeOf(jurors[_honest(i)]);
        }
    }

    /// @dev The first three evaluators sign the root; the honest are three that do not.
    function _honest(uint256 i) private pure returns (uint256) {
        return JURORS - HONEST + i;
    }

    function _pick(uint256 which) private view returns (bytes32) {
        return which % 3 == 0 ? _ids[which % _ids.length] : _ids[_ids.length - 1];
    }

    /// @dev In steps shorter than any window, so that the honest keep their word in every case at once.
    function _passTo(uint256 until) private {
        while (block.timestamp < until) {
            vm.warp(block.timestamp + STRIDE < until ? block.timestamp + STRIDE : until);
            for (uint256 i = 0; i < _ids.length; ++i) {
                if (!_ended[_ids[i]]) _keepWord(_ids[i]);
            }
        }
    }

    function _keepWord(bytes32 id) private {
        Stage stage = _case(id).stage;
        Jury memory jury = _jury(id, stage);
        if (jury.seats.length == 0 || jury.seats.length < jury.size) return;
        if (block.timestamp < jury.enrolUntil || block.timestamp >= jury.unsealUntil) return;
        for (uint256 i = 0; i < HONEST; ++i) {
            (uint256 j, address juror) = (_honest(i), jurors[_honest(i)]);
            if (!_sits(id, stage, juror)) continue;
            if (block.timestamp < jury.voteUntil && _state[id][stage][j] == 0) {
                _commitVote(id, stage, juror, true);
                _state[id][stage][j] = 1;
            } else if (block.timestamp >= jury.voteUntil && _state[id][stage][j] == 1) {
                _revealVote(id, juror, true);
                _state[id][stage][j] = 2;
            }
        }
    }

    function _sits(bytes32 id, Stage stage, address juror) private view returns (bool) {
        Jury memory jury = _jury(id, stage);
        for (uint256 i = 0; i < jury.seats.length; ++i) {
            if (jury.seats[i].evaluator == juror) return true;
        }
        return false;
    }

    function _isOver(bytes32 id, Case memory found) private view returns (bool) {
        Jury memory jury = _jury(id, found.stage);
        return jury.seed != bytes32(0) && block.timestamp >= jury.unsealUntil + 15;
    }

    function _noteOutcome(bytes32 id) private {
        Outcome outcome = _case(id).outcome;
        ++executed;
        if (outcome == Outcome.Convicted) ++convicted;
        if (outcome == Outcome.Dismissed) ++dismissed;
        (Case memory found, Jury memory first, Jury memory second) = cases.caseOf(id);
        Jury memory last = found.stage == Stage.Appeal && second.seats.length == second.size ? second : first;
        bool guilty = last.seats.length == last.size && last.guilty * 10_000 >= uint256(last.size) * 6_666;
        _expect(guilty == (outcome == Outcome.Convicted), "an outcome other than the votes");
    }

    /// @dev Everything in the hands of all whom a case can touch.
    function _riches() private view returns (uint256 sum) {
        address[6] memory hands = [opener, appellant, payer, address(cases), address(registry), address(court)];
        for (uint256 i = 0; i < hands.length; ++i) {
            sum += token.balanceOf(hands[i]);
        }
        for (uint256 i = 0; i < JURORS; ++i) {
            sum += token.balanceOf(jurors[i]);
        }
    }

    function _expect(bool kept, string memory rule) private {
        if (!kept && bytes(broken).length == 0) broken = rule;
    }
}
