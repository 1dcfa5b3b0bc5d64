// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {ClearingTerms, Due, IClearingBook} from "../interfaces/IClearingBook.sol";
import {ProgrammeId} from "../interfaces/Types.sol";
import {Netting} from "../libraries/Netting.sol";
import {Appropriations} from "./Appropriations.sol";

/// @title Cycles
/// @notice Part of the clearing book: who has to pay how much by when, and what being overdue means.
abstract contract Cycles is Appropriations {
    using SafeCast for uint256;

    /// @dev One word.
    struct Dues {
        uint96 fen;
        uint96 olderFen;
        uint40 waivedUntil;
    }

    /// @dev Below 10 yuan nobody is overdue: no one should be stopped by roundings.
    uint256 private constant OVERDUE_FEN = 1_000;
    uint40 private constant WAIVER_MAX = 90 days;
    uint40 private constant TERM_MIN = 1 days;
    uint40 private constant TERM_MAX = 90 days;

    mapping(ProgrammeId programme => Dues) private _dues;
    uint64 internal _cycle;
    uint40 private _dueBy;
    ClearingTerms internal _terms;

    /// @inheritdoc IClearingBook
    function lastCycle() external view returns (uint64 cycle, uint40 dueBy) {
        return (_cycle, _dueBy);
    }

    /// @inheritdoc IClearingBook
    function due(ProgrammeId programme) external view returns (Due memory) {
        Dues storage dues = _dues[programme];
        return Due(dues.fen, dues.olderFen, _dueBy, dues.waivedUntil);
    }

    /// @inheritdoc IClearingBook
    function terms() external view returns (ClearingTerms memory) {
        return _terms;
    }

    /// @inheritdoc IClearingBook
    function fundingOf(ProgrammeId programme)
        external
        view
        returns (int256 fundingFen, uint256 appropriatedFen, bool overdue)
    {
        return (_fundingFen(programme), _budgets[programme].appropriatedFen, _isOverdue(programme));
    }

    /// @inheritdoc IClearingBook
    function openCycle() external returns (uint64 cycle) {
        if (block.timestamp <= _dueBy) revert ClearingBookTooEarly(uint256(_dueBy) + 1);
        ProgrammeId[] memory debtors = programmes();
        (uint256[] memory debts, uint256 owedFen) = _debts(debtors);
        // A programme that never had an appropriation can owe a few fen of roundings; they wait.
        uint256 total = Math.min(Math.saturatingSub(_currentTotal().maturedFen, _poolFen()), owedFen);
        if (total == 0) revert ClearingBookNothingDue();
        uint256[] memory shares = Netting.split(total, debts);
        cycle = ++_cycle;
        uint40 dueBy = uint40(block.timestamp) + _terms.paymentTerm;
        _dueBy = dueBy;
        emit CycleOpened(cycle, total, dueBy);
        for (uint256 i; i < debtors.length; ++i) {
            _setDue(cycle, debtors[i], shares[i].toUint96());
        }
    }

    /// @inheritdoc IClearingBook
    function setWaiver(ProgrammeId programme, uint40 until) external restricted {
        if (until > block.timestamp + WAIVER_MAX) revert ClearingBookBadTerms();
        emit WaiverSet(programme, _dues[programme].waivedUntil, until);
        _dues[programme].waivedUntil = until;
    }

    /// @inheritdoc IClearingBook
    function setTerms(ClearingTerms calldata newTerms) external restricted {
        _setTerms(newTerms);
    }

    function _setTerms(ClearingTerms memory newTerms) internal {
        if (newTerms.paymentTerm < TERM_MIN || newTerms.paymentTerm > TERM_MAX) revert ClearingBookBadTerms();
        emit ClearingTermsSet(_terms, newTerms);
        _terms = newTerms;
    }

    /// @dev What a debtor paid lowers what has been due for longest first.
    function _lowerDue(ProgrammeId programme, uint256 fen) internal {
        Dues storage dues = _dues[programme];
        uint256 fromOlder = Math.min(fen, dues.olderFen);
        dues.olderFen -= uint96(fromOlder);
        dues.fen = uint96(Math.saturatingSub(dues.fen, fen - fromOlder));
    }

    function _setDue(uint64 cycle, ProgrammeId programme, uint96 share) private {
        Dues storage dues = _dues[programme];
        uint256 unpaidFen = uint256(dues.fen) + dues.olderFen;
        if (share == 0 && unpaidFen == 0) return;
        uint96 olderFen = uint96(Math.min(unpaidFen, share));
        (dues.fen, dues.olderFen) = (share - olderFen, olderFen);
        emit DueSet(cycle, programme, share - olderFen, olderFen);
    }

    function _isOverdue(ProgrammeId programme) private view returns (bool) {
        Dues storage dues = _dues[programme];
        uint256 fen = dues.olderFen;
        if (block.timestamp > _dueBy) fen += dues.fen;
        return Math.min(fen, _debtFen(programme)) >= OVERDUE_FEN && block.timestamp >= dues.waivedUntil;
    }

    function _debts(ProgrammeId[] memory debtors) private view returns (uint256[] memory debts, uint256 sum) {
        debts = new uint256[](debtors.length);
        for (uint256 i; i < debtors.length; ++i) {
            debts[i] = _debtFen(debtors[i]);
            sum += debts[i];
        }
    }
}
