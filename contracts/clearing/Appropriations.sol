// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IClearingBook} from "../interfaces/IClearingBook.sol";
import {IProgrammes} from "../interfaces/IProgrammes.sol";
import {ProgrammeId, ProgrammeState} from "../interfaces/Types.sol";
import {Participants} from "../libraries/Participants.sol";
import {Positions} from "./Positions.sol";

/// @title Appropriations
/// @notice Part of the clearing book: what the city's budget makes available to each programme, by fiscal year.
abstract contract Appropriations is Positions {
    using SafeCast for uint256;

    /// @dev Ten trillion yuan: no budget reaches it, and thousands of years of it fit the 64-bit integers in which databases
    /// count fen.
    uint256 private constant YEAR_FEN_MAX = 1e15;

    /// @dev Two words; the first is what the ledger asks before it mints. A year's sum fits 50 bits and its number 32, so all
    /// years' fits 128.
    struct Budget {
        uint128 appropriatedFen;
        uint128 paidFen;
        uint128 reclaimedFen;
    }

    /// @dev One fiscal year's appropriations to one programme; one word.
    struct Year {
        uint96 recordedFen;
        uint96 lapsedFen;
        bool lapsed;
    }

    /// @inheritdoc IClearingBook
    address public immutable ledger;

    mapping(ProgrammeId programme => Budget) internal _budgets;
    mapping(ProgrammeId programme => mapping(uint32 fiscalYear => Year)) private _years;
    /// @dev Ascending.
    mapping(ProgrammeId programme => uint32[]) private _fiscalYears;
    mapping(ProgrammeId programme => mapping(uint32 fiscalYear => mapping(bytes32 documentHash => bool))) private
        _usedDocuments;
    ProgrammeId[] private _programmes;

    /// @inheritdoc IClearingBook
    function appropriated(ProgrammeId programme) external view returns (uint256) {
        return _budgets[programme].appropriatedFen;
    }

    /// @inheritdoc IClearingBook
    function paid(ProgrammeId programme) external view returns (uint256) {
        return _budgets[programme].paidFen;
    }

    /// @inheritdoc IClearingBook
    function appropriation(ProgrammeId programme, uint32 fiscalYear)
        external
        view
        returns (uint256 recordedFen, uint256 lapsedFen, uint256 leftFen)
    {
        Year storage year = _years[programme][fiscalYear];
        return (year.recordedFen, year.lapsedFen, _leftFen(programme, fiscalYear));
    }

    /// @inheritdoc IClearingBook
    function programmes() public view returns (ProgrammeId[] memory) {
        return _programmes;
    }

    /// @inheritdoc IClearingBook
    function recordAppropriation(ProgrammeId programme, uint32 fiscalYear, uint256 fen, bytes32 documentHash)
        external
        restricted
    {
        Year storage year = _years[programme][fiscalYear];
        if (fiscalYear == 0 || year.lapsed || fen == 0 || fen > YEAR_FEN_MAX - year.recordedFen) {
            revert ClearingBookBadAppropriation(fiscalYear, fen);
        }
        if (_usedDocuments[programme][fiscalYear][documentHash]) {
            revert ClearingBookDocumentUsed(programme, fiscalYear, documentHash);
        }
        _usedDocuments[programme][fiscalYear][documentHash] = true;
        if (_fiscalYears[programme].length == 0) _addProgramme(programme);
        if (year.recordedFen == 0) _insertYear(_fiscalYears[programme], fiscalYear);
        year.recordedFen += uint96(fen);
        uint128 appropriatedFen = _budgets[programme].appropriatedFen + uint128(fen);
        _budgets[programme].appropriatedFen = appropriatedFen;
        emit AppropriationRecorded(programme, fiscalYear, fen, documentHash, appropriatedFen);
    }

    /// @inheritdoc IClearingBook
    function lapse(ProgrammeId programme, uint32 fiscalYear) external restricted {
        Year storage year = _years[programme][fiscalYear];
        uint256 fen = Math.min(_leftFen(programme, fiscalYear), _freeFen(programme));
        if (year.lapsed || fen == 0) revert ClearingBookNothingToLapse(programme, fiscalYear);
        year.lapsedFen = uint96(fen);
        year.lapsed = true;
        uint128 appropriatedFen = _budgets[programme].appropriatedFen - uint128(fen);
        _budgets[programme].appropriatedFen = appropriatedFen;
        emit AppropriationLapsed(programme, fiscalYear, fen, appropriatedFen);
    }

    /// @dev Lowers what is available by expired value that finance takes back.
    function _takeBack(ProgrammeId programme, uint256 fen, bytes32 paymentReference) internal {
        Budget storage budget = _budgets[programme];
        budget.reclaimedFen += fen.toUint128();
        budget.appropriatedFen -= fen.toUint128();
        emit AppropriationReclaimed(programme, fen, paymentReference, budget.appropriatedFen);
    }

    /// @dev Cycles visit all that are listed: finance alone cannot make the list longer.
    function _addProgramme(ProgrammeId programme) private {
        if (IProgrammes(ledger).programme(programme).state == ProgrammeState.UNKNOWN) {
            revert ClearingBookUnknownProgramme(programme);
        }
        _programmes.push(programme);
    }

    /// @dev What is available beyond what the programme paid and owes.
    function _fundingFen(ProgrammeId programme) internal view returns (int256) {
        Budget storage budget = _budgets[programme];
        return int256(uint256(budget.appropriatedFen)) - int256(uint256(budget.paidFen))
            + position(Participants.ofProgramme(programme));
    }

    /// @dev What neither merchants earned nor residents hold.
    function _freeFen(ProgrammeId programme) private view returns (uint256) {
        return _aboveZero(_fundingFen(programme) - IProgrammes(ledger).liabilityFen(programme).toInt256());
    }

    /// @dev What was paid or taken back consumes the oldest year first: what is left of a year is what that has not reached.
    function _leftFen(ProgrammeId programme, uint32 fiscalYear) private view returns (uint256) {
        uint32[] storage fiscalYears = _fiscalYears[programme];
        Budget storage budget = _budgets[programme];
        uint256 consumedFen = uint256(budget.paidFen) + budget.reclaimedFen;
        for (uint256 i; i < fiscalYears.length && fiscalYears[i] <= fiscalYear; ++i) {
            Year storage year = _years[programme][fiscalYears[i]];
            uint256 fen = year.recordedFen - year.lapsedFen;
            if (fiscalYears[i] == fiscalYear) return Math.saturatingSub(fen, consumedFen);
            consumedFen = Math.saturatingSub(consumedFen, fen);
        }
        return 0;
    }

    /// @dev Keeps the years ascending; there is one a year, and it is nearly always the last.
    function _insertYear(uint32[] storage fiscalYears, uint32 fiscalYear) private {
        fiscalYears.push(fiscalYear);
        for (uint256 i = fiscalYears.length - 1; i > 0 && fiscalYears[i - 1] > fiscalYear; --i) {
            fiscalYears[i] = fiscalYears[i - 1];
            fiscalYears[i - 1] = fiscalYear;
        }
    }
}
