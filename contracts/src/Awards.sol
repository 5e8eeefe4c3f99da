// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Ballots} from "./Ballots.sol";
import {Case, Outcome, Refund, Stage} from "./Docket.sol";
import {DGAI} from "./DGAI.sol";
import {Jury} from "./Juries.sol";
import {Parameter} from "./Parameter.sol";
import {BPS, Role} from "./Types.sol";

/// @title Who gets what when a case ends
/// @notice Members that opened their vote share the bonds of who lost, in equal parts and whichever way they voted; where
/// the accused lost, as much as one bond out of what was slashed: so no verdict pays better than the other. Of what is
/// slashed payers get back their part first, then the opener its reward, then the members theirs; the rest is burned.
/// Nothing but open bonds ever stays here.
abstract contract Awards is Ballots {
    using SafeERC20 for DGAI;

    event MemberPaid(bytes32 indexed id, address indexed evaluator, uint128 amount);
    event MemberPenalized(bytes32 indexed id, Stage stage, address indexed evaluator, uint128 amount);
    event Refunded(bytes32 indexed id, address indexed payer, uint128 amount);

    /// @dev A jury that never was complete owed no vote.
    function _penalizeSilent(bytes32 id, Case storage found) internal {
        uint128 penalty = uint128(_rule(found, Parameter.LatePenalty));
        for (uint256 s = 0; s <= uint256(found.stage); ++s) {
            Jury storage jury = _juries[id][Stage(s)];
            if (!_isComplete(jury)) continue;
            for (uint256 i = 0; i < jury.seats.length; ++i) {
                address evaluator = jury.seats[i].evaluator;
                if (!_hasOpened(id, Stage(s), evaluator)) _penalize(id, Stage(s), evaluator, penalty);
            }
        }
    }

    /// @dev To who lost nothing, or if no member voted; else to the members.
    function _returnBonds(bytes32 id, Case storage found) internal {
        bool voted = _openedIn(id, found) != 0;
        bool openerLost = voted && found.outcome == Outcome.Acquitted;
        bool appellantLost = voted && _isUpheld(id, found);
        uint128 lost = (openerLost ? found.bond : 0) + (appellantLost ? found.appealBond : 0);

        if (lost != 0) _burn(lost - _payMembers(id, found, lost));
        if (!openerLost) token.safeTransfer(found.opener, found.bond);
        if (found.stage == Stage.Appeal && !appellantLost) token.safeTransfer(found.appellant, found.appealBond);
    }

    function _distribute(bytes32 id, Case storage found, uint128 slashed)
        internal
        returns (uint128 refunded, uint128 rewarded, uint128 burned)
    {
        refunded = _refund(id, found, slashed);
        uint128 left = slashed - refunded;
        rewarded = _lower(left, uint128(uint256(slashed) * _rule(found, Parameter.ReporterBps) / BPS));
        left -= rewarded;
        uint128 paid = _payMembers(id, found, _lower(left, found.payDue));
        found.payDue -= paid;
        burned = left - paid;

        if (rewarded != 0) token.safeTransfer(found.opener, rewarded);
        _burn(burned);
    }

    /// @dev In the order in which they were asked for, as far as it reaches. Each case has its refunds once.
    function _refund(bytes32 id, Case storage found, uint128 slashed) private returns (uint128 refunded) {
        for (uint256 i = 0; i < found.refunds.length && refunded < slashed; ++i) {
            Refund memory refund = found.refunds[i];
            uint128 amount = _lower(refund.amount, slashed - refunded);
            refunded += amount;
            emit Refunded(id, refund.payer, amount);
            token.safeTransfer(refund.payer, amount);
        }
    }

    /// @dev In equal parts, rounded down.
    function _payMembers(bytes32 id, Case storage found, uint128 amount) private returns (uint128 paid) {
        uint128 members = uint128(_openedIn(id, found));
        uint128 part = members == 0 ? 0 : amount / members;
        if (part == 0) return 0;
        for (uint256 s = 0; s <= uint256(found.stage); ++s) {
            Jury storage jury = _juries[id][Stage(s)];
            for (uint256 i = 0; i < jury.seats.length; ++i) {
                address evaluator = jury.seats[i].evaluator;
                if (!_hasOpened(id, Stage(s), evaluator)) continue;
                paid += part;
                emit MemberPaid(id, evaluator, part);
                token.safeTransfer(evaluator, part);
            }
        }
    }

    function _penalize(bytes32 id, Stage stage, address evaluator, uint128 penalty) private {
        uint128 amount = registry.slash(Role.Evaluator, evaluator, penalty, msg.sender);
        emit MemberPenalized(id, stage, evaluator, amount);
        _burn(amount);
    }

    function _burn(uint128 amount) private {
        if (amount != 0) token.burn(amount);
    }

    function _openedIn(bytes32 id, Case storage found) private view returns (uint256 opened) {
        opened = _juries[id][Stage.First].opened;
        if (found.stage == Stage.Appeal) opened += _juries[id][Stage.Appeal].opened;
    }

    /// @dev Whether an appeal was heard and changed nothing.
    function _isUpheld(bytes32 id, Case storage found) private view returns (bool) {
        if (found.stage != Stage.Appeal || !_isComplete(_juries[id][Stage.Appeal])) return false;
        return _convicts(found, _juries[id][Stage.First]) == (found.outcome == Outcome.Convicted);
    }

    function _lower(uint128 a, uint128 b) private pure returns (uint128) {
        return a < b ? a : b;
    }
}
