// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PayoutClaim, PayoutKind, Release} from "../src/Payouts.sol";
import {EvaluatorSignature, QualityRoot} from "../src/QualityCourt.sol";
import {Role} from "../src/Registry.sol";
import {Kind} from "../src/Types.sol";
import {Claim} from "../src/Settlement.sol";
import {Courtroom, Row} from "./Courtroom.sol";
import {vm} from "./Vm.sol";

/// @notice What may happen before the court, in any order and at any time: epochs served, collected or not; seeds fixed
/// early and late; evaluators of whom the first is honest and the others do what they please; roots of any total, signed
/// by anybody; claims by the last table and by older ones. Each answer is held against a plain model of the rules.
contract CourtActions is Courtroom {
    uint256 private constant PAYEES = 3;

    uint64[] private _epochs; // anchored
    uint64[] private _rounds; // those in which seeds were fixed
    mapping(uint64 epoch => uint256) private _anchoredBlock;
    mapping(uint64 epoch => bool) private _drawn;
    mapping(uint64 round => mapping(uint256 evaluator => uint8)) private _state; // 1 committed, 2 copied, 3 opened, 4 penalized
    mapping(uint64 round => uint256) private _opened;
    Row[] private _table;
    bytes[] private _tables; // of all posted roots
    uint256 private _lastTotal;
    uint256 private _lastAt;
    bool private _disputed;

    // As they were before the last root, for when it is overturned.
    bytes private _tableBefore;
    uint256 private _totalBefore;
    uint256 private _finalAtBefore;
    uint256 private _growth;
    uint256 private _taken;

    uint256 public posts;
    uint256 public promisedBeyond; // what roots promised beyond what they released
    uint256 public releasedBeyond; // and the other way round
    uint256 public pulled;
    uint256 public paidFromReleases;
    uint256 public paidFromPool;
    uint256 public penalties;
    uint256 public overturns;
    uint256 public carriedOver; // what overturned roots took, and no later one has used up
    string public broken; // the first rule that the court did not keep

    function setUp() public override {
        super.setUp();
        for (uint256 i = 0; i < PAYEES; ++i) {
            _table.push(
                Row(
                    PayoutKind(i),
                    PayoutKind(i) == PayoutKind.Evaluator ? address(0) : gateway,
                    address(uint160(0x9A1D00 + i)),
                    0
                )
            );
        }
    }

    // What happens.

    function serve(uint64 toNode, bool collected) public {
        if (_epochs.length >= 30) return; // the payer's deposit
        _passTo(settlement.endOf(parameters.epochNow()) - 1);
        uint64 epoch = _anchorEpoch(1e9 + toNode % 50e18).epoch;
        _anchoredBlock[epoch] = block.number;
        _epochs.push(epoch);
        if (collected) collect(_epochs.length - 1);
    }

    function collect(uint256 which) public {
        if (_epochs.length == 0) return;
        try settlement.collectOne(_collection(book.proof(_epochs[which % _epochs.length], 0, 0))) {} catch {}
    }

    function claimFees(uint256 which, bool ofNode) external {
        if (_epochs.length == 0) return;
        _passTo(block.timestamp + 15);
        vm.roll(block.number + 2);
        Claim memory row = Claim(ofNode ? Kind.Node : Kind.Protocol, book.proof(_epochs[which % _epochs.length], 0, 0));
        try settlement.claimOne(row) {} catch {}
    }

    function fixSeed(uint256 which) public {
        if (_epochs.length == 0) return;
        uint64 epoch = _epochs[which % _epochs.length];
        uint256 deciding = _anchoredBlock[epoch] + 3;
        bool allowed = !_drawn[epoch] && block.number > deciding;
        try court.fixSeed(gateway, epoch) {
            _expect(allowed, "a seed before its time or twice");
            _drawn[epoch] = true;
            (, uint64 round, bool expired) = court.drawOf(gateway, epoch);
            _expect(expired == (block.number - deciding > 256), "expired");
            _rounds.push(round);
        } catch {
            _expect(!allowed, "no seed in time");
        }
    }

    /// @dev An epoch as it should go.
    function draw(uint64 toNode) external {
        serve(toNode, true);
        vm.roll(block.number + 4);
        if (_epochs.length != 0) fixSeed(_epochs.length - 1);
    }

    /// @dev The latest round as it should go, for whom the masks name.
    function hear(uint256 committing, uint256 opening) external {
        if (_rounds.length == 0) return;
        (uint256 commitFrom, uint256 revealFrom,, uint256 postFrom) = court.windowsOf(_rounds[_rounds.length - 1]);
        _passTo(commitFrom);
        for (uint256 i = 0; i < EVALUATORS; ++i) {
            if (committing >> i & 1 == 1) commit(i, _rounds.length - 1, false);
        }
        _passTo(revealFrom);
        for (uint256 i = 0; i < EVALUATORS; ++i) {
            if (opening >> i & 1 == 1) reveal(i, _rounds.length - 1);
        }
        _passTo(postFrom);
    }

    function commit(uint256 who, uint256 which, bool copies) public {
        if (_rounds.length == 0) return;
        (who, copies) = (who % EVALUATORS, copies && who % EVALUATORS != 0);
        uint64 round = _rounds[which % _rounds.length];
        (uint256 from, uint256 until,,) = court.windowsOf(round);
        bool allowed = block.timestamp >= from && block.timestamp < until && _state[round][who] == 0
            && registry.isActive(Role.Evaluator, _evaluator(who));
        bytes32 commitment = _commitment(_evaluator(copies ? 0 : who), round, _reports(who));
        vm.prank(_evaluator(who));
        try court.commit(round, commitment) {
            _expect(allowed, "a commitment out of turn");
            _state[round][who] = copies ? 2 : 1;
        } catch {
            _expect(!allowed, "no commitment in turn");
        }
    }

    function reveal(uint256 who, uint256 which) public {
        if (_rounds.length == 0) return;
        who = who % EVALUATORS;
        uint64 round = _rounds[which % _rounds.length];
        (, uint256 from, uint256 until,) = court.windowsOf(round);
        bool allowed = block.timestamp >= from && block.timestamp < until && _state[round][who] == 1;
        vm.prank(_evaluator(who));
        try court.reveal(round, _reports(who), keccak256("blob"), SALT) {
            _expect(allowed, "an opening out of turn");
            _state[round][who] = 3;
            ++_opened[round];
        } catch {
            _expect(!allowed, "no opening in turn");
        }
    }

    function penalize(uint256 who, uint256 which) external {
        if (_rounds.length == 0) return;
        who = who % EVALUATORS;
        uint64 round = _rounds[which % _rounds.length];
        (,, uint256 from,) = court.windowsOf(round);
        bool withheld = _state[round][who] == 1 || _state[round][who] == 2;
        uint256 stake = registry.stakeOf(Role.Evaluator, _evaluator(who));
        vm.prank(reporter);
        try court.penalize(_evaluator(who), round) {
            _expect(withheld && block.timestamp >= from, "a penalty for who did not withhold");
            _state[round][who] = 4;
            penalties += stake - registry.stakeOf(Role.Evaluator, _evaluator(who));
        } catch {
            _expect(!withheld || block.timestamp < from, "no penalty for who withheld");
        }
    }

    function wait(uint16 seconds_) external {
        _passTo(block.timestamp + 1 + seconds_ % 40);
        vm.roll(block.number + 1 + seconds_ % 5);
    }

    function stall() external {
        vm.roll(block.number + 300);
    }

    /// @dev Grows one row; one time in four by too much perhaps, signed by too few or too many, or for an old round.
    function post(uint8 wild, uint256 row, uint128 growth, uint128 released, uint256 signing) external {
        if (_rounds.length == 0) return;
        uint64 round = _rounds[wild % 4 == 0 ? wild % _rounds.length : _rounds.length - 1];
        signing = wild % 4 == 1 ? signing % (EVALUATORS + 1) : _opened[round] / 2 + 1;
        Release[] memory releases = _release(released % 15e18);
        uint256 counted = _counted(releases[0].amount);
        growth = wild % 4 == 2 ? growth % 30e18 : uint128(growth % (counted + POOL_CAP + 1));
        Row[] memory rows = _table;
        rows[row % PAYEES].total += growth;
        QualityRoot memory root = _root(round, rows, releases);
        bool allowed = _mayPost(round, signing) && growth <= counted + POOL_CAP;
        try court.post(root, releases, _openedSignatures(root, signing)) {
            _expect(allowed, "a root that may not be posted");
            _notePost(rows, row % PAYEES, growth, counted);
        } catch {
            _expect(!allowed, "no root where one may be posted");
        }
        _notePulled();
    }

    function dispute(uint256 which) public {
        if (_rounds.length == 0) return;
        uint64 round = _rounds[which % 4 == 0 ? which % _rounds.length : _rounds.length - 1];
        (uint64 last, bytes32 digest) = court.lastRound();
        bool allowed = digest != bytes32(0) && round == last && !_disputed && block.timestamp < _lastAt + 15;
        vm.prank(address(cases));
        try court.dispute(round) {
            _expect(allowed, "a dispute out of turn");
            _disputed = true;
        } catch {
            _expect(!allowed, "no dispute in turn");
        }
    }

    function settle(bool overturned) external {
        (uint64 last,) = court.lastRound();
        vm.prank(address(cases));
        try court.settleDispute(last, overturned) {
            _expect(_disputed, "an end without a dispute");
            _disputed = false;
            if (overturned) _noteOverturned();
        } catch {
            _expect(!_disputed, "a dispute without an end");
        }
    }

    function pull() external {
        court.pull(gateway);
        _notePulled();
    }

    function claim(uint256 which, uint256 row) external {
        if (_tables.length == 0) return;
        which = which % 4 == 0 ? which % _tables.length : _tables.length - 1;
        Row[] memory rows = abi.decode(_tables[which], (Row[]));
        PayoutClaim[] memory claims = new PayoutClaim[](2);
        (claims[0], claims[1]) = (_claimOf(rows, row % PAYEES), _claimOf(rows, row % PAYEES));
        uint256 before = court.paidTotal();
        try court.claim(claims) {
            bool final_ = court.current().payoutsRoot == _root(0, rows, _release(0)).payoutsRoot;
            _expect(final_, "paid by a root that is not final");
            uint256 paid = court.paidTotal() - before;
            if (rows[row % PAYEES].kind == PayoutKind.Evaluator) paidFromPool += paid;
            else paidFromReleases += paid;
        } catch {}
    }

    function fund(uint64 amount) external {
        _fund(address(court), amount);
    }

    function sweep(uint128 amount) external {
        uint256 free = court.sweepable();
        vm.prank(timelock);
        try court.sweep(address(0x5AFE), amount % 20e18) {
            _expect(amount % 20e18 <= free, "swept what is owed");
        } catch {
            _expect(amount % 20e18 > free, "not swept what is free");
        }
    }

    // What is asked afterwards.

    function honestStake() external view returns (uint256) {
        return registry.stakeOf(Role.Evaluator, _evaluator(0));
    }

    function stakes() external view returns (uint256 sum) {
        for (uint256 i = 0; i < EVALUATORS; ++i) {
            sum += registry.stakeOf(Role.Evaluator, _evaluator(i));
        }
    }

    function lastTotal() external view returns (uint256) {
        return _lastTotal;
    }

    function heldByCourt()
        external
        view
        returns (uint256 balance, uint256 releasesHeld, uint256 owed, uint256 paid, uint256 released, uint256 cap)
    {
        uint256 pots = settlement.account(gateway).pots;
        return (
            token.balanceOf(address(court)),
            court.releasesHeld(gateway),
            court.owedTotal(),
            court.paidTotal(),
            settlement.account(gateway).released,
            (pots * 2_000 + 9_999) / 10_000
        );
    }

    function conserved() external view {
        _assertConserved();
    }

    /// @dev The honest evaluator opens what it committed to before the clock leaves the window.
    function _passTo(uint256 until) private {
        if (until <= block.timestamp) return;
        for (uint256 i = 0; i < _rounds.length; ++i) {
            if (_state[_rounds[i]][0] != 1) continue;
            (, uint256 from, uint256 end,) = court.windowsOf(_rounds[i]);
            if (until < end) continue;
            if (block.timestamp < from) vm.warp(from);
            reveal(0, i);
        }
        vm.warp(until);
    }

    function _expect(bool kept, string memory rule) private {
        if (!kept && bytes(broken).length == 0) broken = rule;
    }

    function _mayPost(uint64 round, uint256 signing) private view returns (bool) {
        (uint64 last, bytes32 digest) = court.lastRound();
        (,,, uint256 from) = court.windowsOf(round);
        uint256 signed = signing < _opened[round] ? signing : _opened[round];
        bool next = digest == bytes32(0) || round > last;
        bool settled = !_disputed && block.timestamp >= _lastAt + 15;
        return next && settled && block.timestamp >= from && signed == _opened[round] / 2 + 1;
    }

    function _counted(uint128 released) private view returns (uint256) {
        uint256 room = settlement.releasableOf(gateway) - court.owed(gateway) + carriedOver;
        return released < room ? released : room;
    }

    /// @dev Of those that opened, the first `signing`.
    function _openedSignatures(QualityRoot memory root, uint256 signing)
        private
        view
        returns (EvaluatorSignature[] memory signatures)
    {
        uint256 count = signing < _opened[root.round] ? signing : _opened[root.round];
        signatures = new EvaluatorSignature[](count);
        uint256 used = 0;
        for (uint256 i = 0; used < count; ++i) {
            if (_state[root.round][i] == 3) signatures[used++] = _signature(i, root);
        }
    }

    function _notePost(Row[] memory rows, uint256 row, uint256 growth, uint256 counted) private {
        (_tableBefore, _totalBefore, _finalAtBefore) = (abi.encode(_table), _lastTotal, _lastAt);
        (_growth, _taken, _lastAt) = (growth, counted, block.timestamp);
        _table[row] = rows[row];
        _tables.push(abi.encode(rows));
        _lastTotal += growth;
        ++posts;
        if (growth > counted) promisedBeyond += growth - counted;
        else releasedBeyond += counted - growth;
        carriedOver -= counted < carriedOver ? counted : carriedOver;
    }

    function _noteOverturned() private {
        Row[] memory rows = abi.decode(_tableBefore, (Row[]));
        for (uint256 i = 0; i < PAYEES; ++i) {
            _table[i].total = rows[i].total;
        }
        (_lastTotal, _lastAt) = (_totalBefore, _finalAtBefore);
        if (_growth > _taken) promisedBeyond -= _growth - _taken;
        else releasedBeyond -= _taken - _growth;
        carriedOver += _taken;
        ++overturns;
        --posts;
    }

    function _notePulled() private {
        pulled = settlement.account(gateway).released;
    }
}
